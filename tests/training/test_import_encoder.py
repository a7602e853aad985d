"""An imported encoder sits the same exam as every challenger, and any version can sit it again."""

import json
from pathlib import Path

import numpy as np
import pytest
from descriptors import write_descriptor
from stored_frames import picture, store_video
from thumbnail_encoder import write_thumbnail_encoder
from training_fixtures import register_version, stored_home
from typer.testing import CliRunner

from framesearch.backends import open_catalogue, open_storage
from framesearch.cli.app import app
from framesearch.errors import ChallengerNotBetter, EncoderInvalid, NoModelVersion
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.versions import MODEL
from framesearch.settings import Settings, settings
from training.gate import encoder_exam
from training.onnx_import.interface import Reading
from training.runs import import_encoder
from training.runs.import_encoder import Origin

READING = Reading(preprocessing="unit")


@pytest.fixture
def footage(fresh_registry: Registry) -> Settings:
    """A home with some videos, and a registry without a version."""
    return stored_home(fresh_registry.home, videos=3, seconds=18)


@pytest.fixture
def descriptor(tmp_path: Path) -> Path:
    return write_descriptor(tmp_path / "Grid Of Colours.onnx")


def judged_again(footage: Settings, version: str) -> dict:
    plan = encoder_exam.plan_exam(open_catalogue(footage), open_storage(footage))
    return import_encoder.judge_version(footage, plan, version)


def test_an_import_is_a_run_and_a_version_that_say_where_it_is_from(footage, fresh_registry, descriptor):
    origin = Origin("grid", source="https://example.org/grid", licence="MIT", description="Means of colours.")
    outcome = import_encoder.import_encoder(footage, descriptor, origin, READING)
    known = fresh_registry.version(outcome["model_version"])
    assert known.imported and known.family == "grid" and known.run_id == outcome["run_id"]
    assert (known.source, known.licence, known.preprocessing) == ("https://example.org/grid", "MIT", "unit")
    run = fresh_registry.client.get_run(outcome["run_id"])
    assert run.info.status == "FINISHED" and run.info.run_name.startswith("import grid 20")
    assert run.data.params["dimension"] == "48" and run.data.params["batch_axis"] == "free"
    assert len(run.data.tags["original_sha256"]) == 64
    told = fresh_registry.client.get_model_version(MODEL, known.version).description
    assert "Means of colours." in told and "Licence: MIT" in told and outcome["reason"] in told
    pictures = {file.path for file in fresh_registry.client.list_artifacts(outcome["run_id"], "pictures")}
    assert pictures == {"pictures/recall_by_transform.png", "pictures/answers.png"}


def test_the_version_serves_like_any_other(footage, fresh_registry, descriptor):
    version = import_encoder.import_encoder(footage, descriptor, Origin("grid"), READING)["model_version"]
    encoder = Encoder(fresh_registry.encoder_file(version))
    assert encoder.digest == fresh_registry.version(version).encoder_sha256
    import mlflow

    mlflow.set_tracking_uri(fresh_registry.uri)
    source = fresh_registry.client.get_model_version(MODEL, version).source
    loaded = mlflow.pyfunc.load_model(source)
    from framesearch.images.pixels import resize

    shown = np.stack([resize(picture(0, time_s), encoder.height, encoder.width) for time_s in (1.0, 4.0)])
    (given,) = loaded.predict(shown).values()
    assert np.abs(given - encoder.embed(list(shown))).max() < 1e-5


def test_the_first_import_is_better_than_nothing_and_a_worse_one_is_not(footage, fresh_registry, descriptor, tmp_path):
    sharp = import_encoder.import_encoder(
        footage, write_thumbnail_encoder(tmp_path / "t.onnx"), Origin("sharp"), Reading()
    )
    assert sharp["better"] and "first version" in sharp["reason"]
    fresh_registry.promote(sharp["model_version"], sharp["reason"])
    blind = write_thumbnail_encoder(tmp_path / "b.onnx", cells=2)
    worse = import_encoder.import_encoder(footage, blind, Origin("blind"), Reading())
    assert not worse["better"] and "not better beyond noise" in worse["reason"]
    assert worse["metrics"]["champion/r1"] == pytest.approx(sharp["metrics"]["r1"])
    with pytest.raises(ChallengerNotBetter, match="not better beyond noise"):
        fresh_registry.promote(worse["model_version"], "please")


def test_without_frames_it_waits_to_be_judged(fresh_registry, descriptor):
    home = Settings(home=fresh_registry.home)
    outcome = import_encoder.import_encoder(home, descriptor, Origin("grid"), READING)
    assert not outcome["better"] and outcome["reason"].startswith("not judged yet: no usable probe frame")
    with pytest.raises(ChallengerNotBetter, match="not judged yet"):
        fresh_registry.promote(outcome["model_version"], "hope")
    store_video(open_catalogue(home), open_storage(home), "film", seed=1, seconds=18)
    later = judged_again(home, outcome["model_version"])
    known = fresh_registry.version(outcome["model_version"])
    assert later["better"] and known.verdict == "better" and known.reason == later["reason"]
    assert known.metrics["r1"] == later["metrics"]["r1"] and known.catalogue_frames == 36
    fresh_registry.promote(known.version, known.reason)


def test_a_version_that_was_judged_against_another_champion_is_judged_again(footage, fresh_registry, tmp_path):
    old = register_version(fresh_registry)
    fresh_registry.promote(old, "first", force=True)
    blind = write_thumbnail_encoder(tmp_path / "b.onnx", cells=2)
    blind_version = import_encoder.import_encoder(footage, blind, Origin("blind"), Reading())["model_version"]
    fresh_registry.promote(blind_version, "by hand", force=True)
    outcome = judged_again(footage, old)
    assert outcome["better"] and f"with champion version {blind_version}" in outcome["reason"]
    fresh_registry.promote(old, outcome["reason"])  # no force: the verdict is against the champion there is


def test_the_champion_is_measured_and_keeps_its_verdict(footage, fresh_registry):
    version = register_version(fresh_registry)
    fresh_registry.promote(version, "first")
    outcome = judged_again(footage, version)
    known = fresh_registry.version(version)
    assert "it is the champion" in outcome["reason"] and not outcome["better"]
    assert known.verdict == "better" and known.metrics["r1"] == outcome["metrics"]["r1"]


def test_what_can_not_be_imported_leaves_neither_run_nor_version(footage, fresh_registry, descriptor, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    for file, name, match in (
        (tmp_path / "bad.onnx", "bad", "no ONNX model"),
        (descriptor, "contrastive", "a family that is trained here"),
        (descriptor, "Über/../x", "can't be called"),
    ):
        with pytest.raises(EncoderInvalid, match=match):
            import_encoder.import_encoder(footage, file, Origin(name), READING)
    assert fresh_registry.versions() == []
    assert fresh_registry.client.get_experiment_by_name("frame-encoder") is None
    with pytest.raises(NoModelVersion, match="no version 9"):
        judged_again(footage, "9")


def test_people_import_list_judge_and_promote(footage, fresh_registry, descriptor, monkeypatch):
    monkeypatch.setenv("FRAMESEARCH_HOME", str(footage.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()

    def call(*arguments: object):
        return CliRunner().invoke(app, ["model", *map(str, arguments)])

    assert "no model yet" in call("list").stdout
    refused = call("import", descriptor, "--mean", "0.5")
    assert refused.exit_code == 1 and "three numbers are needed" in refused.stderr
    refused = call("import", descriptor, "--size", "64x64")
    assert refused.exit_code == 1 and "of 32x32, not 64x64" in refused.stderr

    told = call("import", descriptor, "--preprocessing", "unit", "--licence", "MIT", "--json")
    assert told.exit_code == 0, told.stderr
    outcome = json.loads(told.stdout)
    assert outcome["version"] == "1" and outcome["better"] is True
    told = call("promote", "v1")
    assert told.exit_code == 0 and "champion now" in told.stdout and "rebuild_index" in told.stdout
    assert "champion already" in call("promote", "1").stdout
    listed = call("list")
    assert "v1  grid-of-colours" in listed.stdout and "champion" in listed.stdout and "licence MIT" in listed.stdout
    (fact,) = [json.loads(line) for line in call("list", "--json").stdout.splitlines()]
    assert fact["champion"] and fact["imported"] and fact["licence"] == "MIT" and fact["metrics"]["r1"] > 0
    refused = call("promote", "7")
    assert refused.exit_code == 1 and "no version 7" in refused.stderr
    told = call("judge", "1")
    assert told.exit_code == 0 and "it is the champion" in told.stdout
    settings.cache_clear()
