"""Kinds of evidence, each by itself: which rows it proposes, and how it weighs those that others proposed."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_fixtures import Library
from leafy_pictures import leaves
from stored_frames import picture, store_video

from framesearch.index.bundle import Bundle, open_bundle
from framesearch.index.score import WEIGHTS, Weights
from framesearch.search.by_embedding import ByEmbedding
from framesearch.search.by_features import ByFeatures
from framesearch.search.by_pixels import ByPixels
from framesearch.search.evidence import Candidate, Pool
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader
from framesearch.search.query import read_query
from framesearch.search.ranking import EVIDENCE, rank


def nothing(rows: Iterable[int]) -> Mapping[int, np.ndarray]:
    """A storage that has lost all frames."""
    return {}


@pytest.fixture
def bundle(library: Library) -> Bundle:
    return open_bundle(library.storage, library.publish().index_id, threads=1)


def pool_of(bundle: Bundle, rgb: np.ndarray, pictures=nothing, without: range | None = None) -> Pool:
    return Pool(bundle.gallery, read_query(bundle.encoder, rgb), pictures, WEIGHTS, without)


def stored(bundle: Bundle, library: Library):
    return FrameCache(FrameReader(library.storage)).of(bundle.gallery)


# ---- embeddings


def test_embeddings_propose_the_nearest_rows_first(bundle: Bundle) -> None:
    pool = pool_of(bundle, picture(1, 4.0))
    ByEmbedding().propose(pool, depth=5)
    candidates = list(pool.candidates.values())
    assert candidates[0].row == bundle.gallery.rows_of(1)[8]
    similarities = [one.similarity for one in candidates]
    assert similarities == sorted(similarities, reverse=True)
    assert all(one.terms == {"similarity": one.similarity} for one in candidates)


def test_rows_that_are_left_out_are_not_proposed(bundle: Bundle) -> None:
    rows = bundle.gallery.rows_of(1)
    pool = pool_of(bundle, picture(1, 4.0), without=rows)
    for kind in EVIDENCE:
        kind.propose(pool)
    assert pool.candidates
    assert not set(pool.candidates) & set(rows)


def test_embeddings_weigh_what_others_proposed(bundle: Bundle) -> None:
    pool = pool_of(bundle, picture(1, 4.0))
    pool.candidates = {3: Candidate(3), 30: Candidate(30)}
    ByEmbedding().weigh(pool)
    for row, candidate in pool.candidates.items():
        best = (bundle.gallery.vectors(range(row, row + 1)) @ pool.query.vectors.T).max()
        assert candidate.terms["similarity"] == candidate.similarity == pytest.approx(best, abs=1e-6)


# ---- local features


@pytest.fixture
def leafy(library: Library) -> Bundle:
    """Beside the others a video rich in detail, another scene every second."""
    store_video(
        library.catalogue, library.storage, "leafy", seed=0, seconds=6, shown=lambda time_s: leaves(int(time_s))
    )
    return open_bundle(library.storage, library.publish().index_id, threads=1)


def row_of_second(bundle: Bundle, second: int) -> int:
    rows = bundle.gallery.rows_of(bundle.gallery.video_ids.index("leafy"))
    return next(row for row in rows if bundle.gallery.timestamps_s[row] == second)


def test_features_place_a_frame_in_a_larger_picture(leafy: Bundle) -> None:
    """A page with a small player: the embedding knows another picture, features find the frame and where it lies."""
    shown = leaves(3)
    height, width = shown.shape[:2]
    page = np.full((2 * height, 2 * width, 3), 235, np.uint8)
    page[60 : 60 + height, 200 : 200 + width] = shown
    pool = pool_of(leafy, page)
    ByFeatures().propose(pool)
    ByFeatures().weigh(pool)
    best = max(pool.candidates.values(), key=lambda one: one.terms["agreement"])
    assert best.row == row_of_second(leafy, 3)
    corner, far = best.alignment.placement @ [0, 0, 1], best.alignment.placement @ [width / height, 1, 1]
    np.testing.assert_allclose(len(page) * corner[:2], [200, 60], atol=6)
    np.testing.assert_allclose(len(page) * far[:2], [200 + width, 60 + height], atol=6)


def test_features_find_the_mirror_image(leafy: Bundle) -> None:
    pool = pool_of(leafy, leaves(3)[:, ::-1])
    ByFeatures().propose(pool)
    best = max(pool.candidates.values(), key=lambda one: one.agreement)
    assert (best.row, best.direction) == (row_of_second(leafy, 3), 1)


def test_without_features_nothing_agrees(bundle: Bundle) -> None:
    pool = pool_of(bundle, np.full((90, 160, 3), 100, np.uint8))
    pool.candidates = {5: Candidate(5)}
    ByFeatures().propose(pool)
    ByFeatures().weigh(pool)
    assert [one.terms["agreement"] for one in pool.candidates.values()] == [0.0]


# ---- pixels


def test_pixels_tell_neighbouring_moments_apart(bundle: Bundle, library: Library) -> None:
    pool = pool_of(bundle, picture(0, 2.0), stored(bundle, library))
    rows = bundle.gallery.rows_of(0)[3:6]  # 1.5, 2.0 and 2.5 s
    pool.candidates = {row: Candidate(row, {"similarity": 0.9}) for row in rows}
    ByPixels().weigh(pool)
    assert max(pool.candidates.values(), key=pool.score).row == rows[1]
    assert not pool.degraded
    assert {"robust", "plain", "fine_robust", "fine_plain"} <= set(pool.candidates[rows[1]].terms)


def test_frames_that_can_not_be_had_are_told(bundle: Bundle) -> None:
    pool = pool_of(bundle, picture(0, 2.0))
    pool.candidates = {4: Candidate(4, {"similarity": 0.9})}
    ByPixels().weigh(pool)
    assert pool.degraded
    assert pool.candidates[4].terms == {"similarity": 0.9}


def test_a_search_without_frames_is_degraded_and_still_ranks(bundle: Bundle, library: Library) -> None:
    query = read_query(bundle.encoder, picture(0, 2.0))
    whole = rank(bundle.gallery, query, 3, stored(bundle, library))
    blind = rank(bundle.gallery, query, 3, nothing)
    assert (whole.degraded, blind.degraded) == (False, True)
    assert blind.places[0].video == whole.places[0].video == 0
    assert blind.places[0].score < whole.places[0].score


# ---- the score


def test_a_score_is_the_weighed_sum_of_its_terms() -> None:
    weights = Weights({"similarity": 2.0, "agreement": 3.0}, bias=-1.0)
    assert weights.score({"similarity": 0.5, "agreement": 1.0}) == 3.0
    assert weights.score({"similarity": 0.5}) == 0.0  # what is absent says nothing
    assert weights.score({"similarity": 0.5, "sound": 9.0}) == 0.0  # nor does what was never fitted


share = st.floats(0, 1)


@given(st.floats(-1, 1), st.floats(0, 200), share, share, share, share)
def test_scores_are_what_they_were_before_weights_were_recorded(
    similarity: float, agreement: float, robust: float, plain: float, fine_robust: float, fine_plain: float
) -> None:
    """Thresholds of older bundles are for these scores."""
    before = (
        12.2 * similarity
        + 3.6 * math.log1p(agreement / 8)
        - 1.1 * math.log(1.005 - robust)
        - 0.93 * math.log(1.005 - plain)
        - 1.4 * math.log(1.05 - fine_robust)
        - 2.0 * math.log(1.05 - fine_plain)
    )
    terms = {
        "similarity": similarity,
        "agreement": math.log1p(agreement / 8),
        "robust": -math.log(1 - robust / 1.005),
        "plain": -math.log(1 - plain / 1.005),
        "fine_robust": -math.log(1 - fine_robust / 1.05),
        "fine_plain": -math.log(1 - fine_plain / 1.05),
    }
    assert WEIGHTS.score(terms) == pytest.approx(before, abs=1e-9)
