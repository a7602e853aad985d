"""What every MLflow run of ours has in common: it says who made it, and never stays RUNNING."""

import contextlib
import logging
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version as installed

import mlflow
from mlflow.entities import RunStatus

from framesearch.models.orphans import end_orphans, this_process
from framesearch.models.registry import Registry
from framesearch.settings import CHECKOUT, Settings
from framesearch.store.storage import Storage
from training.gate.verdict import Judgement
from training.runs import figures

log = logging.getLogger(__name__)


def open_experiment(settings: Settings) -> tuple[Registry, str]:
    """The registry and its experiment, with mlflow's own calls pointed there and dead runs marked as such."""
    registry = Registry(settings)
    mlflow.set_tracking_uri(settings.mlflow)
    mlflow.set_registry_uri(settings.mlflow)
    experiment_id = registry.experiment_id()
    end_orphans(registry, experiment_id)
    return registry, experiment_id


@contextlib.contextmanager
def run(experiment_id: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """A run that ends as FINISHED, FAILED, or KILLED where it was told to stop; its id."""
    known = {
        "framesearch.version": installed("framesearch"),
        **this_process(),
        **_git_commit(),
    }
    started = mlflow.start_run(experiment_id=experiment_id, run_name=name, tags={**known, **tags})
    status = RunStatus.FAILED
    try:
        yield started.info.run_id
        status = RunStatus.FINISHED
    except KeyboardInterrupt:
        status = RunStatus.KILLED
        raise
    except Exception as error:
        with contextlib.suppress(Exception):  # the reason is raised all the same
            mlflow.set_tag("error", f"{type(error).__name__}: {error}"[:5000])
        raise
    finally:
        mlflow.end_run(RunStatus.to_string(status))


def log_judgement(judgement: Judgement, storage: Storage) -> None:
    """The pictures of a judgement, for the run that is under way."""
    champion = judgement.champion
    called = f"champion, version {champion.version}" if champion else ""
    recall = figures.recall_by_transform(judgement.marks, judgement.champion_marks, called)
    mlflow.log_figure(recall, "pictures/recall_by_transform.png")
    mlflow.log_figure(figures.answer_sheet(judgement.exam, judgement.marks, storage), "pictures/answers.png")


def _git_commit() -> dict[str, str]:
    """The commit that this code is of, as MLflow's UI shows it; nothing outside a git checkout."""
    git = ["git", "-C", str(CHECKOUT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit.stdout.strip(), "git_changed": str(bool(changed.stdout.strip())).lower()}
