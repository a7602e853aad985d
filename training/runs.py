"""One training as one MLflow run: dataset, fit, export, judgement, registration. Only here training uses mlflow."""

import contextlib
import logging
import os
import platform
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import tensorflow as tf
from mlflow.entities import RunStatus
from mlflow.models import infer_signature

from framesearch import registry as registered
from framesearch.encoder import Encoder
from framesearch.errors import EncoderInvalid, NoChampion
from framesearch.registry import ModelVersion, Registry
from framesearch.settings import CHECKOUT, Settings
from framesearch.storage import open_storage
from training import dataset as datasets
from training import judge, pictures
from training.augment import view
from training.dataset import Dataset
from training.export import check_parity, export_encoder
from training.families import Family, family_named
from training.fit import fit

log = logging.getLogger(__name__)

WARM_PEAK = 0.5  # of the learning rate: what the champion knows is worth keeping
SANE_R1 = 0.25  # of unmodified frames: a first version below that has learned nothing
PARITY_FRAMES = 64
HOST, PROCESS = "framesearch.host", "framesearch.process"  # tags: who trains, to tell a dead run from a living one


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger should be champion, and why, as a sentence with figures."""

    better: bool
    reason: str


def train(
    settings: Settings,
    surveyed: datasets.Survey,
    plan: judge.Plan,
    *,
    family_name: str,
    minutes: float,
    forced: bool = False,
) -> dict[str, Any]:
    """Train, judge and register one model version; what `framesearch.trainer.TrainingOutcome` holds.

    Raises:
        RegistryUnreachable: MLflow does not answer.
    """
    started = time.monotonic()
    storage = open_storage(settings)
    registry = Registry(settings)
    mlflow.set_tracking_uri(settings.mlflow)
    mlflow.set_registry_uri(settings.mlflow)
    experiment_id = registry.experiment_id()
    _end_orphans(registry, experiment_id)
    champion = _champion(registry)
    family = family_named(family_name)
    dataset = datasets.load(
        surveyed, storage, side=family.height, max_frames=settings.training_max_frames, seed=settings.training_seed
    )
    device = _device()
    keras.config.disable_interactive_logging()  # mlflow calls predict(): no progress bars in a log
    keras.utils.set_random_seed(settings.training_seed)
    tags = {
        registered.FAMILY: family.name,
        "framesearch.version": installed("framesearch"),
        "dataset_digest": dataset.digest,
        "forced": str(forced).lower(),
        HOST: socket.gethostname(),
        PROCESS: str(os.getpid()),
        **_git_commit(),
    }
    name = f"{family.name} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    with (
        _run(experiment_id, name, tags) as run_id,
        tempfile.TemporaryDirectory(dir=_made(settings.scratch)) as folder,
    ):
        log.info("MLflow run %s: %s, on %s", run_id, registry.run_url(experiment_id, run_id) or name, device)
        model = family.build()
        warm = _start_from(champion, family, model)
        mlflow.set_tag("warm_start", warm or "no")
        _log_dataset(dataset, settings)
        mlflow.log_params(
            {
                "family": family.name,
                "minutes": minutes,
                "seed": settings.training_seed,
                "warm_start": warm or "no",
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
        fitted = fit(
            model,
            family,
            dataset,
            minutes=minutes,
            seed=settings.training_seed,
            peak=WARM_PEAK if warm else 1.0,
            on_epoch=lambda row: mlflow.log_metrics(
                {name: value for name, value in row.items() if name not in ("epoch", "step")}, step=int(row["epoch"])
            ),
        )
        mlflow.log_params(
            {"batch": fitted.batch, "wanted_steps": fitted.wanted_steps, "planned_steps": fitted.planned_steps}
        )
        onnx = Path(folder) / "encoder.onnx"
        export_encoder(model, onnx)
        parity = check_parity(
            model, onnx, dataset.clean[:: max(1, len(dataset.clean) // PARITY_FRAMES)][:PARITY_FRAMES]
        )
        challenger = Encoder(onnx)
        rival = _rival(registry, champion)
        exam = judge.examine(plan, storage, [challenger, rival] if rival else [challenger])
        marks = judge.mark(exam, 0)
        rival_marks = judge.mark(exam, 1) if rival else None
        verdict, figures = _verdict(exam, marks, champion, rival_marks, settings.promotion_confidence)
        metrics = {
            **marks.metrics,
            **figures,
            "queries": float(marks.right.size),
            "probe_frames": float(len(exam.probes)),
            "gallery_frames": float(len(exam.video)),
            "steps": float(fitted.steps),
            "step_seconds": fitted.step_s,
            "fit_seconds": fitted.seconds,
            "parity_difference": parity.difference,
            "parity_cosine": parity.cosine,
        }
        metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
        model_id = _log_model(model, family, onnx, dataset)
        mlflow.log_metrics(metrics, model_id=model_id)
        _log_pictures(model, family, dataset, fitted.history, exam, marks, rival_marks, champion, storage)
        mlflow.set_tags({registered.VERDICT: _word(verdict), registered.REASON: verdict.reason})
        version = registry.register(
            run_id=run_id,
            model_id=model_id,
            description=_description(family, dataset, marks, verdict),
            tags={
                registered.FAMILY: family.name,
                registered.VERDICT: _word(verdict),
                registered.REASON: verdict.reason,
                registered.JUDGED_AGAINST: champion.version if champion else registered.NO_CHAMPION,
                registered.CATALOGUE_FRAMES: dataset.catalogue_frames,
                registered.ENCODER_SHA256: challenger.digest,
                "dataset_digest": dataset.digest,
                "dimension": challenger.dimension,
                "warm_start": warm or "no",
                "r1": f"{marks.metrics['r1']:.4f}",
            },
        )
        mlflow.set_tag("model_version", version)
    log.info(
        "trained version %s in %.1f s: %s: %s",
        *(version, time.monotonic() - started, _word(verdict).replace("_", " "), verdict.reason),
    )
    return {
        "model_version": version,
        "run_id": run_id,
        "run_url": registry.run_url(experiment_id, run_id),
        "better": verdict.better,
        "reason": verdict.reason,
        "metrics": metrics,
    }


# ---- the run


@contextlib.contextmanager
def _run(experiment_id: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """A run that never stays RUNNING: FINISHED, FAILED, or KILLED where the training was told to stop."""
    run = mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=dict(tags))
    status = RunStatus.FAILED
    try:
        yield run.info.run_id
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


def _end_orphans(registry: Registry, experiment_id: str) -> None:
    """Mark as killed the runs whose process on this machine died without a chance to say so."""
    for run in registry.client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        if run.data.tags.get(HOST) == socket.gethostname() and not _lives(run.data.tags.get(PROCESS, "")):
            log.warning("MLflow run %s: its training died; marked as killed", run.info.run_id)
            registry.client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.KILLED))


def _lives(process: str) -> bool:
    if not process.isdigit():
        return True  # not ours to judge
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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


def _device() -> str:
    """The GPU that TensorFlow sees, else the CPU; on a GPU memory is taken as needed, not all at once."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return f"CPU, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---- the champion


def _champion(registry: Registry) -> ModelVersion | None:
    try:
        return registry.champion()
    except NoChampion:
        return None


def _rival(registry: Registry, champion: ModelVersion | None) -> Encoder | None:
    """The champion's encoder, as the index uses it."""
    if champion is None:
        return None
    try:
        return Encoder(registry.encoder_file(champion.version))
    except EncoderInvalid as error:
        log.warning("champion version %s can't be judged, any sane challenger beats it: %s", champion.version, error)
        return None


def _start_from(champion: ModelVersion | None, family: Family, model: keras.Model) -> str | None:
    """Give the model the champion's weights where it is of the same family and shapes; the champion's version then."""
    if champion is None or champion.family != family.name:
        return None
    try:
        weights = mlflow.tensorflow.load_model(f"models:/{registered.MODEL}/{champion.version}").get_weights()
        model.set_weights(weights)
    except Exception as error:  # whatever is wrong with the old model, a new one can be trained without it
        if registered.is_unreachable(error):
            raise
        log.warning("no warm start from version %s: %s", champion.version, error)
        return None
    log.info("warm start from version %s", champion.version)
    return champion.version


# ---- what is logged


def _log_dataset(dataset: Dataset, settings: Settings) -> None:
    videos = pd.DataFrame([asdict(video) for video in dataset.videos])
    described = mlflow.data.from_pandas(videos, source=settings.storage, name="frames", digest=dataset.digest)
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
        extra_files=[str(onnx)],
        metadata={"family": family.name, "encoder": registered.ENCODER_PATH},
    )
    return str(logged.model_id)


def _log_pictures(
    model: keras.Model,
    family: Family,
    dataset: Dataset,
    history: list[dict[str, float]],
    exam: judge.Exam,
    marks: judge.Marks,
    rival_marks: judge.Marks | None,
    champion: ModelVersion | None,
    storage: Any,
) -> None:
    rng = np.random.default_rng(0)
    frames = rng.permutation(dataset.test if len(dataset.test) else dataset.train)[: pictures.SHOWN]
    clean = dataset.clean[frames]
    seen = np.stack([view(dataset.pictures[f], family.height, rng) for f in frames]) if family.augments else clean
    reconstructed = np.asarray(model(seen, training=False)["reconstruction"])
    called = f"champion, version {champion.version}" if champion else ""
    mlflow.log_figure(pictures.loss_curves(history), "pictures/loss_curves.png")
    mlflow.log_figure(pictures.reconstructions(clean, seen, reconstructed), "pictures/reconstructions.png")
    mlflow.log_figure(pictures.recall_by_transform(marks, rival_marks, called), "pictures/recall_by_transform.png")
    mlflow.log_figure(pictures.answer_sheet(exam, marks, storage), "pictures/answers.png")


# ---- the verdict


def _verdict(
    exam: judge.Exam,
    marks: judge.Marks,
    champion: ModelVersion | None,
    rival_marks: judge.Marks | None,
    confidence: float,
) -> tuple[Verdict, dict[str, float]]:
    """Better than the champion on the same queries, by a margin beyond noise; a first version need only be sane."""
    r1, asked = marks.metrics["r1"], f"{marks.right.size:,} queries of {len(exam.probes)} probe frames"
    if marks.metrics["r1/none"] < SANE_R1:
        reason = (
            f"it finds only {marks.metrics['r1/none']:.0%} of unmodified frames ({asked}): nothing was learned; "
            "train longer, or ingest more footage"
        )
        return Verdict(False, reason), {}
    if champion is None or rival_marks is None:
        instead = f"; champion version {champion.version} can't be loaded" if champion else ""
        reason = f"R1 {r1:.3f} on {asked}, {marks.metrics['r1/none']:.0%} of unmodified frames; first version{instead}"
        return Verdict(True, reason), {}
    compared = judge.compare(marks, rival_marks, confidence)
    better = compared.low > 0
    reason = (
        f"R1 {r1:.3f} vs {rival_marks.metrics['r1']:.3f} of champion version {champion.version} on {asked}, "
        f"difference {compared.difference:+.3f} [{compared.low:+.3f}, {compared.high:+.3f}], "
        f"{'' if better else 'not '}better beyond noise at {confidence:.0%} confidence"
    )
    figures = {f"champion/{name}": value for name, value in rival_marks.metrics.items()}
    figures |= {"difference": compared.difference, "difference_low": compared.low, "difference_high": compared.high}
    return Verdict(better, reason), figures


def _word(verdict: Verdict) -> str:
    return registered.BETTER if verdict.better else registered.NOT_BETTER


def _description(family: Family, dataset: Dataset, marks: judge.Marks, verdict: Verdict) -> str:
    found = marks.metrics
    return (
        f"**{family.name}**, trained on {len(dataset.train):,} frames of {len(dataset.videos)} videos "
        f"(dataset {dataset.digest}).\n\n{_word(verdict).replace('_', ' ').capitalize()}: {verdict.reason}.\n\n"
        f"R1 {found['r1']:.3f} (strict {found['r1_strict']:.3f}), R5 {found['r5']:.3f}, right video "
        f"{found['video1']:.3f}, micro AP {found['micro_ap']:.3f}, unmodified frames {found['r1/none']:.3f}."
    )
