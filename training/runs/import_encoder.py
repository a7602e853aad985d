"""Encoders that were not trained here: importing one, and judging any version again. No TensorFlow.

An import is one MLflow run, as a training is: wrap, try, judge, register. It sits the same exam as every challenger.
"""

import logging
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import EncoderInvalid, NotEnoughFrames
from framesearch.jobs.retrain import current_champion
from framesearch.models import versions
from framesearch.models.encoder import Encoder
from framesearch.records import VideoStatus
from framesearch.settings import ENCODER_FAMILIES, Settings
from training.gate import encoder_exam
from training.gate.verdict import Judgement, judged
from training.onnx_import.convert import Wrapped, wrap
from training.onnx_import.interface import Reading
from training.runs import tracking

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What the one who imports an encoder knows of it.

    Attributes:
        name: what it is called here: small letters, digits, `_`, `-` and `.`.
        source: where it is from.
        licence: under which it may be used.
    """

    name: str
    source: str = ""
    licence: str = ""
    description: str = ""


def import_encoder(settings: Settings, file: Path, origin: Origin, reading: Reading) -> dict[str, Any]:
    """Register an external encoder as a challenger, judged where there are frames to judge it on.

    Returns:
        what `framesearch.models.training_process.TrainingOutcome` holds.

    Raises:
        EncoderInvalid: it can't be made an encoder, or its name can't be used.
        RegistryUnreachable: MLflow does not answer.
    """
    started = time.monotonic()
    _check(origin)
    storage = open_storage(settings)
    with storage.scratch() as folder:
        encoder_file = folder / "encoder.onnx"
        wrapped = wrap(file, encoder_file, reading)  # before there is a run: a wrong file is no experiment
        registry, experiment_id = tracking.open_experiment(settings)
        tags = {versions.FAMILY: origin.name, versions.ORIGIN: versions.IMPORTED, **_told(origin, wrapped)}
        name = f"import {origin.name} {datetime.now(UTC):%Y-%m-%d %H:%M}"
        with tracking.run(experiment_id, name, tags) as run_id:
            log.info("MLflow run %s", registry.run_url(experiment_id, run_id) or name)
            mlflow.log_params(_facts(wrapped))
            champion = current_champion(registry)
            judgement, reason = None, ""
            try:
                plan = encoder_exam.plan_exam(open_catalogue(settings), storage)
                judgement = judged(wrapped.encoder, champion, registry, plan, storage, settings)
                reason = judgement.verdict.reason
            except NotEnoughFrames as error:
                reason = f"not judged yet: {error}"
                log.warning("%s", reason)
            metrics = {"picture_ms": wrapped.picture_ms, **(judgement.metrics if judgement else {})}
            model_id = _log_model(wrapped, encoder_file)
            mlflow.log_metrics(metrics, model_id=model_id)
            if judgement:
                tracking.log_judgement(judgement, storage)
            version = registry.register(
                run_id=run_id,
                model_id=model_id,
                description=_description(origin, wrapped, judgement, reason),
                tags={
                    **tags,
                    versions.REASON: reason,
                    **(judgement.tags(_catalogue_frames(settings)) if judgement else {}),
                    versions.ENCODER_SHA256: wrapped.encoder.digest,
                    "dimension": wrapped.encoder.dimension,
                },
            )
            mlflow.set_tags({"model_version": version, versions.REASON: reason})
    log.info("imported %s as version %s in %.1f s: %s", origin.name, version, time.monotonic() - started, reason)
    return {
        "model_version": version,
        "run_id": run_id,
        "run_url": registry.run_url(experiment_id, run_id),
        "better": judgement.verdict.better if judgement else False,
        "reason": reason,
        "metrics": metrics,
    }


def judge_version(settings: Settings, plan: encoder_exam.Plan, version: str) -> dict[str, Any]:
    """Judge a registered version against today's champion on today's frames; its verdict is the new one from then on.

    The champion itself is measured alone, and keeps the verdict that it became champion by.

    Returns:
        what `framesearch.models.training_process.TrainingOutcome` holds.

    Raises:
        NoModelVersion: the registry does not hold the version.
        EncoderInvalid: its encoder can't be used.
        NotEnoughFrames: there is nothing to judge it on.
        RegistryUnreachable: MLflow does not answer.
    """
    started = time.monotonic()
    storage = open_storage(settings)
    registry, experiment_id = tracking.open_experiment(settings)
    known = registry.version(version)
    encoder = Encoder(registry.encoder_file(version), told=f"model version {version}")
    champion = None if known.champion else current_champion(registry)
    name = f"judge version {version} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    about = {versions.FAMILY: known.family, "model_version": version}
    with tracking.run(experiment_id, name, about) as run_id:
        judgement = judged(encoder, champion, registry, plan, storage, settings)
        reason = judgement.verdict.reason
        mlflow.log_metrics(judgement.metrics)
        tracking.log_judgement(judgement, storage)
        tags, told = judgement.tags(_catalogue_frames(settings)), judgement.described()
        if known.champion:
            reason = f"it is the champion; {reason.removesuffix('; first version')}"
            tags, told = {"r1": tags["r1"]}, f"{reason}."
        mlflow.set_tag(versions.REASON, reason)
        registry.record_judgement(version, run_id, tags, told)
    log.info("judged version %s in %.1f s: %s", version, time.monotonic() - started, reason)
    return {
        "model_version": version,
        "run_id": run_id,
        "run_url": registry.run_url(experiment_id, run_id),
        "better": judgement.verdict.better and not known.champion,
        "reason": reason,
        "metrics": judgement.metrics,
    }


def _check(origin: Origin) -> None:
    if not _NAME.fullmatch(origin.name):
        raise EncoderInvalid(
            f"an encoder can't be called {origin.name[:80]!r}: small letters, digits, '_', '-' and '.', at most 64"
        )
    if origin.name in ENCODER_FAMILIES:
        raise EncoderInvalid(f"{origin.name} is a family that is trained here: give the import another --name")


def _told(origin: Origin, wrapped: Wrapped) -> dict[str, str]:
    return {
        versions.SOURCE: origin.source or "not said",
        versions.LICENCE: origin.licence or "not said",
        versions.PREPROCESSING: wrapped.preprocessing,
        "original_sha256": wrapped.sha256,
    }


def _facts(wrapped: Wrapped) -> dict[str, Any]:
    encoder = wrapped.encoder
    return {
        "picture": f"{encoder.height}x{encoder.width}",
        "dimension": encoder.dimension,
        "preprocessing": wrapped.preprocessing,
        "layout": wrapped.layout,
        "pool": wrapped.pool,
        "output": wrapped.output[:200],
        "batch_axis": wrapped.batch,
        "opset": wrapped.opset,
        "parameters": wrapped.parameters,
        "generated_pictures_mean_cosine": round(wrapped.mean_cosine, 4),
        "generated_pictures_nearest_cosine": round(wrapped.nearest_cosine, 4),
    }


def _catalogue_frames(settings: Settings) -> int:
    return sum(video.index_frames for video in open_catalogue(settings).videos(VideoStatus.READY))


def _log_model(wrapped: Wrapped, encoder_file: Path) -> str:
    """The wrapped graph, for MLflow's own loaders, and as every version of ours holds its encoder."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    encoder = wrapped.encoder
    pictures = TensorSpec(np.dtype(np.uint8), (-1, encoder.height, encoder.width, 3))
    vectors = TensorSpec(np.dtype(np.float32), (-1, encoder.dimension))
    logged = mlflow.onnx.log_model(
        onnx.load(encoder_file, load_external_data=False),
        name="encoder",
        signature=ModelSignature(Schema([pictures]), Schema([vectors])),
        pip_requirements=[f"{package}=={installed(package)}" for package in ("onnx", "onnxruntime", "numpy")],
        extra_files=[encoder_file.resolve().as_uri()],  # a path would be read as an address, escapes and all
        metadata={"encoder": versions.ENCODER_PATH},
        save_as_external_data=False,
    )
    return str(logged.model_id)


def _description(origin: Origin, wrapped: Wrapped, judgement: Judgement | None, reason: str) -> str:
    encoder = wrapped.encoder
    parts = [
        f"**{origin.name}**, imported: {encoder.height}x{encoder.width} pictures, {encoder.dimension} numbers, "
        f"preprocessing {wrapped.preprocessing}.",
        origin.description,
        f"Source: {origin.source or 'not said'}. Licence: {origin.licence or 'not said'}. "
        f"SHA-256 of the imported file: {wrapped.sha256}.",
        judgement.described() if judgement else f"{reason}.",
    ]
    return "\n\n".join(part for part in parts if part)
