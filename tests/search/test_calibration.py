"""What scores mean: thresholds and probabilities from right and wrong answers, and from a real index."""

from pathlib import Path

import numpy as np
import pytest
from index_fixtures import Library, open_library
from stored_frames import store_video

from framesearch.index.bundle import open_bundle
from framesearch.index.card import Calibration
from framesearch.search.calibration import calibrate, fit_curve, lowest_precise_score, prudent_score
from framesearch.store import layout


@pytest.mark.parametrize(
    ("scores", "right", "precision", "threshold"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.99, 0.8),
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.75, 0.6),
        ([0.6, 0.9, 0.7, 0.8], [1, 1, 1, 1], 0.99, 0.6),
        ([0.9, 0.9, 0.5], [1, 0, 1], 0.6, 0.5),  # equal scores stand or fall together
    ],
)
def test_finds_the_lowest_precise_score(scores: list, right: list, precision: float, threshold: float) -> None:
    assert lowest_precise_score(np.array(scores), np.array(right, bool), precision) == threshold


def test_where_no_score_is_precise_none_is_found() -> None:
    threshold = lowest_precise_score(np.array([0.9, 0.8]), np.array([False, True]), 0.99)
    assert 0.9 < threshold < 0.9001


def test_a_threshold_that_hangs_on_one_film_is_set_higher() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(10, 30, 400), rng.uniform(0, 12, 200)])
    right = np.arange(600) < 400
    films = rng.integers(0, 20, 600)
    even = prudent_score(scores, right, films, 0.99)
    assert lowest_precise_score(scores, right, 0.99) <= even < 13.5
    one_misleads = scores.copy()
    one_misleads[(films == 7) & ~right] = 18  # pictures that look like another film
    assert prudent_score(one_misleads, right, films, 0.99) >= lowest_precise_score(one_misleads, right, 0.99) > even


def test_a_threshold_stands_clear_of_wrong_answers_where_that_costs_little() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(20, 40, 197), [9, 14, 17], rng.uniform(0, 8, 200)])
    right = np.arange(400) < 200
    threshold = prudent_score(scores, right, rng.integers(0, 20, 400), 0.99)
    assert 17 < threshold < 21
    assert (scores[right] >= threshold).mean() >= 0.96


def test_a_curve_says_how_often_scores_are_right() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 4000)
    truth = 1 / (1 + np.exp(-(12 * scores - 7)))
    curve = fit_curve(scores, rng.uniform(size=4000) < truth)
    for score in (0.3, 0.5, 0.6, 0.8):
        assert curve(score) == pytest.approx(1 / (1 + np.exp(-(12 * score - 7))), abs=0.05)


def test_a_curve_of_scores_that_are_told_apart_is_steep_but_finite() -> None:
    scores = np.concatenate([np.linspace(0.8, 1, 50), np.linspace(0, 0.5, 50)])
    curve = fit_curve(scores, scores > 0.6)
    assert curve(0.95) > 0.95
    assert curve(0.2) < 0.05
    assert np.isfinite(curve.slope)


def test_a_curve_never_falls() -> None:
    scores = np.linspace(0, 1, 100)
    curve = fit_curve(scores, scores < 0.5)
    assert curve(0.9) == curve(0.1) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("right", [0, 1])
def test_a_curve_of_one_kind_of_answer_stays_short_of_certainty(right: int) -> None:
    curve = fit_curve(np.linspace(0, 1, 40), np.full(40, right, bool))
    assert 0 < curve(0.5) < 1


def test_without_probe_frames_the_defaults_stand(library: Library) -> None:
    build = library.publish()
    library.storage.delete(layout.FRAMES)
    bundle = open_bundle(library.storage, build.index_id)
    calibration = calibrate(bundle.gallery, bundle.encoder, library.storage, precision=0.99, budget_s=5)
    assert calibration == Calibration(rows=72)


def test_measures_the_index(library: Library) -> None:
    bundle = open_bundle(library.storage, library.publish().index_id)
    calibration = calibrate(bundle.gallery, bundle.encoder, library.storage, precision=0.9, budget_s=60)
    figures = calibration.figures
    assert figures["probe_frames"] == 12
    assert figures["queries_in_library"] == 36
    assert figures["clean_moment_at_1"] == figures["clean_found"] == 1
    assert figures["found_precision"] >= 0.9
    assert calibration.first(calibration.found_score + 5) > calibration.first(calibration.found_score - 5)


def test_the_same_index_gets_the_same_calibration(library: Library) -> None:
    bundle = open_bundle(library.storage, library.publish().index_id)
    one, other = (
        calibrate(bundle.gallery, bundle.encoder, library.storage, precision=0.9, budget_s=60) for _ in range(2)
    )
    assert one.found_score == other.found_score
    assert one.first == other.first


def test_a_library_of_one_video_can_still_say_not_found(tmp_path: Path, encoder_file: Path, uncalibrated: None) -> None:
    single = open_library(tmp_path / "home", encoder_file)
    store_video(single.catalogue, single.storage, "only", seed=1, seconds=30)
    bundle = open_bundle(single.storage, single.publish().index_id)
    calibration = calibrate(bundle.gallery, bundle.encoder, single.storage, precision=0.99, budget_s=60)
    assert calibration.figures["queries_not_in_library"] > 0
    assert calibration.found_score > 0.3
    assert calibration.figures["clean_found"] >= 0.9


def test_copies_of_a_film_do_not_count_against_each_other(
    tmp_path: Path, encoder_file: Path, uncalibrated: None
) -> None:
    copies = open_library(tmp_path / "home", encoder_file)
    for name, seed in (("film", 1), ("film again", 1), ("other", 2)):
        store_video(copies.catalogue, copies.storage, name, seed=seed, seconds=24)
    bundle = open_bundle(copies.storage, copies.publish().index_id)
    figures = calibrate(bundle.gallery, bundle.encoder, copies.storage, precision=0.99, budget_s=60).figures
    assert figures["clean_video_at_1"] == 1
    assert figures["found_precision"] >= 0.98


def test_unreadable_frames_cost_only_their_own_probes(library: Library) -> None:
    bundle = open_bundle(library.storage, library.publish().index_id)
    file = library.storage.root / layout.frames("v1")
    file.write_bytes(b"PAR1 garbage PAR1")
    calibration = calibrate(bundle.gallery, bundle.encoder, library.storage, precision=0.9, budget_s=60)
    assert calibration.method == "probes"
    assert calibration.figures["probe_frames"] >= 8
