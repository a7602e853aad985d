"""One training as one MLflow run: dataset, fit, export, judgement, registration."""

import logging
import os
import platform
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import tensorflow as tf
from mlflow.data.pandas_dataset import from_pandas
from mlflow.models import infer_signature

from framesearch.backends import open_storage
from framesearch.jobs.retrain import current_champion
from framesearch.models import versions
from framesearch.models.encoder import Encoder
from framesearch.models.mlflow_errors import is_unreachable
from framesearch.models.registry import Registry
from framesearch.models.versions import ModelVersion
from framesearch.settings import Settings
from framesearch.store.storage import Storage
from training.families.contract import Family
from training.families.known import family_named
from training.fitting import dataset as datasets
from training.fitting import teacher
from training.fitting.augment import view
from training.fitting.dataset import Dataset
from training.fitting.export import check_parity, export_encoder
from training.fitting.fit import fit
from training.gate import encoder_exam
from training.gate.verdict import Judgement, judged
from training.runs import figures, tracking

log = logging.getLogger(__name__)

WARM_PEAK = 0.5  # of the learning rate: what the champion knows is worth keeping
PARITY_FRAMES = 64
_KERAS_FILE = "data/model.keras"  # where MLflow puts it in a logged model


def train(
    settings: Settings,
    surveyed: datasets.Survey,
    plan: encoder_exam.Plan,
    *,
    family_name: str,
    minutes: float,
    forced: bool = False,
    teacher_version: str | None = None,
) -> dict[str, Any]:
    """Train, judge and register one model version; what `framesearch.models.training_process.TrainingOutcome` holds.

    Args:
        teacher_version: of the registered model: its encoder teaches the new one, see `training.fitting.teacher`.

    Raises:
        RegistryUnreachable: MLflow does not answer.
        NoModelVersion: there is no such teacher.
        InvalidSetting: the family can't be taught.
        WeightsUnavailable: the family starts from weights that can't be fetched.
    """
    started = time.monotonic()
    storage = open_storage(settings)
    registry, experiment_id = tracking.open_experiment(settings)
    champion = current_champion(registry)
    family = family_named(family_name)
    taught_by = teacher.chosen(teacher_version, family, registry) if teacher_version else None
    device = _device()
    keras.config.disable_interactive_logging()  # mlflow calls predict(): no progress bars in a log
    keras.utils.set_random_seed(settings.training_seed)
    model = family.build()  # before the frames are read: it may need weights that can't be had
    dataset = datasets.load(
        surveyed, storage, side=family.height, max_frames=settings.training_max_frames, seed=settings.training_seed
    )
    tags = {versions.FAMILY: family.name, "dataset_digest": dataset.digest, "forced": str(forced).lower()}
    name = f"{family.name} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    with tracking.run(experiment_id, name, tags) as run_id, storage.scratch() as folder:
        log.info("MLflow run %s: %s, on %s", run_id, registry.run_url(experiment_id, run_id) or name, device)
        warm = _start_from(_predecessor(champion, family, registry), model, registry)
        mlflow.set_tag("warm_start", warm or "no")
        _log_dataset(dataset, settings)
        mlflow.log_params(
            {
                "family": family.name,
                "minutes": minutes,
                "seed": settings.training_seed,
                "warm_start": warm or "no",
                "teacher": teacher_version or "no",
                "device": device,
                "learning_rate": family.learning_rate * (WARM_PEAK if warm else 1.0),
                "weight_decay": family.weight_decay,
                "passes": family.passes,
                "picture": f"{family.height}x{family.width}",
                "parameters": model.count_params(),
                "train_frames": len(dataset.train),
                "test_frames": len(dataset.test),
                "videos": len(dataset.videos),
                "block_s": round(dataset.block_s, 3),
                "max_frames": settings.training_max_frames,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "python": platform.python_version(),
            }
        )
        lessons = teacher.lessons(taught_by, dataset) if taught_by else None
        fitted = fit(
            model,
            family,
            dataset,
            minutes=minutes,
            seed=settings.training_seed,
            peak=WARM_PEAK if warm else 1.0,
            turn=int(warm or 0),
            lessons=lessons,
            on_epoch=_log_epoch,
        )
        mlflow.log_params(
            {"batch": fitted.batch, "wanted_steps": fitted.wanted_steps, "planned_steps": fitted.planned_steps}
        )
        onnx = folder / "encoder.onnx"
        export_encoder(model, onnx)
        parity = check_parity(
            model, onnx, dataset.clean[:: max(1, len(dataset.clean) // PARITY_FRAMES)][:PARITY_FRAMES]
        )
        challenger = Encoder(onnx)
        judgement = judged(challenger, champion, registry, plan, storage, settings)
        metrics = {
            **judgement.metrics,
            "steps": float(fitted.steps),
            "step_seconds": fitted.step_s,
            "fit_seconds": fitted.seconds,
            "parity_difference": parity.difference,
            "parity_cosine": parity.cosine,
        }
        model_id = _log_model(model, family, onnx, dataset)
        mlflow.log_metrics(metrics, model_id=model_id)
        _log_pictures(model, family, dataset, fitted.history, judgement, storage)
        verdict = judgement.verdict
        mlflow.set_tags({versions.VERDICT: verdict.word, versions.REASON: verdict.reason})
        version = registry.register(
            run_id=run_id,
            model_id=model_id,
            description=_description(family, dataset, teacher_version, judgement),
            tags={
                versions.FAMILY: family.name,
                **judgement.tags(dataset.catalogue_frames),
                versions.ENCODER_SHA256: challenger.digest,
                versions.ORIGIN: versions.TRAINED,
                "dataset_digest": dataset.digest,
                "dimension": challenger.dimension,
                "warm_start": warm or "no",
                "teacher": teacher_version or "no",
            },
        )
        mlflow.set_tag("model_version", version)
    log.info(
        "trained version %s in %.1f s: %s: %s",
        *(version, time.monotonic() - started, verdict.word.replace("_", " "), verdict.reason),
    )
    return {
        "model_version": version,
        "run_id": run_id,
        "run_url": registry.run_url(experiment_id, run_id),
        "better": verdict.better,
        "reason": verdict.reason,
        "metrics": metrics,
    }


def _device() -> str:
    """The GPU that TensorFlow sees, else the CPU; on a GPU memory is taken as needed, not all at once."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


# ---- where the last training ended


def _predecessor(champion: ModelVersion | None, family: Family, registry: Registry) -> ModelVersion | None:
    """The champion where it is of this family, else the newest version of the family: an imported champion, which
    learns nothing, does not keep challengers from learning on; None where the family was never trained."""
    if champion is not None and champion.family == family.name:
        return champion
    return next((one for one in registry.versions() if one.family == family.name and not one.imported), None)


def _start_from(predecessor: ModelVersion | None, model: keras.Model, registry: Registry) -> str | None:
    """Give the model a version's weights where the shapes are the same; that version then."""
    if predecessor is None:
        return None
    try:
        # Not MLflow's loader, which takes a path for an address where it holds a %.
        file = mlflow.artifacts.download_artifacts(f"{registry.model_address(predecessor.version)}/{_KERAS_FILE}")
        model.set_weights(keras.models.load_model(file, compile=False).get_weights())
    except Exception as error:  # whatever is wrong with the old model, a new one can be trained without it
        if is_unreachable(error):
            raise
        log.warning("no warm start from version %s: %s", predecessor.version, error)
        return None
    log.info("warm start from version %s", predecessor.version)
    return predecessor.version


# ---- what is logged


def _log_epoch(row: dict[str, float]) -> None:
    """One row of the training's history."""
    figures = {name: value for name, value in row.items() if name not in ("epoch", "step")}
    mlflow.log_metrics(figures, step=int(row["epoch"]))


def _log_dataset(dataset: Dataset, settings: Settings) -> None:
    videos = pd.DataFrame([asdict(video) for video in dataset.videos])
    described = from_pandas(videos, source=settings.storage, name="frames", digest=dataset.digest)
    mlflow.log_input(described, context="training")
    mlflow.log_text(videos.to_csv(index=False), "dataset/videos.csv")


def _log_model(model: keras.Model, family: Family, onnx: Path, dataset: Dataset) -> str:
    """The Keras autoencoder with signature, example and exact requirements (no pickles), and the ONNX encoder."""
    example = dataset.clean[:1]
    given = {name: np.asarray(value) for name, value in model(example, training=False).items()}
    logged = mlflow.tensorflow.log_model(
        model,
        name="autoencoder",
        signature=infer_signature(example, given),
        input_example=example,
        pip_requirements=[f"{package}=={installed(package)}" for package in ("tensorflow", "keras", "numpy")],
        extra_files=[onnx.resolve().as_uri()],  # a path would be read as an address, escapes and all
        metadata={"family": family.name, "encoder": versions.ENCODER_PATH},
    )
    return str(logged.model_id)


def _log_pictures(
    model: keras.Model,
    family: Family,
    dataset: Dataset,
    history: list[dict[str, float]],
    judgement: Judgement,
    storage: Storage,
) -> None:
    rng = np.random.default_rng(0)
    frames = rng.permutation(dataset.test if len(dataset.test) else dataset.train)[: figures.SHOWN]
    clean = dataset.clean[frames]
    seen = np.stack([view(dataset.pictures[f], family.height, rng) for f in frames]) if family.augments else clean
    reconstructed = np.asarray(model(seen, training=False)["reconstruction"])
    mlflow.log_figure(figures.loss_curves(history), "pictures/loss_curves.png")
    mlflow.log_figure(figures.reconstructions(clean, seen, reconstructed), "pictures/reconstructions.png")
    tracking.log_judgement(judgement, storage)


def _description(family: Family, dataset: Dataset, taught_by: str | None, judgement: Judgement) -> str:
    taught = f", taught by version {taught_by}" if taught_by else ""
    return (
        f"**{family.name}**, trained on {len(dataset.train):,} frames of {len(dataset.videos)} videos "
        f"(dataset {dataset.digest}){taught}.\n\n{judgement.described()}"
    )
