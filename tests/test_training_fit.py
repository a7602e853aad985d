"""training.fit: how long a training lasts, on a machine that has time and on one that has none."""

import time
from dataclasses import replace

import keras
import pytest
from training_fixtures import stored_home

from framesearch.catalogue import open_catalogue
from framesearch.storage import open_storage
from training import dataset, fit
from training.families import Family, family_named


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> dataset.Dataset:
    settings = stored_home(tmp_path_factory.mktemp("frames"), videos=2)
    storage = open_storage(settings)
    surveyed = dataset.survey(open_catalogue(settings), storage)
    return dataset.load(surveyed, storage, side=64, max_frames=6000, seed=1)


def slowed(step_s: float) -> Family:
    """The convolutional family on a machine where a step takes so long."""
    family = family_named("convolutional")

    def losses(model, views, clean, lessons, training):
        import tensorflow as tf

        wait = tf.py_function(lambda: time.sleep(step_s) or 0.0, [], tf.float32)
        with tf.control_dependencies([wait]):
            return family.losses(model, views, clean, lessons, training)

    return replace(family, losses=losses)


def fitted(frames: dataset.Dataset, family: Family, minutes: float) -> fit.Fit:
    keras.utils.set_random_seed(1)
    return fit.fit(family.build(), family, frames, minutes=minutes, seed=1)


def test_with_time_enough_every_step_that_the_frames_are_worth_is_done(frames):
    done = fitted(frames, family_named("convolutional"), 5)
    assert done.steps == done.wanted_steps >= fit.MIN_STEPS


def test_a_busy_machine_does_the_least_that_teaches_and_says_so(frames, caplog, monkeypatch):
    monkeypatch.setattr(fit, "OVERTIME", 60.0)  # compiling alone takes longer than these minutes
    caplog.set_level("INFO")
    done = fitted(frames, slowed(0.05), 0.025)
    assert done.steps == fit.MIN_STEPS
    assert f"going on to the {fit.MIN_STEPS}th" in caplog.text
    assert done.history[-1]["learning_rate"] < 0.1 * done.history[0]["learning_rate"]  # annealed all the same


def test_a_machine_that_can_not_do_even_that_stops_all_the_same(frames, monkeypatch):
    monkeypatch.setattr(fit, "OVERTIME", 2.0)
    done = fitted(frames, slowed(0.4), 0.04)
    assert 0 < done.steps < fit.MIN_STEPS
