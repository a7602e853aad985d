"""Views repair what players and editors do to a picture, and leave alone what is part of it."""

import cv2
import numpy as np
import pytest

from framesearch.images.views import mirror, trim, views


def picture(height: int = 180, width: int = 320, seed: int = 1) -> np.ndarray:
    """A smooth, colourful picture whose edges are not plain."""
    rough = np.random.default_rng(seed).integers(20, 236, (9, 16, 3), dtype=np.uint8)
    return cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)


def framed(inner: np.ndarray, top: int, bottom: int, left: int, right: int, colour: int = 0) -> np.ndarray:
    return np.pad(inner, ((top, bottom), (left, right), (0, 0)), constant_values=colour)


@pytest.mark.parametrize(
    "border",
    [(40, 40, 0, 0), (0, 0, 60, 60), (30, 50, 20, 70), (0, 90, 0, 0)],
    ids=["letter", "pillar", "window", "below"],
)
@pytest.mark.parametrize("colour", [0, 18, 255])
def test_cuts_plain_borders(border: tuple[int, int, int, int], colour: int) -> None:
    inner = picture()
    trimmed = trim(framed(inner, *border, colour))
    assert trimmed is not None
    height, width = trimmed.shape[:2]
    assert 170 <= height <= 180
    assert 308 <= width <= 320


def test_cuts_borders_of_compressed_and_noisy_pictures() -> None:
    noisy = framed(picture(), 40, 40, 0, 0).astype(float) + np.random.default_rng(0).normal(0, 3, (260, 320, 3))
    _, jpeg = cv2.imencode(".jpg", noisy.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 40])
    trimmed = trim(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    assert trimmed is not None
    assert 168 <= trimmed.shape[0] <= 190  # ringing blurs the edge


def test_cuts_large_pictures_at_full_size() -> None:
    trimmed = trim(framed(picture(720, 1280), 140, 140, 0, 0))
    assert trimmed is not None
    assert 700 <= trimmed.shape[0] <= 720
    assert trimmed.shape[1] == 1280


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_plain_picture_has_no_border(colour: int) -> None:
    assert trim(np.full((90, 160, 3), colour, np.uint8)) is None


def test_a_picture_without_borders_is_left_whole() -> None:
    assert trim(picture()) is None


def test_a_small_thing_on_a_plain_ground_is_the_picture() -> None:
    title = framed(picture(20, 40), 160, 160, 240, 240, 0)
    assert trim(title) is None


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (400, 16), (3, 3)])
def test_odd_shapes_pass(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert {view.shape for view in views(noise, 96, 96).values()} == {(96, 96, 3)}


def test_mirrors() -> None:
    rgb = picture()
    assert (mirror(rgb)[:, 0] == rgb[:, -1]).all()
    assert (mirror(mirror(rgb)) == rgb).all()


def test_views_name_what_was_done() -> None:
    assert list(views(picture(), 96, 96)) == ["original", "mirrored"]
    assert list(views(framed(picture(), 40, 40, 0, 0), 96, 96)) == [
        "original",
        "mirrored",
        "trimmed",
        "trimmed and mirrored",
    ]
