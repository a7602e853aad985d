"""The registry: versions, the champion, and the encoder's file. Real MLflow on a database of the test's own."""

import subprocess
import sys

import pytest
from training_fixtures import register_version

from framesearch.errors import (
    ChallengerNotBetter,
    ChampionMoved,
    EncoderInvalid,
    NoChampion,
    NoModelVersion,
    RegistryUnreachable,
)
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.versions import MODEL, NOT_BETTER
from framesearch.settings import Settings


def test_before_the_first_training_there_is_no_champion_and_no_database_is_made(fresh_settings):
    registry = Registry(fresh_settings)
    with pytest.raises(NoChampion, match="retrain_encoder"):
        registry.champion()
    assert registry.versions() == []
    assert not (fresh_settings.home / "mlflow").exists()


def test_a_registered_version_is_no_champion_before_it_is_promoted(fresh_registry):
    version = register_version(fresh_registry)
    with pytest.raises(NoChampion):
        fresh_registry.champion()
    known = fresh_registry.version(version)
    assert (known.version, known.family, known.verdict, known.champion) == ("1", "thumbnail", "better", False)
    assert known.metrics["r1"] == 0.5
    assert known.run_url is None  # no server, no page


def test_promoting_moves_the_alias_and_writes_the_reason_on_the_version(fresh_registry):
    version = register_version(fresh_registry)
    fresh_registry.promote(version, "because it finds more")
    champion = fresh_registry.champion()
    assert champion.version == version and champion.champion
    told = fresh_registry.client.get_model_version(MODEL, version)
    assert "because it finds more" in told.description and told.tags["promoted_because"] == "because it finds more"
    assert told.current_stage in (None, "None")  # stages are deprecated: the alias says it


def test_promoting_twice_is_safe(fresh_registry):
    version = register_version(fresh_registry)
    fresh_registry.promote(version, "once")
    fresh_registry.promote(version, "twice")
    assert fresh_registry.client.get_model_version(MODEL, version).tags["promoted_because"] == "once"


def test_a_challenger_that_is_not_better_stays_one_unless_forced(fresh_registry):
    first = register_version(fresh_registry)
    fresh_registry.promote(first, "first")
    worse = register_version(fresh_registry, verdict=NOT_BETTER, judged_against=first)
    with pytest.raises(ChallengerNotBetter, match=f"version {worse} stays a challenger"):
        fresh_registry.promote(worse, "why not")
    assert fresh_registry.champion().version == first
    fresh_registry.promote(worse, "an operator wants it", force=True)
    assert fresh_registry.champion().version == worse


def test_a_verdict_is_void_when_the_champion_has_moved(fresh_registry):
    first = register_version(fresh_registry)
    fresh_registry.promote(first, "first")
    second = register_version(fresh_registry, judged_against=first)
    third = register_version(fresh_registry, judged_against=first)
    fresh_registry.promote(second, "better than the first")
    with pytest.raises(ChampionMoved, match=f"judged against version {first}, but version {second} is champion now"):
        fresh_registry.promote(third, "better than the first, too")
    assert fresh_registry.champion().version == second


def test_versions_come_newest_first_and_tell_which_is_champion(fresh_registry):
    versions = [register_version(fresh_registry) for _ in range(3)]
    fresh_registry.promote(versions[1], "the middle one")
    listed = fresh_registry.versions()
    assert [one.version for one in listed] == versions[::-1]
    assert [one.champion for one in listed] == [False, True, False]


def test_the_encoder_is_fetched_once_whole_and_works(fresh_registry):
    version = register_version(fresh_registry)
    file = fresh_registry.encoder_file(version)
    encoder = Encoder(file)
    assert encoder.digest == fresh_registry.version(version).encoder_sha256
    written = file.stat().st_mtime_ns
    assert fresh_registry.encoder_file(version) == file and file.stat().st_mtime_ns == written
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_an_encoder_that_is_lost_or_not_the_one_registered_is_not_used(fresh_registry, fresh_settings):
    version = register_version(fresh_registry)
    (stored,) = (fresh_settings.home / "mlflow" / "artifacts").rglob("encoder.onnx")
    stored.write_bytes(b"something else")
    with pytest.raises(EncoderInvalid, match=f"version {version} is not the one registered"):
        fresh_registry.encoder_file(version)
    stored.unlink()
    with pytest.raises(EncoderInvalid, match=f"no encoder for {MODEL} version {version}"):
        fresh_registry.encoder_file(version)


def test_a_version_that_does_not_exist_is_named(fresh_registry):
    with pytest.raises(NoModelVersion, match="no version 7"):
        fresh_registry.version("7")
    register_version(fresh_registry)
    with pytest.raises(NoModelVersion, match="no version 7"):
        fresh_registry.promote("7", "typo")


def test_a_server_that_is_down_is_named(fresh_settings, unused_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    address = f"http://127.0.0.1:{unused_port}"
    registry = Registry(Settings(home=fresh_settings.home, mlflow_tracking_uri=address))
    for ask in (registry.champion, registry.versions, registry.check, registry.experiment_id):
        with pytest.raises(RegistryUnreachable, match=rf"{address} did not answer .*refused"):
            ask()


def test_a_database_that_cannot_be_used_is_named(fresh_settings):
    database = fresh_settings.home / "mlflow" / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"this is no database" * 100)
    with pytest.raises(RegistryUnreachable, match=r"mlflow\.db did not answer"):
        Registry(fresh_settings).champion()


def test_a_run_links_to_its_page_and_never_shows_a_password(fresh_settings):
    registry = Registry(
        Settings(home=fresh_settings.home, mlflow_tracking_uri="http://me:secret@flow.example:5000/ml/")
    )
    assert (
        registry.run_url("3", "abc")
        == "http://flow.example:5000/ml/#/experiments/3/runs/abc?workflowType=machine_learning"
    )


def test_the_experiment_opens_on_trainings_says_what_it_is_and_is_the_only_one(fresh_registry):
    experiment = fresh_registry.client.get_experiment(fresh_registry.experiment_id())
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert f"#/models/{MODEL}?" in experiment.tags["mlflow.note.content"]
    assert [found.name for found in fresh_registry.client.search_experiments()] == ["frame-encoder"]


def test_what_people_wrote_and_logged_in_mlflow_stays(fresh_registry):
    client = fresh_registry.client
    client.create_run("0", run_name="somebody's own")
    experiment_id = fresh_registry.experiment_id()
    client.set_experiment_tag(experiment_id, "mlflow.note.content", "our notes")
    assert fresh_registry.experiment_id() == experiment_id
    assert client.get_experiment(experiment_id).tags["mlflow.note.content"] == "our notes"
    assert {found.name for found in client.search_experiments()} == {"Default", "frame-encoder"}


def test_importing_the_registry_does_not_import_mlflow():
    told = (
        "import sys, framesearch.models.registry, framesearch.models.training_process; print('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout.strip() == "False"
