"""training.fitting.augment: the views that are learned from."""

import inspect

import numpy as np
from stored_frames import picture

from framesearch.images import distortions
from framesearch.images.pixels import resize
from training.fitting import augment


def test_a_view_is_a_picture_of_the_encoders_size_and_the_seed_fixes_it():
    rgb = resize(picture(1, 2.0), 144, 256)
    views = [augment.view(rgb, 96, np.random.default_rng(seed)) for seed in range(40)]
    again = [augment.view(rgb, 96, np.random.default_rng(seed)) for seed in range(40)]
    for one, other in zip(views, again, strict=True):
        assert one.shape == (96, 96, 3) and one.dtype == np.uint8
        assert np.array_equal(one, other)


def test_views_of_a_frame_differ_from_each_other_and_leave_it_alone():
    rgb = resize(picture(1, 2.0), 144, 256)
    untouched = rgb.copy()
    rng = np.random.default_rng(0)
    views = {augment.view(rgb, 64, rng).tobytes() for _ in range(40)}
    assert len(views) == 40
    assert np.array_equal(rgb, untouched)


def test_training_never_draws_with_the_judges_code():
    assert not any(getattr(thing, "__module__", "") == distortions.__name__ for _, thing in inspect.getmembers(augment))
