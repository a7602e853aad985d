"""The step at which a person decides whether a model version is promoted."""

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator

_BODY = """\
{{% set challenger = ti.xcom_pull(task_ids="{source}") %}}
**{{{{ challenger.reason }}}}**

{{% for name, value in challenger.metrics.items() if "/" not in name %}}
- {{{{ name }}}}: {{{{ "%.3f" % value }}}}
{{%- endfor %}}

{{% if challenger.run_url %}}[All figures and pictures: its MLflow run]({{{{ challenger.run_url }}}}){{% endif %}}
"""


def approval(task_id: str, source: str) -> ApprovalOperator:
    """A task that waits under *Required actions* until a person approves; rejecting skips what follows.

    Args:
        source: the task whose result is the challenger that is asked about.
    """
    return ApprovalOperator(
        task_id=task_id,
        subject=f"Promote model version {{{{ ti.xcom_pull(task_ids='{source}').model_version }}}} to champion?",
        body=_BODY.format(source=source),
        # Nobody answered: red rather than a silent yes or no, and free for the next DAG run.
        response_timeout=timedelta(days=7),
        retries=0,
        execution_timeout=None,
    )
