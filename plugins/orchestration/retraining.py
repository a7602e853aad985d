"""What the tasks of `retrain_encoder` do: library use cases, with this installation's settings."""

import logging
from collections.abc import Generator, Mapping
from dataclasses import asdict
from typing import Any

from airflow.sdk import Metadata

from framesearch.catalogue import open_catalogue
from framesearch.errors import NoChampion
from framesearch.registry import Registry
from framesearch.settings import settings
from framesearch.trainer import growth_since_champion, train
from orchestration.assets import CHAMPION
from orchestration.failures import skip

_log = logging.getLogger(__name__)


def plan_training(params: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Whether to train now, and what: skips where new frames came but too few to be worth it.

    A DAG run that a person or the weekly schedule asked for always trains.
    """
    try:
        champion = Registry(settings()).champion()
    except NoChampion:
        champion = None
    if champion and context["dag_run"].run_type == "asset_triggered" and not params["force"]:
        growth = growth_since_champion(open_catalogue(settings()), Registry(settings()))
        if growth < settings().retrain_growth:
            skip(
                f"the catalogue has grown by {growth:.0%} since champion version {champion.version} was trained, "
                f"FRAMESEARCH_RETRAIN_GROWTH asks for {settings().retrain_growth:.0%}",
                context,
            )
    minutes = settings().training_minutes if champion else settings().first_training_minutes
    return {
        "family": params["family"] or settings().encoder_family,
        "minutes": params["minutes"] or minutes,
        "teacher": params["teacher"] or settings().teacher or None,
        "force": params["force"],
    }


def train_challenger(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Train one model version in one MLflow run, and judge it against the champion; the verdict."""
    outcome = train(settings(), **plan, on_line=_log.info)
    return asdict(outcome)


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
