"""### Retrain the encoder

One MLflow run: trains an autoencoder on all frames, exports its encoder, and judges it against the champion on the
same queries. Moves the alias `champion` only if the new model version finds frames measurably better; then announces
the asset `champion`, which `rebuild_index` follows.

**Owner:** framesearch. **When:** weekly, and when new frames make the catalogue larger by `FRAMESEARCH_RETRAIN_GROWTH`.
With `FRAMESEARCH_REQUIRE_APPROVAL` a person approves each promotion under *Required actions*.

**Triage**

- *`plan_training` is pink*: too few new frames to be worth it; trigger the DAG yourself to train all the same.
- *`train_challenger` is pink*: too few frames to train or judge on; ingest more videos. *Red*: its log ends with what
  the training process said; the button *MLflow run* shows how far it came. Retried once.
- *`require_better` is pink*: the challenger lost. That is as it should be; its XCom `reason` gives the figures.
- *`promote_challenger` is red*: MLflow did not answer. Clear it: promoting twice is safe.
"""

from datetime import timedelta

from airflow.sdk import Param, dag

from framesearch.settings import ENCODER_FAMILIES, settings
from orchestration.approval import approval
from orchestration.assets import CHAMPION, FRAMES
from orchestration.defaults import DAG_DEFAULTS, TAG
from orchestration.schedules import weekly_or
from orchestration.tasks import mlflow_task, task


@dag(
    schedule=weekly_or(FRAMES),
    description="Weekly, and after enough new frames: train a challenger, promote it if it finds frames better.",
    tags=[TAG, "weekly"],
    doc_md=__doc__,
    params={
        "family": Param(
            None,
            type=["null", "string"],
            enum=[None, *ENCODER_FAMILIES],
            title="Encoder family",
            description="None: FRAMESEARCH_ENCODER_FAMILY.",
        ),
        "minutes": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            title="Minutes",
            description="How long to train. None: FRAMESEARCH_TRAINING_MINUTES.",
        ),
        "teacher": Param(
            None,
            type=["null", "string"],
            pattern="^[0-9]*$",
            title="Teacher",
            description="A model version whose encoder teaches the new one. None: FRAMESEARCH_TEACHER.",
        ),
        "force": Param(False, type="boolean", title="Force", description="Train although little is new."),
    },
    **DAG_DEFAULTS,
)
def retrain_encoder():
    """Train a challenger, judge it, promote it if it is better."""

    @task
    def plan_training(params=None, **context):
        from orchestration import retraining

        return retraining.plan_training(params, context)

    @mlflow_task(retries=1, execution_timeout=timedelta(hours=12))
    def train_challenger(plan):
        from orchestration import retraining

        return retraining.train_challenger(plan)

    @mlflow_task
    def require_better(challenger, **context):
        from orchestration import retraining

        return retraining.require_better(challenger, context)

    @mlflow_task(outlets=[CHAMPION])
    def promote_challenger(challenger):
        from orchestration import retraining

        return (yield from retraining.promote_challenger(challenger))

    challenger = require_better(train_challenger(plan_training()))
    champion = promote_challenger(challenger)
    if settings().require_approval:
        challenger >> approval("approve_promotion", "require_better") >> champion


retrain_encoder()
