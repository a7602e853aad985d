"""Elementary operations on pictures: JPEG, quality, difference."""

import cv2
import numpy as np
import pytest
from generated_videos import Footage, Scene

from framesearch.errors import ImageUnreadable
from framesearch.images.pixels import (
    BLANK_QUALITY,
    correlation,
    decode_jpeg,
    difference,
    encode_jpeg,
    fit_height,
    quality,
    thumbnail,
)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return Footage((320, 180), 1, [Scene(2)]).at(0.5)


def test_a_jpeg_comes_back_in_the_same_colours(picture):
    red = np.full((64, 64, 3), (200, 30, 20), np.uint8)
    assert np.abs(decode_jpeg(encode_jpeg(red, 90)).astype(int) - red).max() <= 3
    assert np.abs(decode_jpeg(encode_jpeg(picture, 90)).astype(int) - picture).mean() < 6


@pytest.mark.parametrize("stored", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
def test_what_is_no_jpeg_is_said(stored):
    with pytest.raises(ImageUnreadable):
        decode_jpeg(stored)


def test_pictures_shrink_with_their_aspect_and_never_grow():
    assert fit_height(np.zeros((720, 1280, 3), np.uint8), 180).shape == (180, 320, 3)
    assert fit_height(np.zeros((100, 400, 3), np.uint8), 180).shape == (100, 400, 3)


@pytest.mark.parametrize("level", [0, 16, 128, 255])
def test_one_colour_is_blank_and_so_is_its_compression_noise(level):
    flat = np.full((180, 320, 3), level, np.uint8)
    grain = np.random.default_rng(0).normal(0, 1.5, flat.shape)
    assert quality(flat) == 0
    assert quality(np.clip(flat + grain, 0, 255).astype(np.uint8)) < BLANK_QUALITY


def test_the_depth_of_a_fade_is_blank(picture):
    assert quality((picture * 0.03).astype(np.uint8)) < BLANK_QUALITY
    assert quality((picture * 0.4).astype(np.uint8)) > BLANK_QUALITY


def test_a_caption_on_black_is_not_blank():
    title = np.zeros((180, 320, 3), np.uint8)
    cv2.putText(title, "The End", (120, 95), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (220, 220, 220), 1, cv2.LINE_AA)
    assert quality(title) > BLANK_QUALITY


def test_quality_falls_with_blur_and_lies_between_0_and_1(picture):
    blurred = [quality(cv2.GaussianBlur(picture, (0, 0), sigma)) for sigma in (1, 4, 12)]
    assert 1 > quality(picture) > blurred[0] > blurred[1] > blurred[2] > 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (2, 2, 3), (90, 1, 3)])
def test_quality_of_slivers_is_a_number(shape):
    assert 0 <= quality(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)) <= 1


def test_quality_hardly_depends_on_the_size_of_the_picture():
    large = Footage((1280, 720), 1, [Scene(2)]).at(0.5)
    small = cv2.resize(large, (320, 180), interpolation=cv2.INTER_AREA)
    assert quality(large) == pytest.approx(quality(small), rel=0.2)


def test_difference_ignores_grain_and_sees_movement_however_small():
    still, moving = Footage((320, 180), 2, [Scene(4, 0)]), Footage((320, 180), 2, [Scene(4, 1)])
    noise = difference(still.at(1.0), still.at(2.3))
    assert noise < 0.006
    assert difference(moving.at(1.0), moving.at(1.25)) > 0.02
    corner = still.at(1.0)
    corner[:40, :40] = 255 - corner[:40, :40]
    assert difference(still.at(1.0), corner) > 5 * noise


def test_difference_is_symmetric_and_bounded():
    black, white = np.zeros((90, 160, 3), np.uint8), np.full((180, 320, 3), 255, np.uint8)
    assert difference(black, white) == difference(white, black) == 1
    assert difference(black, black) == 0
    assert difference(thumbnail(black), white) == 1  # a thumbnail stands for its picture


def test_correlation_knows_the_same_picture_in_other_light(picture):
    grey = picture.mean(axis=2)
    assert correlation(grey, grey * 0.5 + 20) == pytest.approx(1, abs=1e-3)
    assert correlation(grey, np.full_like(grey, 7)) == 0
