"""Whether a frame is what the query shows: local features vote, agree on a placement, and pixels confirm it."""

import cv2
import numpy as np
import pytest
from leafy_pictures import leaves

from framesearch.images.keypoints import Keypoints, detect
from framesearch.images.overlay import NO_LIKENESS, Likeness, Overlay, filling, grey, prepared
from framesearch.images.pixel_alignment import register
from framesearch.index.codebook import places_in, places_of, quantised
from framesearch.index.visual_words import LocalIndex, Matches
from framesearch.search.placement import Alignment, align
from framesearch.store.tables import FEATURE

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


WHOLE = filling(320 / 180, 320 / 180)


def compared(query: np.ndarray, frame: np.ndarray, placement: np.ndarray = WHOLE) -> Likeness:
    return Overlay(prepared(query), placement, frame.shape[:2]).likeness(grey(frame))


def test_a_frame_over_itself_explains_all_of_it() -> None:
    likeness = compared(FRAMES[0], FRAMES[0])
    assert likeness.plain > 0.95
    assert likeness.robust > 0.95


def test_another_frame_explains_little() -> None:
    likeness = compared(FRAMES[0], FRAMES[1])
    assert likeness.plain < 0.2
    assert likeness.robust < 0.7


def test_brightness_and_contrast_do_not_matter() -> None:
    faded = (FRAMES[0] * 0.5 + 90).astype(np.uint8)
    assert compared(faded, FRAMES[0]).plain > 0.95


def test_a_caption_costs_the_robust_likeness_less() -> None:
    captioned = FRAMES[0].copy()
    captioned[155:170, 60:260] = 255
    likeness = compared(captioned, FRAMES[0])
    assert likeness.robust > likeness.plain


def test_neighbouring_moments_are_told_apart_by_what_moved() -> None:
    earlier, later = FRAMES[0].copy(), FRAMES[0].copy()
    earlier[60:100, 40:90] = later[70:110, 60:110] = (200, 30, 30)
    same, other = (compared(earlier, frame).plain for frame in (earlier, later))
    assert same > other + 0.05


def test_a_frame_that_lies_outside_is_not_like_it() -> None:
    far = np.array([[1.0, 0, 5], [0, 1, 5], [0, 0, 1]])
    assert compared(FRAMES[0], FRAMES[0], far) == NO_LIKENESS


def test_what_is_fine_does_not_mind_the_light() -> None:
    lit = (FRAMES[0] * np.linspace(0.3, 1.0, 320)[None, :, None]).astype(np.uint8)
    overlay = Overlay(prepared(lit), WHOLE, (180, 320))
    assert overlay.fine_likeness(grey(FRAMES[0])).plain > overlay.likeness(grey(FRAMES[0])).plain + 0.1
    assert overlay.fine_likeness(grey(FRAMES[1])).plain < 0.2


# ---- exact placement


def photographed(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture seen slightly from the side, and where its frame lies in it."""
    corners = np.array([[0, 0], [320, 0], [320, 180], [0, 180]], np.float32)
    seen = np.array([[22, 12], [300, 24], [304, 160], [14, 172]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    heights = np.diag([180.0, 180.0, 1.0])
    return cv2.warpPerspective(rgb, matrix, (320, 180)), np.linalg.inv(heights) @ matrix @ heights


def corners_of(placement: np.ndarray) -> np.ndarray:
    corners = placement @ np.array([[0, 0, 1], [16 / 9, 0, 1], [16 / 9, 1, 1], [0, 1, 1]]).T
    return corners[:2] / corners[2]


def test_a_placement_is_made_exact_and_perspective_found() -> None:
    photo, truth = photographed(FRAMES[0])
    roughly = np.array([[0.87, 0.0, 0.12], [0.0, 0.84, 0.08], [0, 0, 1]])  # no affine map lies nearer than 5 pixels
    exact = register(prepared(photo), grey(FRAMES[0]), roughly)
    assert exact is not None
    assert corners_of(exact) == pytest.approx(corners_of(truth), abs=0.01)
    before, after = (
        Overlay(prepared(photo), where, (180, 320)).likeness(grey(FRAMES[0])).plain for where in (roughly, exact)
    )
    assert after > before + 0.2


@pytest.mark.parametrize("query", [np.zeros((180, 320, 3), np.uint8), FRAMES[3]])
def test_where_the_frame_is_not_no_placement_slips_far(query: np.ndarray) -> None:
    found = register(prepared(query), grey(FRAMES[0]), WHOLE)
    assert found is None or np.abs(corners_of(found) - corners_of(WHOLE)).max() <= 0.15 * 16 / 9


# ---- between frames


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_pixels_tell_how_far_the_query_is_on_the_way_to_the_next_frame(share: float) -> None:
    def at(moved: float) -> np.ndarray:
        rgb = FRAMES[0].copy()
        cv2.circle(rgb, (round(16 * (120 + 10 * moved)), 16 * 90), 16 * 30, (240, 240, 60), -1, cv2.LINE_AA, shift=4)
        return rgb

    overlay = Overlay(prepared(at(share)), WHOLE, (180, 320))
    onward, left = overlay.share_towards(grey(at(0)), grey(at(1)))
    backward, left_backward = overlay.share_towards(grey(at(0)), grey(at(-1)))
    assert onward == pytest.approx(share, abs=0.08)
    assert backward == pytest.approx(0, abs=0.05)
    assert left < left_backward or share == 0
