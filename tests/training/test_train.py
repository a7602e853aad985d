"""training.runs.train, families, fit and export: what a real training leaves in MLflow, and what was learned."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_frames import picture
from training_fixtures import Trained

from framesearch.images.pixels import resize
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.training_process import train
from framesearch.models.versions import MODEL
from training.fitting import augment

TRANSFORMS = 21


@pytest.fixture(scope="session")
def registry(trained: Trained) -> Registry:
    return Registry(trained.settings)


def test_the_run_is_named_tagged_and_finished(trained, registry):
    run = registry.client.get_run(trained.outcome.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name.startswith("contrastive 20")
    tags = run.data.tags
    assert tags["family"] == "contrastive" and tags["warm_start"] == "no" and tags["forced"] == "false"
    assert len(tags["dataset_digest"]) == 16 and tags["framesearch.version"]
    if (Path(__file__).parents[2] / ".git").exists():
        assert len(tags["mlflow.source.git.commit"]) == 40


def test_the_run_holds_parameters_epochs_and_the_judgement(trained, registry):
    run = registry.client.get_run(trained.outcome.run_id)
    assert run.data.params["seed"] == str(trained.settings.training_seed)
    assert int(run.data.params["planned_steps"]) >= run.data.metrics["steps"] > 0
    assert {"device", "batch", "learning_rate", "minutes", "tensorflow"} <= set(run.data.params)
    for name in ("train/loss", "test/loss", "learning_rate"):
        epochs = registry.client.get_metric_history(run.info.run_id, name)
        assert [point.step for point in epochs] == list(range(1, len(epochs) + 1)) and len(epochs) >= 2
    assert sum(name.startswith("r1/") for name in run.data.metrics) == TRANSFORMS


def test_the_dataset_is_an_input_of_the_run_with_its_digest(trained, registry):
    (given,) = registry.client.get_run(trained.outcome.run_id).inputs.dataset_inputs
    assert given.dataset.digest == registry.client.get_run(trained.outcome.run_id).data.tags["dataset_digest"]
    assert "video_id" in given.dataset.schema


def test_people_find_pictures_to_look_at(trained, registry):
    listed = {file.path: file.file_size for file in registry.client.list_artifacts(trained.outcome.run_id, "pictures")}
    names = ("loss_curves", "reconstructions", "recall_by_transform", "answers")
    assert set(listed) == {f"pictures/{name}.png" for name in names}
    assert min(listed.values()) > 5_000


def test_the_version_describes_itself_and_uses_no_stage(trained, registry):
    version = registry.client.get_model_version(MODEL, trained.outcome.model_version)
    assert trained.outcome.reason in version.description
    assert version.tags["verdict"] in ("better", "not_better")
    assert version.current_stage in (None, "None")


def test_the_logged_model_loads_without_our_code_and_holds_no_pickle(trained, registry, tmp_path):
    import mlflow

    address = registry.model_address(trained.outcome.model_version)
    (tmp_path / "model").mkdir()  # MLflow loads nothing from a folder whose path holds a %, as the home's does
    copied = mlflow.artifacts.download_artifacts(address, dst_path=str(tmp_path / "model"), tracking_uri=registry.uri)
    folder = Path(copied)
    files = {file.name for file in folder.rglob("*")}
    assert {"model.keras", "encoder.onnx", "input_example.json"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".cloudpickle"))]
    requirements = (folder / "requirements.txt").read_text().split()
    assert requirements and all("==" in requirement for requirement in requirements)

    code = (
        "import sys, mlflow, numpy as np; model = mlflow.pyfunc.load_model(sys.argv[1]); "
        "assert model.metadata.signature is not None; "
        "given = model.predict(np.load(sys.argv[2])); np.savez(sys.argv[3], **given); "
        "assert not any(name.startswith('training') for name in sys.modules)"
    )
    pictures = np.stack([resize(picture(0, time_s), 96, 96) for time_s in (1.0, 4.0)])
    np.save(tmp_path / "pictures.npy", pictures)
    subprocess.run(
        [sys.executable, "-c", code, folder, tmp_path / "pictures.npy", tmp_path / "given.npz"],
        cwd=tmp_path,
        check=True,
    )
    given = np.load(tmp_path / "given.npz")
    encoder = Encoder(registry.encoder_file(trained.outcome.model_version))
    assert np.abs(given["embedding"] - encoder.embed(list(pictures))).max() < 1e-4
    assert given["reconstruction"].shape == (2, 64, 64, 3)


def test_a_view_embeds_closer_to_its_own_frame_than_to_others(trained, registry):
    encoder = Encoder(registry.encoder_file(trained.outcome.model_version))
    frames = [picture(seed, time_s) for seed in range(4) for time_s in (1.0, 4.0, 7.0, 10.0)]
    rng = np.random.default_rng(3)
    views = [augment.view(resize(frame, 144, 256), 96, rng) for frame in frames]
    similarities = encoder.embed(views) @ encoder.embed(frames).T
    own = np.diag(similarities)
    others = (similarities.sum(axis=1) - own) / (len(frames) - 1)
    assert own.mean() > others.mean() + 0.2
    assert (similarities.argmax(axis=1) == np.arange(len(frames))).mean() >= 0.5


def test_a_challenger_is_judged_against_the_champion_on_the_same_queries(trained, registry):
    registry.promote(trained.outcome.model_version, "first")
    outcome = train(trained.settings, family="convolutional", minutes=0.05)  # hardly trained: it need not be good
    assert outcome.metrics["champion/r1"] == pytest.approx(trained.outcome.metrics["r1"], abs=1e-9)
    assert outcome.metrics["queries"] == trained.outcome.metrics["queries"]
    assert outcome.better is (outcome.metrics["difference_low"] > 0)
    assert f"with champion version {trained.outcome.model_version}" in outcome.reason
    version = registry.version(outcome.model_version)
    assert (version.family, version.judged_against) == ("convolutional", trained.outcome.model_version)
    assert Encoder(registry.encoder_file(outcome.model_version)).dimension == 1024
    assert registry.champion().version == trained.outcome.model_version  # promotion is another step
    assert (
        registry.client.get_run(outcome.run_id).data.tags["warm_start"] == "no"
    )  # another family: nothing to take over


def test_training_goes_on_from_a_champion_of_the_same_family(trained, registry):
    import mlflow

    from training.families.known import family_named
    from training.runs import train

    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_registry_uri(registry.uri)
    champion = registry.version(trained.outcome.model_version)
    family = family_named("contrastive")
    model = family.build()
    assert train._start_from(train._predecessor(champion, family, registry), model, registry) == champion.version
    pictures = np.stack([resize(picture(0, time_s), 96, 96) for time_s in (1.0, 4.0)])
    embedded = Encoder(registry.encoder_file(champion.version)).embed(list(pictures))
    assert np.abs(np.asarray(model(pictures, training=False)["embedding"]) - embedded).max() < 1e-4

    assert train._start_from(champion, family_named("convolutional").build(), registry) is None  # other shapes
    assert train._start_from(None, family.build(), registry) is None


def test_under_a_champion_of_another_family_training_goes_on_from_the_newest_of_its_own(trained, registry):
    from training.families.known import family_named
    from training.runs import train

    known = registry.version(trained.outcome.model_version)
    imported = replace(known, version="99", family="sscd", imported=True)
    newest = next(one for one in registry.versions() if one.family == "contrastive")
    assert train._predecessor(imported, family_named("contrastive"), registry) == newest
    assert train._predecessor(imported, family_named("resnet50"), registry) is None


def test_every_family_keeps_the_contract_and_ships_what_was_trained(tmp_path):
    from training.families.known import family_named
    from training.fitting.export import check_parity, export_encoder

    rng = np.random.default_rng(0)
    for name in ("contrastive", "convolutional"):
        family = family_named(name)
        model = family.build()
        pictures = rng.integers(0, 256, (8, family.height, family.width, 3), dtype=np.uint8)
        pictures[0] = 0  # a black picture has a direction, too
        given = model(pictures, training=False)
        assert given["reconstruction"].shape == (8, 64, 64, 3)
        assert np.allclose(np.linalg.norm(given["embedding"], axis=1), 1, atol=1e-4)
        export_encoder(model, tmp_path / f"{name}.onnx")
        parity = check_parity(model, tmp_path / f"{name}.onnx", pictures)
        assert parity.difference < 1e-5 and parity.cosine > 0.99999


def test_the_same_encoder_is_the_same_file_whatever_its_parts_were_called_and_in_which_order(tmp_path):
    import onnx

    from training.families.known import family_named
    from training.fitting.export import export_encoder, put_in_order

    export_encoder(family_named("convolutional").build(), tmp_path / "encoder.onnx")
    written = (tmp_path / "encoder.onnx").read_bytes()
    model = onnx.load_from_string(written)
    ends = {one.name for one in (*model.graph.input, *model.graph.output)}
    for node in model.graph.node:
        node.name = f"other {node.name}"
        for names in (node.input, node.output):
            names[:] = [name if name in ends else f"other {name}" for name in names]
    constants = [onnx.TensorProto.FromString(one.SerializeToString()) for one in reversed(model.graph.initializer)]
    model.graph.ClearField("initializer")
    for one in constants:
        one.name = f"other {one.name}"
        model.graph.initializer.append(one)
    assert model.SerializeToString() != written
    put_in_order(model.graph)
    assert model.SerializeToString() == written
    onnx.checker.check_model(model)


def test_an_encoder_that_is_not_the_trained_one_is_found_out(tmp_path):
    from training.families.known import family_named
    from training.fitting.export import ParityBroken, check_parity, export_encoder

    family = family_named("convolutional")
    export_encoder(family.build(), tmp_path / "other.onnx")
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    with pytest.raises(ParityBroken, match="not registered"):
        check_parity(family.build(), tmp_path / "other.onnx", pictures)


def test_a_family_that_does_not_exist_is_told_with_those_that_do():
    from training.families.known import family_named

    with pytest.raises(ValueError, match="contrastive, convolutional, vgg16"):
        family_named("transformer")
