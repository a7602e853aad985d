"""framesearch.images.distortions: the judge's transforms."""

import numpy as np
import pytest
from stored_frames import picture

from framesearch.images.distortions import DISTORTIONS, distorted
from framesearch.images.pixels import resize

NAMES = (
    "none jpeg30 half_size crop80 crop65 crop50 mirror bars colour grey blur noise rotation squash caption emoji "
    "player page phone two three"
).split()


def test_the_names_are_stable_because_metrics_are_kept_under_them():
    assert list(DISTORTIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_transform_gives_a_picture_that_is_the_same_for_the_same_frame(name: str):
    rgb = picture(1, 2.0)
    untouched = rgb.copy()
    once, again = distorted(rgb, name, "film|2.0"), distorted(rgb, name, "film|2.0")
    assert once.dtype == np.uint8 and once.ndim == 3 and once.shape[2] == 3
    assert np.array_equal(once, again)
    assert np.array_equal(rgb, untouched)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"none"}))
def test_every_transform_but_none_changes_the_picture(name: str):
    rgb = picture(1, 2.0)
    assert not np.array_equal(resize(distorted(rgb, name, "film|2.0"), 90, 160), rgb)


@pytest.mark.parametrize("name", ["colour", "noise", "page", "three"])
def test_another_frame_is_distorted_otherwise(name: str):
    rgb = picture(1, 2.0)
    one, other = distorted(rgb, name, "film|2.0"), distorted(rgb, name, "film|3.0")
    assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (64, 5), (180, 320)])
def test_no_shape_of_a_picture_is_too_odd(name: str, shape: tuple[int, int]):
    assert distorted(np.full((*shape, 3), 90, np.uint8), name, "odd").size > 0


def test_geometry_is_what_the_name_says():
    rgb = picture(1, 2.0)
    height, width = rgb.shape[:2]
    assert distorted(rgb, "crop50", "k").shape == (round(height * 0.5), round(width * 0.5), 3)
    assert distorted(rgb, "half_size", "k").shape == (height // 2, width // 2, 3)
    assert np.array_equal(distorted(rgb, "mirror", "k"), rgb[:, ::-1])
    barred = distorted(rgb, "bars", "k")
    assert barred.shape[0] > height or barred.shape[1] > width
    grey = distorted(rgb, "grey", "k")
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 1], grey[..., 2])
