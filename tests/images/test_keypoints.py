"""Local features stay with what they show: moved, cropped, turned, mirrored, and told from others in ten bytes."""

import cv2
import numpy as np
import pytest
from leafy_pictures import leaves

from framesearch.images.keypoints import Keypoints, detect
from framesearch.index import codebook
from framesearch.store.tables import FEATURE

SCENE = cv2.resize(leaves(1), (640, 360), interpolation=cv2.INTER_CUBIC)


def found(rgb: np.ndarray) -> Keypoints:
    return detect(rgb, height=200, most=150)


def share_alike(one: Keypoints, other: Keypoints) -> float:
    """The share of the one's features with a twin among the other's."""
    distances = np.linalg.norm(one.descriptors[:, None].astype(int) - other.descriptors[None].astype(int), axis=2)
    return float((distances.min(axis=1) < 110).mean())


def test_gives_the_strongest_in_heights_of_the_picture() -> None:
    features = found(SCENE)
    assert 50 < len(features) <= 150
    assert features.descriptors.shape == (len(features), 128)
    assert features.descriptors.dtype == np.uint8
    assert features.aspect == pytest.approx(640 / 360)
    assert (features.positions >= 0).all()
    assert (features.positions <= [features.aspect, 1]).all()
    assert len(detect(SCENE, height=200, most=10)) == 10


@pytest.mark.parametrize("level", [0, 255])
def test_a_plain_picture_has_none(level: int) -> None:
    features = found(np.full((90, 160, 3), level, np.uint8))
    assert len(features) == 0
    assert len(codebook.quantised(features)) == 0
    assert codebook.nearest_words(features.descriptors, 6).shape == (0, 6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (16, 16)])
def test_any_shape_is_looked_at(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.isfinite(found(noise).positions).all()


def test_a_cropped_and_turned_picture_keeps_many() -> None:
    turn = cv2.getRotationMatrix2D((320, 180), 12, 1.0)
    turned = cv2.warpAffine(SCENE, turn, (640, 360))[60:300, 120:540]
    assert share_alike(found(turned), detect(SCENE, height=200, most=400)) > 0.4


def test_mirroring_needs_no_second_look() -> None:
    guessed, seen = found(SCENE).mirrored(), found(np.ascontiguousarray(SCENE[:, ::-1]))
    assert share_alike(guessed, seen) > 0.7
    assert share_alike(found(SCENE), seen) < share_alike(guessed, seen) - 0.3
    back = guessed.mirrored()
    assert back.positions == pytest.approx(found(SCENE).positions, abs=1e-5)
    assert (back.descriptors == found(SCENE).descriptors).all()


def test_ten_bytes_tell_where_it_is_and_which_way_it_points() -> None:
    features = found(SCENE)
    stored = codebook.quantised(features)
    assert stored.dtype == FEATURE
    assert stored.itemsize == 10
    places, arrows = codebook.places_of(stored, features.aspect)
    exact_places, exact_arrows = codebook.places_in(features)
    assert np.abs(places - exact_places).max() < 0.01
    assert np.abs(arrows / exact_arrows - 1).max() < 0.05


def test_noise_moves_few_to_another_word_and_their_signatures_little() -> None:
    features = found(SCENE)
    rng = np.random.default_rng(0)
    noisy = (features.descriptors + rng.normal(0, 6, features.descriptors.shape)).clip(0, 255).astype(np.uint8)
    words = codebook.nearest_words(features.descriptors)[:, 0]
    nearby = codebook.nearest_words(noisy, 6)
    assert (nearby == words[:, None]).any(axis=1).mean() > 0.7
    apart = codebook.signatures(features.descriptors, words) ^ codebook.signatures(noisy, words)
    assert np.mean([int(bits).bit_count() for bits in apart]) < 6


def test_words_of_unlike_features_differ() -> None:
    words = codebook.nearest_words(found(SCENE).descriptors)[:, 0]
    assert len(np.unique(words)) > 0.8 * len(words)
