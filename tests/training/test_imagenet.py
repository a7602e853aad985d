"""Networks of keras.applications as families, with the contract and the weights' trouble."""

import os
import subprocess
import sys

import numpy as np
import pytest
from training_fixtures import free_port

from framesearch.errors import WeightsUnavailable
from framesearch.settings import ENCODER_FAMILIES
from training.families import imagenet
from training.families.known import families, family_named

NAMES = list(imagenet.NETWORKS)


def test_the_settings_name_exactly_the_families_there_are():
    assert set(families()) == set(ENCODER_FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_a_frozen_network_gives_unit_vectors_and_pictures_and_only_its_decoder_learns(name):
    model = imagenet.build(name, tuned=False, weights=None)
    family = family_named(name)
    pictures = np.random.default_rng(0).integers(0, 256, (2, family.height, family.width, 3), dtype=np.uint8)
    pictures[0] = 0
    given = model(pictures, training=False)
    assert np.allclose(np.linalg.norm(given["embedding"], axis=1), 1, atol=1e-4)
    assert given["reconstruction"].shape == (2, 64, 64, 3)
    assert not model.get_layer("encoder").trainable_variables
    assert len(model.trainable_variables) == len(model.get_layer("decoder").trainable_variables) > 0


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet50"])
def test_a_tuned_network_keeps_its_stem_and_its_normalisation(name):
    import keras

    model = imagenet.build(name, tuned=True, weights=None)
    encoder = model.get_layer("encoder")
    (backbone,) = [layer for layer in encoder.layers if isinstance(layer, keras.Model)]
    first, last = backbone.layers[2], backbone.get_layer(index=-2)
    assert not first.trainable_variables
    assert encoder.trainable_variables and last is not None
    normalising = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert normalising and not any(layer.trainable for layer in normalising)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    given = model(pictures, training=False)["embedding"]
    assert given.shape == (2, 256) and np.allclose(np.linalg.norm(given, axis=1), 1, atol=1e-4)


def test_it_ships_as_onnx_and_loads_without_our_code(tmp_path):
    from training.fitting.export import check_parity, export_encoder

    model = imagenet.build("mobilenet_v3_small", tuned=True, weights=None)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    export_encoder(model, tmp_path / "encoder.onnx")
    assert check_parity(model, tmp_path / "encoder.onnx", pictures).difference < 1e-5
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pictures.npy", pictures)
    code = (
        "import sys, keras, numpy as np; model = keras.models.load_model(sys.argv[1]); "
        "np.save(sys.argv[3], model(np.load(sys.argv[2]), training=False)['embedding']); "
        "assert not any(name.startswith('training') for name in sys.modules)"
    )
    files = [tmp_path / "model.keras", tmp_path / "pictures.npy", tmp_path / "given.npy"]
    subprocess.run([sys.executable, "-c", code, *files], cwd=tmp_path, check=True)
    assert np.abs(np.load(files[2]) - model(pictures, training=False)["embedding"]).max() < 1e-5


def test_a_tuned_network_learns_by_the_contrastive_loss():
    import tensorflow as tf

    family = family_named("mobilenet_v3_small_tuned")
    model = imagenet.build("mobilenet_v3_small", tuned=True, weights=None)
    pictures = np.random.default_rng(0).integers(0, 256, (6, 128, 128, 3), dtype=np.uint8)
    with tf.GradientTape() as tape:
        losses = family.losses(model, tf.constant(pictures), tf.constant(pictures), None, True)
    assert set(losses) == {"loss", "contrast", "reconstruction_error"}
    gradients = tape.gradient(losses["loss"], model.trainable_variables)
    assert all(gradient is not None for gradient in gradients)


def test_weights_that_can_not_be_fetched_are_told_with_the_next_step(tmp_path):
    """A real attempt, in a process whose only way to the internet is a closed port."""
    closed = f"http://127.0.0.1:{free_port()}"
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "https_proxy": closed, "http_proxy": closed}
    environment = {name: value for name, value in environment.items() if name.lower() != "no_proxy"}
    code = (
        "from framesearch.errors import WeightsUnavailable\n"
        "from training.families.known import family_named\n"
        "for name in ('resnet50', 'mobilenet_v3_small_tuned'):\n"
        "    try: family_named(name).build()\n"
        "    except WeightsUnavailable as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    first, second = [line for line in told.stdout.splitlines() if "weights of" in line]
    assert first.startswith("the ImageNet weights of resnet50 can't be had") and "resnet50_weights" in first
    assert str(tmp_path / "models") in first and "family contrastive, which needs none" in first
    assert "weights of mobilenet_v3_small can't be had" in second


def test_a_damaged_file_of_weights_is_told_the_same_way(tmp_path):
    (tmp_path / "vgg16.weights.h5").write_bytes(b"half a download")
    with pytest.raises(WeightsUnavailable, match="weights of mobilenet_v2 can't be had"):
        imagenet.build("mobilenet_v2", tuned=False, weights=str(tmp_path / "vgg16.weights.h5"))
