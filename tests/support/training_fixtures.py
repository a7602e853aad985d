"""A catalogue to train on, one real training that many tests look at, and model versions that needed no training."""

import hashlib
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
from stored_frames import store_video

from framesearch.backends import open_catalogue, open_storage
from framesearch.models import versions
from framesearch.models.registry import Registry
from framesearch.models.training_process import TrainingOutcome, train
from framesearch.settings import Settings

# What addresses of databases and artifacts must survive in a path: escapes, separators, quotes, other alphabets.
ODD_NAME = "a home %41 #1?x@y&z 'é🙂 שלום"


def stored_home(home: Path, *, videos: int = 4, seconds: float = 12.0) -> Settings:
    """Settings of a home whose catalogue holds some videos, 2 index frames a second and a probe frame every three."""
    settings = Settings(home=home)
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    for number in range(videos):
        store_video(catalogue, storage, f"film-{number}", seed=number, seconds=seconds)
    return settings


@dataclass(frozen=True)
class Trained:
    """A home in which one contrastive encoder was trained by the real trainer, and what it said meanwhile."""

    settings: Settings
    outcome: TrainingOutcome
    lines: list[str]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Trained:
    settings = stored_home(tmp_path_factory.mktemp(ODD_NAME))
    (settings.home / "mlflow").mkdir()
    shutil.copy(empty_database, settings.home / "mlflow")
    lines: list[str] = []
    # More minutes than the steps that so few frames are worth: what was learned does not depend on the machine.
    outcome = train(settings, family="contrastive", minutes=5, on_line=lines.append)
    return Trained(settings, outcome, lines)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run in it: making one takes seconds, copying it does not."""
    settings = Settings(home=tmp_path_factory.mktemp("empty"))
    Registry(settings).check()
    return settings.home / "mlflow" / "mlflow.db"


@pytest.fixture
def fresh_registry(fresh_settings: Settings, empty_database: Path) -> Registry:
    """A registry directly on a database of the test's own."""
    folder = fresh_settings.home / "mlflow"
    folder.mkdir(parents=True)
    shutil.copy(empty_database, folder)
    return Registry(fresh_settings)


@pytest.fixture
def unused_port() -> int:
    return free_port()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def register_version(
    registry: Registry,
    *,
    verdict: str = versions.BETTER,
    judged_against: str | None = None,
    frames: int = 100,
    family: str = "thumbnail",
) -> str:
    """Register a model version with a real (thumbnail) encoder, as a training would; its number."""
    from thumbnail_encoder import write_thumbnail_encoder  # onnx takes a second, and conftest imports this module

    client = registry.client
    experiment_id = registry.experiment_id()
    run = client.create_run(experiment_id, run_name="by hand")
    client.log_metric(run.info.run_id, "r1", 0.5)
    client.set_terminated(run.info.run_id)
    model = client.create_logged_model(experiment_id, name="autoencoder", source_run_id=run.info.run_id)
    onnx = write_thumbnail_encoder(registry.home / "encoder.onnx")
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    folder = registry.home / "to_log" / "extra_files"
    folder.mkdir(parents=True, exist_ok=True)
    onnx.replace(folder / "encoder.onnx")
    client.log_model_artifacts(model.model_id, str(folder.parent))
    client.finalize_logged_model(model.model_id, "READY")
    return registry.register(
        run_id=run.info.run_id,
        model_id=model.model_id,
        description="Made by hand.",
        tags={
            versions.FAMILY: family,
            versions.VERDICT: verdict,
            versions.REASON: "R1 .500",
            versions.JUDGED_AGAINST: judged_against or versions.NO_CHAMPION,
            versions.CATALOGUE_FRAMES: frames,
            versions.ENCODER_SHA256: digest,
        },
    )
