"""What the tasks of `retrain_encoder` do: library use cases, with this installation's settings."""

import logging
from collections.abc import Generator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Metadata

from framesearch.backends import open_catalogue
from framesearch.jobs.retrain import current_champion, trained_already, training_due
from framesearch.models.orphans import end_orphans
from framesearch.models.registry import Registry
from framesearch.models.training_process import train
from framesearch.settings import settings
from framesearch.system import locks
from orchestration.assets import CHAMPION
from orchestration.failures import skip
from orchestration.labels import holding

_log = logging.getLogger(__name__)

HOLDER = holding("retrain_encoder")


def plan_training(params: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Whether to train now, and what: skips where new frames came but too few to be worth it.

    A DAG run that a person or the weekly schedule asked for always trains.
    """
    due = training_due(current_champion(Registry(settings())), open_catalogue(settings()), settings())
    if due.why_not and context["dag_run"].run_type == "asset_triggered" and not params["force"]:
        skip(due.why_not, context)
    return {
        "family": params["family"] or settings().encoder_family,
        "minutes": params["minutes"] or due.minutes,
        "teacher": params["teacher"] or settings().teacher or None,
        "force": params["force"],
        "planned_at": datetime.now(UTC).isoformat(),
    }


def train_challenger(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Train one model version in one MLflow run, and judge it against the champion; the verdict.

    Where `framesearch run`, or this task before it was killed, trained the same since it was planned, that is it.
    """
    asked = dict(plan)
    planned_at = datetime.fromisoformat(asked.pop("planned_at"))
    registry, catalogue = Registry(settings()), open_catalogue(settings())
    usual = (asked["family"], asked["teacher"]) == (settings().encoder_family, settings().teacher or None)
    with locks.held(locks.TRAINING, settings(), HOLDER) as lock:
        if usual and not asked["force"]:
            done = trained_already(catalogue, registry, settings(), since=planned_at)
            if done is not None:
                _log.info("version %s was trained meanwhile: %s", done.model_version, done.reason)
                end_orphans(registry, registry.experiment_id())
                return asdict(done)
        return asdict(train(settings(), **asked, on_line=_log.info, lock=lock))


def require_better(challenger: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Pass the challenger on where it won; skip everything after it where it did not."""
    if not challenger["better"]:
        skip(f"model version {challenger['model_version']} stays a challenger: {challenger['reason']}", context)
    return dict(challenger)


def promote_challenger(challenger: Mapping[str, Any]) -> Generator[Metadata, None, dict[str, Any]]:
    """Move the alias `champion` to the challenger, and tell of it."""
    Registry(settings()).promote(challenger["model_version"], challenger["reason"])
    yield Metadata(CHAMPION, extra={"model_version": challenger["model_version"], "reason": challenger["reason"]})
    return dict(challenger)
