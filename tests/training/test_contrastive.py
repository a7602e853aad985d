"""training.families.contrastive: several views of a frame, each of which must embed like that frame."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_fixtures import stored_home

from framesearch.backends import open_catalogue, open_storage
from training.families.contrastive_loss import contrast_of
from training.families.known import family_named
from training.fitting import dataset, fit

FAMILY = family_named("contrastive")
FRAMES = 12


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> dataset.Dataset:
    settings = stored_home(tmp_path_factory.mktemp("frames"), videos=3)
    storage = open_storage(settings)
    surveyed = dataset.survey(open_catalogue(settings), storage)
    return dataset.load(surveyed, storage, side=FAMILY.height, max_frames=6000, seed=1)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The mean correlation of pictures, row by row."""
    flat = [rows.reshape(len(rows), -1).astype(np.float64) for rows in (one, other)]
    flat = [(rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True) for rows in flat]
    return float((flat[0] * flat[1]).mean())


def test_a_batch_holds_two_different_views_of_each_frame_in_the_order_of_the_frames(frames):
    chosen = frames.train[:: len(frames.train) // FRAMES][:FRAMES]
    views, clean, _ = fit._batch(FAMILY, frames, chosen, np.random.default_rng(1), None)
    assert len(views) == 2 * len(clean) == 2 * FRAMES
    first, second = np.split(views, 2)
    assert not (first == second).all(axis=(1, 2, 3)).any()
    for some in (first, second):
        assert likeness(some, clean) > likeness(some, np.roll(clean, 1, axis=0)) + 0.1


def test_each_view_is_held_against_its_own_frame(frames):
    keras.utils.set_random_seed(1)
    model = FAMILY.build()
    clean = tf.constant(frames.clean[frames.train[:: len(frames.train) // FRAMES][:FRAMES]])

    def contrast(second: tf.Tensor) -> float:
        return float(FAMILY.losses(model, tf.concat([clean, second], axis=0), clean, None, True)["contrast"])

    assert contrast(tf.roll(clean, 1, axis=0)) > contrast(clean) + 0.5


def test_views_count_alike_and_those_of_a_frame_are_never_held_against_each_other():
    cosines = tf.constant(np.random.default_rng(1).uniform(-1, 1, (2, 8, 8)), tf.float32)
    apart = [float(contrast_of(cosines[number : number + 1])) for number in (0, 1)]
    assert float(contrast_of(cosines)) == pytest.approx(np.mean(apart), rel=1e-5)
