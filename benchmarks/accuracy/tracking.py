"""The benchmark as an MLflow run of the home under test, beside its trainings."""

import logging
import math
import re
import time
from pathlib import Path

from framesearch.models.registry import Registry, prepare_environment
from framesearch.settings import Settings

log = logging.getLogger(__name__)

EXPERIMENT = "accuracy benchmark"
_BATCH = 500  # metrics a call; MLflow takes a thousand


def log_run(told: dict, folder: Path, settings: Settings) -> str:
    """Log parameters, metrics and the report's files; returns the MLflow run's id.

    Metrics are called SYSTEM/FIGURE, and SYSTEM/r1/TRANSFORM.

    Raises:
        framesearch.errors.RegistryUnreachable: MLflow does not answer.
    """
    registry = Registry(settings)
    registry.check()
    prepare_environment()
    from mlflow.entities import Metric, Param

    client = registry.client
    run = client.create_run(_experiment(registry), run_name=f"{told['protocol']['folder']} {time.strftime('%F %H:%M')}")
    run_id = str(run.info.run_id)
    status = "FAILED"
    try:
        now = round(time.time() * 1000)
        params = [Param(name, str(value)[:6000]) for name, value in told["protocol"].items()]
        params += [Param(f"{_plain(name)}/note", one["told"]["note"][:6000]) for name, one in told["systems"].items()]
        client.log_batch(run_id, params=params)
        metrics = [Metric(name, value, now, 0) for name, value in _metrics(told).items() if math.isfinite(value)]
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
        for file in sorted(folder.iterdir()):
            if file.suffix in (".md", ".json", ".png"):
                client.log_artifact(run_id, str(file))
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)
    log.info("MLflow run %s: %d metrics", run_id, len(metrics))
    return run_id


def _metrics(told: dict) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, one in told["systems"].items():
        plain = _plain(name)
        metrics |= {f"{plain}/{figure}": float(value) for figure, value in one["figures"].items()}
        for figure, (low, high) in one["intervals"].items():
            metrics |= {f"{plain}/{figure}_low": float(low), f"{plain}/{figure}_high": float(high)}
        metrics |= {f"{plain}/r1/{kind}": float(figures["r1"]) for kind, figures in one["by_transform"].items()}
    return metrics


def _plain(name: str) -> str:
    """The name in letters that MLflow takes."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_").lower()


def _experiment(registry: Registry) -> str:
    found = registry.client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            registry.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    # Without a server there is nobody to say where artifacts lie.
    location = None if registry.uri.startswith("http") else (registry.home / "mlflow" / "artifacts").as_uri()
    return str(registry.client.create_experiment(EXPERIMENT, artifact_location=location))
