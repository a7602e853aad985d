"""What people see in MLflow's own pages: where they are, and how our experiment presents itself there."""

import contextlib
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from framesearch.models.versions import MODEL

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "frame-encoder"

_TRAINING = "workflowType=machine_learning"  # what the page is switched to
DESCRIPTION = f"""\
One run for each training, import or judgement of an encoder: the autoencoder's losses, how often it finds the frames of
videos that it was not trained on (`r1`: the right moment first), and pictures of what it found and missed.

Versions, verdicts and the one that serves (`champion`): [the registered model {MODEL}](#/models/{MODEL}?{_TRAINING}).
"""

# The kind of an experiment decides whether it opens on training runs or on traces of language models; in MLflow 3.17
# only where no switch of the page does, which is set to the latter until a link says otherwise.
_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": DESCRIPTION,
    "mlflow.experiment.primaryMetric.name": "r1",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
}
_DEFAULT = "0"  # the experiment that every new MLflow database holds


def present(client: "MlflowClient", experiment_id: str) -> None:
    """Makes the experiment open on its training runs, with a description; what a person wrote there stays.

    MLflow's own "Default" is put in the bin while nothing was ever logged to it: it would be the first in line.
    """
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    tags = client.get_experiment(experiment_id).tags
    for name, value in _TAGS.items():
        if name not in tags:
            client.set_experiment_tag(experiment_id, name, value)
    with contextlib.suppress(MlflowException):  # gone already, by a person's or another process's hand
        default = client.get_experiment(_DEFAULT)
        unused = not client.search_runs([_DEFAULT], run_view_type=ViewType.ALL, max_results=1)
        if (default.name, default.lifecycle_stage) == ("Default", "active") and unused:
            client.delete_experiment(_DEFAULT)


def run_page(tracking_uri: str, experiment_id: str, run_id: str) -> str | None:
    """The address of a run's page; None without a server."""
    return _page(tracking_uri, f"/experiments/{quote(experiment_id)}/runs/{quote(run_id)}")


def model_page(tracking_uri: str) -> str | None:
    """The address of the registered model: its versions, their verdicts, the champion; None without a server."""
    return _page(tracking_uri, f"/models/{MODEL}")


def _page(tracking_uri: str, path: str) -> str | None:
    if not tracking_uri.startswith("http"):
        return None
    parts = urlsplit(tracking_uri)
    host = parts.netloc.rpartition("@")[2]  # never a password in a link
    return f"{urlunsplit((parts.scheme, host, parts.path, '', '')).rstrip('/')}/#{path}?{_TRAINING}"
