"""A training as a process of its own, from stored frames to a registered version."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from stored_frames import store_video
from training_fixtures import register_version, stored_home

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import InvalidSetting, NotEnoughFrames, RegistryUnreachable, TrainingFailed
from framesearch.jobs.retrain import growth_since
from framesearch.models import training_process
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.settings import Settings


def test_a_training_ends_in_a_registered_version_with_its_figures(trained):
    outcome = trained.outcome
    version = Registry(trained.settings).version(outcome.model_version)
    assert (version.run_id, version.family, version.judged_against) == (outcome.run_id, "contrastive", None)
    assert version.catalogue_frames == 96
    assert version.reason == outcome.reason
    assert outcome.better is (version.verdict == "better")
    assert outcome.metrics["r1/none"] >= 0.9
    assert outcome.metrics["parity_difference"] < 1e-4
    assert "of 336 and" in outcome.reason and "first version" in outcome.reason


def test_the_encoder_of_the_version_keeps_the_contract(trained):
    registry = Registry(trained.settings)
    encoder = Encoder(registry.encoder_file(trained.outcome.model_version))
    assert (encoder.height, encoder.width, encoder.dimension) == (96, 96, 256)
    assert encoder.digest == registry.version(trained.outcome.model_version).encoder_sha256


def test_the_training_is_heard_line_by_line_without_noise(trained):
    told = "\n".join(trained.lines)
    assert "MLflow run" in told and "epoch 1" in told and "trained version" in told
    assert "absl::InitializeLog" not in told and "oneDNN" not in told and "Warning" not in told


def test_too_few_frames_are_said_so_and_leave_no_run(fresh_registry, fresh_settings):
    with pytest.raises(NotEnoughFrames, match="training needs at least"):
        training_process.train(fresh_settings)
    assert fresh_registry.client.search_registered_models() == []
    assert fresh_registry.client.get_experiment_by_name("frame-encoder") is None


def test_a_server_that_is_down_is_said_so_before_anything_is_trained(tmp_path, unused_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    settings = stored_home(tmp_path)
    address = f"http://127.0.0.1:{unused_port}"
    lines: list[str] = []
    with pytest.raises(RegistryUnreachable, match=f"{address} did not answer"):
        training_process.train(Settings(home=settings.home, mlflow_tracking_uri=address), on_line=lines.append)
    assert not [line for line in lines if "dataset" in line or "epoch" in line]


def test_what_went_wrong_is_said_with_the_last_words(tmp_path):
    with pytest.raises(InvalidSetting, match="only a local folder"):
        training_process.train(Settings(home=tmp_path, storage_uri="gs://bucket"))
    with pytest.raises(TrainingFailed, match=r"status 2\n(.*\n)*.*invalid float value"):
        training_process.train(Settings(home=tmp_path), minutes="many")  # type: ignore[arg-type]


def test_a_killed_parent_leaves_no_training_and_no_running_run(fresh_registry, tmp_path):
    settings = stored_home(fresh_registry.home)
    script = (
        "import sys; from pathlib import Path; from framesearch.settings import Settings; "
        "from framesearch.models.training_process import train; "
        "train(Settings(home=Path(sys.argv[1])), minutes=30, on_line=lambda line: print(line, flush=True))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, settings.home], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    for line in parent.stdout:
        if "epoch 1" in line:
            break
    (run,) = fresh_registry.client.search_runs([fresh_registry.experiment_id()])
    assert run.info.status == "RUNNING"
    parent.send_signal(signal.SIGKILL)  # no chance to say anything to anybody
    parent.wait()
    while fresh_registry.client.get_run(run.info.run_id).info.status == "RUNNING":
        time.sleep(0.2)
    assert fresh_registry.client.get_run(run.info.run_id).info.status == "KILLED"
    assert fresh_registry.versions() == []
    with open_storage(settings).scratch() as folder:  # whoever comes next sweeps what the two left
        assert [entry for entry in settings.scratch.iterdir() if entry.is_dir()] == [folder]


def test_growth_is_of_index_frames_since_a_version_was_trained(fresh_registry):
    settings = stored_home(fresh_registry.home)
    catalogue = open_catalogue(settings)
    version = fresh_registry.version(register_version(fresh_registry, frames=96))
    assert growth_since(version, catalogue) == 0.0
    store_video(catalogue, open_storage(settings), "newcomer", seed=9, seconds=12)
    assert growth_since(version, catalogue) == 0.25
    assert growth_since(replace(version, catalogue_frames=0), catalogue) == float("inf")


def test_the_child_gets_exactly_these_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMESEARCH_JPEG_QUALITY", "40")
    given = Settings(home=tmp_path, playlists=("a", "b"), require_approval=True, jpeg_quality=85)
    environment = training_process._environment(given)
    code = "from framesearch.settings import load_settings; print(load_settings().model_dump_json())"
    read = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert Settings.model_validate_json(read.stdout) == given
