"""A picture that stands in several videos, or several times in one, is one answer that says where else it is."""

from collections.abc import Mapping

import cv2
import numpy as np
import pytest
from index_fixtures import Library
from leafy_pictures import leaves
from stored_frames import picture, store_video

from framesearch.search.finder import Finder
from framesearch.search.ranking import Place
from framesearch.search.repeats import MOST_COMPARED, first_shown
from framesearch.store import layout

FILLING = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def place(row: int, *, video: int | None = None, view: str = "original", box: object = None) -> Place:
    corners = None if box is None else np.array(box, np.float64)
    return Place(row, row if video is None else video, 30.0 - row, 0.9, view, corners, row, row)


def firsts(places: list[Place], *frames: np.ndarray) -> list[int | None]:
    """What `first_shown` says, where row k shows frame k."""
    stored: Mapping[int, np.ndarray] = dict(enumerate(frames))
    return first_shown(places, lambda rows: {row: stored[row] for row in rows if row in stored})


def letterboxed(rgb: np.ndarray) -> np.ndarray:
    return np.pad(rgb, ((40, 40), (0, 0), (0, 0)))


# ---- what is the same picture


def test_another_encode_is_the_same_picture() -> None:
    small = cv2.resize(leaves(1), (160, 120), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 40])
    assert firsts([place(0), place(1)], leaves(1), cv2.imdecode(jpeg, cv2.IMREAD_COLOR)) == [None, 0]


def test_each_names_the_first_of_its_own_picture() -> None:
    places = [place(row) for row in range(5)]
    assert firsts(places, *(leaves(seed) for seed in (1, 2, 1, 3, 2))) == [None, None, 0, None, 1]


def test_a_letterboxed_copy_is_the_same_picture_without_any_box() -> None:
    assert firsts([place(0), place(1)], leaves(1), letterboxed(leaves(1))) == [None, 0]


def test_a_cropped_copy_is_the_same_picture_where_both_lie_in_the_query() -> None:
    cropped = leaves(1)[18:162, 32:288]
    within = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    assert firsts([place(0, box=FILLING), place(1, box=within)], leaves(1), cropped) == [None, 0]
    assert firsts([place(0, box=within), place(1, box=FILLING)], cropped, leaves(1)) == [None, 0]


def test_a_mirrored_copy_is_the_same_picture() -> None:
    flipped = np.ascontiguousarray(leaves(1)[:, ::-1])
    assert firsts([place(0), place(1, view="mirrored")], leaves(1), flipped) == [None, 0]
    turned = ((1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    cropped, within = flipped[18:162, 32:288], ((0.9, 0.1), (0.1, 0.1), (0.1, 0.9), (0.9, 0.9))
    places = [place(0, box=FILLING), place(1, view="mirrored", box=within)]
    assert firsts(places, leaves(1), cropped) == [None, 0]
    assert firsts([place(0, view="mirrored", box=turned), place(1, box=FILLING)], flipped, leaves(1)) == [None, 0]


def test_a_caption_over_it_changes_no_picture() -> None:
    captioned = leaves(1).copy()
    cv2.rectangle(captioned, (60, 155), (260, 175), (150, 150, 150), -1)
    assert firsts([place(0), place(1)], leaves(1), captioned) == [None, 0]


# ---- what is not


def test_the_same_scenery_after_the_camera_moved_on_is_another_picture() -> None:
    wide = leaves(1, 180, 640)
    before, after = wide[:, :320], wide[:, 160:480]
    moved = ((0.5, 0.0), (1.5, 0.0), (1.5, 1.0), (0.5, 1.0))
    assert firsts([place(0, box=FILLING), place(1, box=moved)], before, after) == [None, None]


def test_another_picture_in_the_same_place_is_another_one() -> None:
    assert firsts([place(0, box=FILLING), place(1, box=FILLING)], leaves(1), leaves(2)) == [None, None]


def test_pictures_that_share_only_black_borders_are_others() -> None:
    assert firsts([place(0), place(1)], letterboxed(leaves(1)), letterboxed(leaves(2))) == [None, None]


def test_within_one_video_more_is_asked() -> None:
    """What another encode may differ by is another moment within one."""
    changed = leaves(1).copy()
    changed[60:120, 100:190] = leaves(7)[60:120, 100:190]
    assert firsts([place(0), place(1)], leaves(1), changed) == [None, 0]
    assert firsts([place(0), place(1, video=0)], leaves(1), changed) == [None, None]
    assert firsts([place(0), place(1, video=0)], leaves(1), leaves(1)) == [None, 0]
    assert firsts([place(0), place(1), place(2, video=1)], leaves(1), leaves(1), changed) == [None, 0, None]


# ---- what can't be compared


def test_frames_that_are_gone_repeat_none() -> None:
    places = [place(0), place(9), place(1)]
    assert firsts(places, leaves(1), leaves(1)) == [None, None, 0]


@pytest.mark.parametrize(
    "box",
    [((0.5, 0.5),) * 4, ((np.nan, 0), (1, 0), (1, 1), (0, 1)), ((9e9, 0), (1e12, 0), (1e12, 1), (9e9, 1))],
    ids=["a point", "not a number", "far outside"],
)
def test_a_box_that_is_none_costs_nothing(box: tuple) -> None:
    assert firsts([place(0, box=FILLING), place(1, box=box)], leaves(1), leaves(1)) == [None, 0]
    assert firsts([place(0, box=box), place(1, box=box)], leaves(1), leaves(2)) == [None, None]


def test_blank_frames_do_not_repeat_others() -> None:
    blank = np.full((180, 320, 3), 90, np.uint8)
    assert firsts([place(0), place(1)], leaves(1), blank) == [None, None]


def test_long_lists_are_compared_as_far_as_people_read() -> None:
    places = [place(row) for row in range(MOST_COMPARED + 5)]
    found = firsts(places, *[leaves(1)] * len(places))
    assert found == [None, *[0] * (MOST_COMPARED - 1), *[None] * 5]


@pytest.mark.parametrize("number", [0, 1])
def test_few_places_need_no_pictures(number: int) -> None:
    assert firsts([place(0)][:number]) == [None] * number


# ---- in an answer


@pytest.fixture
def reuploaded(published: Library) -> Library:
    """The library with another upload of v1."""
    store_video(published.catalogue, published.storage, "again", seed=1, title="Uploaded again")
    published.publish()
    return published


def test_an_answer_groups_what_shows_the_same_picture(reuploaded: Library) -> None:
    answer = Finder(reuploaded.settings).search(picture(1, 4.1))
    lead, others = answer.groups()[0]
    assert lead is answer.matches[0]
    assert {lead.video_id, *(match.video_id for match in others)} == {"v1", "again"}
    assert [match.repeats for match in answer.matches[:2]] == [None, 0]
    scores = [match.score for match in answer.matches]
    assert scores == sorted(scores, reverse=True)
    counted = sum(1 + len(repeats) for _, repeats in answer.groups())
    assert counted == len(answer.matches)


def test_moments_of_one_film_stay_apart(published: Library) -> None:
    answer = Finder(published.settings).search(picture(1, 4.1))
    assert all(not others for lead, others in answer.groups() if lead.video_id == "v1")


def test_without_stored_frames_all_matches_stand_alone(reuploaded: Library) -> None:
    reuploaded.storage.delete(layout.FRAMES)
    answer = Finder(reuploaded.settings).search(picture(1, 4.1))
    assert len(answer.matches) > 1
    assert all(match.repeats is None for match in answer.matches)
    assert [lead for lead, _ in answer.groups()] == list(answer.matches)


def test_one_match_and_none(reuploaded: Library) -> None:
    finder = Finder(reuploaded.settings)
    (only,) = finder.search(picture(1, 4.1), top=1).matches
    assert only.repeats is None
    assert finder.search(np.zeros((90, 160, 3), np.uint8)).groups() == []
