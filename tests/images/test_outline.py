"""Which part of a picture was recognised: clipped to the picture, drawn so that it shows on any."""

import numpy as np
import pytest

from framesearch.images.outline import centre, outlined, part_of, share

MIDDLE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))


def test_a_part_is_as_large_as_its_box() -> None:
    part = part_of(MIDDLE)
    assert part is not None
    assert share(part) == pytest.approx(0.25)
    assert centre(part) == pytest.approx((0.5, 0.5))


def test_corners_may_turn_the_other_way_as_those_of_mirrored_pictures_do() -> None:
    part = part_of(MIDDLE[::-1])
    assert part is not None
    assert share(part) == pytest.approx(0.25)


def test_what_lies_outside_the_picture_is_cut() -> None:
    part = part_of(((-1, -1), (0.5, -1), (0.5, 0.5), (-1, 0.5)))
    assert part is not None
    assert (part.min(), part.max()) == (0, 0.5)
    assert share(part) == pytest.approx(0.25)


def test_a_turned_box_is_cut_at_its_corners() -> None:
    part = part_of(((0.5, -0.2), (1.2, 0.5), (0.5, 1.2), (-0.2, 0.5)))
    assert part is not None
    assert len(part) == 8
    assert share(part) == pytest.approx(2 * 0.7**2 - 4 * 0.2**2)


@pytest.mark.parametrize(
    "box",
    [
        ((0, 0), (1, 0), (1, 1), (0, 1)),
        ((-3, -3), (4, -3), (4, 4), (-3, 4)),
        ((2, 2), (3, 2), (3, 3), (2, 3)),
        ((0.5, 0.5),) * 4,
        ((-1e9, 0.5), (1e9, 0.5), (1e9, 0.5), (-1e9, 0.5)),
        ((np.nan, 0), (1, 0), (1, 1), (0, 1)),
        ((0, 0), (np.inf, 0), (1, 1), (0, 1)),
        (),
    ],
    ids=["the whole picture", "more", "beside it", "a point", "a line", "not a number", "infinite", "no corners"],
)
def test_tells_nothing_where_there_is_nothing_to_tell(box: tuple) -> None:
    assert part_of(box) is None


def test_wild_corners_are_drawn_within_the_picture() -> None:
    part = part_of(((-1e6, 0.3), (1e6, 0.3), (1e6, 0.6), (-1e6, 0.6)))
    assert part is not None
    drawn = outlined(np.zeros((90, 160, 3), np.uint8), part)
    assert drawn[:18].max() == 0
    assert drawn[63:].max() == 0
    assert drawn[27, 80].min() > 200


@pytest.mark.parametrize("level", [0, 128, 255])
def test_shows_on_any_picture_and_leaves_it_as_it_was(level: int) -> None:
    rgb = np.full((180, 320, 3), level, np.uint8)
    part = part_of(MIDDLE)
    assert part is not None
    drawn = outlined(rgb, part)
    assert (rgb == level).all()
    along = drawn[90, 60:100].astype(int).mean(axis=1)  # across the left side
    assert along.max() - along.min() > 150
    assert (drawn[90, 120:200] == level).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (16, 16)])
def test_draws_on_pictures_of_any_size(shape: tuple[int, int]) -> None:
    part = part_of(MIDDLE)
    assert part is not None
    assert outlined(np.zeros((*shape, 3), np.uint8), part).shape == (*shape, 3)
