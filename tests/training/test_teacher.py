"""training.fitting.teacher: what a registered encoder says of the frames, and how it is learned from."""

import numpy as np
import pytest
import tensorflow as tf
from training_fixtures import register_version, stored_home

from framesearch.backends import open_storage
from framesearch.errors import InvalidSetting, NoModelVersion
from training.families import contrastive_loss
from training.families.known import family_named
from training.fitting import dataset, teacher


@pytest.fixture
def taught(fresh_registry):
    """A teacher and the frames it is asked about."""
    settings = stored_home(fresh_registry.home, videos=2)
    from framesearch.backends import open_catalogue

    storage = open_storage(settings)
    frames = dataset.load(dataset.survey(open_catalogue(settings), storage), storage, side=96, max_frames=6000, seed=1)
    version = register_version(fresh_registry)
    return teacher.chosen(version, family_named("contrastive"), fresh_registry), frames


def test_lessons_are_the_teachers_embeddings_of_the_datasets_frames(taught):
    one, frames = taught
    lessons = teacher.lessons(one, frames)
    assert lessons.shape == (len(frames.pictures), one.encoder.dimension) and lessons.dtype == np.float32
    for row in (0, len(lessons) - 1):
        assert np.abs(lessons[row] - one.encoder.embed([frames.pictures[row]])[0]).max() < 1e-6


def test_lessons_are_kept_and_only_new_frames_are_asked_about(taught, caplog):
    one, frames = taught
    caplog.set_level("INFO")
    first = teacher.lessons(one, frames)
    assert f"{len(first)} of them new" in caplog.text
    caplog.clear()
    assert np.array_equal(teacher.lessons(one, frames), first)
    assert " 0 of them new" in caplog.text


def test_damaged_lessons_are_made_again(taught):
    one, frames = taught
    first = teacher.lessons(one, frames)
    for file in one.cache.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(teacher.lessons(one, frames), first)


def test_a_teacher_that_does_not_exist_or_has_nobody_to_teach_is_told(fresh_registry):
    with pytest.raises(NoModelVersion, match="no version 5"):
        teacher.chosen("5", family_named("contrastive"), fresh_registry)
    with pytest.raises(InvalidSetting, match="convolutional can't be taught"):
        teacher.chosen(register_version(fresh_registry), family_named("convolutional"), fresh_registry)


def test_who_agrees_with_the_teacher_has_nothing_left_to_learn():
    rng = np.random.default_rng(0)
    lessons = rng.normal(size=(12, 30)).astype(np.float32)
    lessons /= np.linalg.norm(lessons, axis=1, keepdims=True)
    agreeing = tf.constant(lessons @ lessons.T)
    assert float(contrastive_loss.distillation(agreeing, tf.constant(lessons))) == pytest.approx(0, abs=1e-6)
    other = tf.constant(np.roll(lessons @ lessons.T, 1, axis=0))
    assert float(contrastive_loss.distillation(other, tf.constant(lessons))) > 0.05


def test_a_family_that_can_be_taught_learns_from_its_lessons(taught):
    one, frames = taught
    lessons = teacher.lessons(one, frames)[:12]
    family = family_named("contrastive")
    model = family.build()
    clean = tf.constant(frames.clean[:12])
    with tf.GradientTape() as tape:
        losses = family.losses(model, clean, clean, tf.constant(lessons), True)
    assert losses["loss"] > losses["contrast"] + losses["distillation"] > losses["contrast"]
    gradients = tape.gradient(losses["distillation"], model.get_layer("encoder").trainable_variables)
    assert all(gradient is not None for gradient in gradients)
    assert set(family.losses(model, clean, clean, None, False)) == {"loss", "contrast", "reconstruction_error"}
