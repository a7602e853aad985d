"""Whether a frame is what the query shows: local features vote, agree on a placement, and pixels confirm it."""

import cv2
import numpy as np
import pytest
from leafy_pictures import leaves

from framesearch.codebook import places_in, places_of, quantised
from framesearch.images.keypoints import Keypoints, detect
from framesearch.images.overlay import NO_LIKENESS, compare, filling, prepared
from framesearch.local_index import LocalIndex, Matches
from framesearch.placement import Alignment, align
from framesearch.tables import FEATURE

FRAMES = [leaves(seed) for seed in range(6)]


def detected(rgb: np.ndarray) -> Keypoints:
    return detect(rgb, height=200, most=300)


@pytest.fixture(scope="module")
def index() -> LocalIndex:
    features = [quantised(detect(rgb, height=180, most=80)) for rgb in FRAMES]
    return LocalIndex(np.concatenate(features), np.array([len(own) for own in features]))


def placed(index: LocalIndex, rgb: np.ndarray, row: int) -> Alignment | None:
    keypoints = detected(rgb)
    matches = index.match(keypoints).of_rows(np.array([row]))
    return placement(index, keypoints, matches)


def placement(index: LocalIndex, keypoints: Keypoints, matches: Matches) -> Alignment | None:
    places, arrows = places_in(keypoints)
    stored = places_of(index.features[matches.feature], 320 / 180)
    return align((places[matches.query], arrows[matches.query]), stored, matches.weight, matches.query)


# ---- votes


def distorted(rgb: np.ndarray, how: str) -> np.ndarray:
    if how == "cropped":
        return rgb[40:150, 60:250]
    if how == "turned":
        return cv2.warpAffine(rgb, cv2.getRotationMatrix2D((160, 90), 14, 1.0), (320, 180))
    if how == "on a page":
        page = np.full((400, 640, 3), 245, np.uint8)
        page[60:240, 30:350] = rgb
        return page
    if how == "covered":
        covered = rgb.copy()
        covered[100:] = 255
        return covered
    return rgb


@pytest.mark.parametrize("how", ["as it is", "cropped", "turned", "on a page", "covered"])
def test_a_frame_gets_the_most_votes_for_its_parts(index: LocalIndex, how: str) -> None:
    for row, rgb in enumerate(FRAMES):
        votes = index.votes(index.match(detected(distorted(rgb, how))))
        assert int(votes.argmax()) == row


def test_matches_name_the_features_of_their_row(index: LocalIndex) -> None:
    matches = index.match(detected(FRAMES[2]))
    assert (np.diff(matches.row) >= 0).all()
    assert (matches.feature >= index.starts[matches.row]).all()
    assert (matches.feature < index.starts[matches.row + 1]).all()
    assert (matches.weight > 0).all()


def test_a_query_without_features_matches_nothing(index: LocalIndex) -> None:
    matches = index.match(detected(np.zeros((90, 160, 3), np.uint8)))
    assert len(matches.row) == 0
    assert index.votes(matches).tolist() == [0] * len(FRAMES)


def test_frames_without_features_are_rows_all_the_same() -> None:
    own = quantised(detect(FRAMES[0], height=180, most=80))
    index = LocalIndex(own, np.array([0, len(own), 0]))
    assert int(index.votes(index.match(detected(FRAMES[0]))).argmax()) == 1
    nothing = LocalIndex(np.empty(0, FEATURE), np.zeros(3, int))
    assert len(nothing.match(detected(FRAMES[0])).row) == 0


# ---- placement


@pytest.mark.parametrize(
    ("how", "affine"),
    [
        ("as it is", [[1, 0, 0], [0, 1, 0]]),
        ("cropped", [[180 / 110, 0, -60 / 110], [0, 180 / 110, -40 / 110]]),
        ("on a page", [[180 / 400, 0, 30 / 400], [0, 180 / 400, 60 / 400]]),
    ],
)
def test_says_where_the_frame_lies_in_the_query(index: LocalIndex, how: str, affine: list) -> None:
    alignment = placed(index, distorted(FRAMES[3], how), 3)
    assert alignment is not None
    assert alignment.affine == pytest.approx(np.array(affine), abs=0.05)
    assert alignment.features >= 8


def test_other_frames_agree_far_less(index: LocalIndex) -> None:
    own = placed(index, FRAMES[0], 0)
    others = [placed(index, FRAMES[0], row) for row in range(1, 6)]
    assert own is not None
    assert own.agreement > 4 * max((other.agreement for other in others if other), default=0.0)


def test_two_matches_are_no_agreement() -> None:
    places = np.array([1 + 1j, 2 + 2j], np.complex64)
    arrows = np.ones(2, np.complex64)
    assert align((places, arrows), (places, arrows), np.ones(2, np.float32), np.arange(2)) is None


# ---- pixels


def test_a_frame_over_itself_explains_all_of_it() -> None:
    likeness = compare(prepared(FRAMES[0]), FRAMES[0], filling(320 / 180, 320 / 180))
    assert likeness.plain > 0.95
    assert likeness.robust > 0.95


def test_another_frame_explains_little() -> None:
    likeness = compare(prepared(FRAMES[0]), FRAMES[1], filling(320 / 180, 320 / 180))
    assert likeness.plain < 0.2
    assert likeness.robust < 0.7


def test_brightness_and_contrast_do_not_matter() -> None:
    faded = (FRAMES[0] * 0.5 + 90).astype(np.uint8)
    assert compare(prepared(faded), FRAMES[0], filling(320 / 180, 320 / 180)).plain > 0.95


def test_a_caption_costs_the_robust_likeness_less() -> None:
    captioned = FRAMES[0].copy()
    captioned[155:170, 60:260] = 255
    likeness = compare(prepared(captioned), FRAMES[0], filling(320 / 180, 320 / 180))
    assert likeness.robust > likeness.plain


def test_neighbouring_moments_are_told_apart_by_what_moved() -> None:
    earlier, later = FRAMES[0].copy(), FRAMES[0].copy()
    earlier[60:100, 40:90] = later[70:110, 60:110] = (200, 30, 30)
    query = prepared(earlier)
    same, other = (compare(query, frame, filling(320 / 180, 320 / 180)).plain for frame in (earlier, later))
    assert same > other + 0.05


def test_a_frame_that_lies_outside_is_not_like_it() -> None:
    far = np.array([[1.0, 0, 5], [0, 1, 5]])
    assert compare(prepared(FRAMES[0]), FRAMES[0], far) == NO_LIKENESS
