"""training.fitting.fit: how long a training lasts, on a machine that has time and on one that has none."""

from collections.abc import Callable
from dataclasses import replace

import keras
import pytest
from training_fixtures import stored_home

from framesearch.backends import open_catalogue, open_storage
from training.families.contract import Family
from training.families.known import family_named
from training.fitting import dataset, fit


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> dataset.Dataset:
    settings = stored_home(tmp_path_factory.mktemp("frames"), videos=2)
    storage = open_storage(settings)
    surveyed = dataset.survey(open_catalogue(settings), storage)
    return dataset.load(surveyed, storage, side=64, max_frames=6000, seed=1)


class Machine:
    """On which a step and an epoch's test take so many seconds, and all else none, whatever this machine does."""

    def __init__(self, step_s: float, test_s: float = 0.0) -> None:
        self.step_s, self.test_s, self.now_s = step_s, test_s, 0.0

    def clock(self) -> float:
        return self.now_s

    def _work(self, training: bool) -> float:
        self.now_s += self.step_s if training else self.test_s
        return 0.0

    def fit(self, frames: dataset.Dataset, minutes: float) -> fit.Fit:
        family = family_named("convolutional")

        def losses(model, views, clean, lessons, training):
            import tensorflow as tf

            with tf.control_dependencies([tf.py_function(self._work, [training], tf.float32)]):
                return family.losses(model, views, clean, lessons, training)

        return fitted(frames, replace(family, losses=losses), minutes, self.clock)


def fitted(frames: dataset.Dataset, family: Family, minutes: float, clock: Callable[[], float]) -> fit.Fit:
    keras.utils.set_random_seed(1)
    return fit.fit(family.build(), family, frames, minutes=minutes, seed=1, clock=clock)


def test_with_time_enough_every_step_that_the_frames_are_worth_is_done(frames):
    done = Machine(0.01).fit(frames, minutes=5)
    assert done.steps == done.wanted_steps >= fit.MIN_STEPS


def test_a_slow_machine_does_fewer_steps_and_ends_in_time(frames):
    wanted = Machine(0.01).fit(frames, minutes=5).wanted_steps
    step_s = 60.0 / wanted  # a minute is what the steps alone would take
    done = Machine(step_s).fit(frames, minutes=1)
    assert fit.MIN_STEPS < done.steps < wanted
    assert done.seconds <= 60.0 + step_s
    assert done.history[-1]["learning_rate"] < 0.1 * max(row["learning_rate"] for row in done.history)


@pytest.mark.parametrize(("step_s", "test_s"), [(0.05, 0.0), (0.03, 0.2)])  # the minutes end in a step, in a test
def test_a_busy_machine_does_the_least_that_teaches_and_says_so(frames, caplog, step_s, test_s):
    caplog.set_level("INFO")
    done = Machine(step_s, test_s).fit(frames, minutes=0.025)
    assert done.steps == fit.MIN_STEPS
    assert caplog.text.count(f"going on to the {fit.MIN_STEPS}th") == 1
    assert done.history[-1]["learning_rate"] < 0.1 * done.history[0]["learning_rate"]  # annealed all the same


def test_a_machine_that_can_not_do_even_that_stops_all_the_same(frames):
    done = Machine(0.4).fit(frames, minutes=0.04)
    assert 0 < done.steps < fit.MIN_STEPS
    assert done.seconds <= fit.OVERTIME * 0.04 * 60.0 + 0.4
