"""From a picture to ranked places in a gallery: the search itself, the same for people's queries and for calibration.

Frames are proposed from two sides, by embedding and by local features, and then verified: the features must agree on
one placement of the frame in the query, and the frame laid over the query must look like it. What all of them say is
weighed together into one score.
"""

from dataclasses import dataclass

import numpy as np

from framesearch.images.views import MIRRORED, TURNED
from framesearch.index.card import STILL_SCORE
from framesearch.index.gallery import Gallery
from framesearch.index.score import WEIGHTS, Weights
from framesearch.search.by_embedding import DEPTH, ByEmbedding
from framesearch.search.by_features import ByFeatures
from framesearch.search.by_pixels import ByPixels
from framesearch.search.evidence import Candidate, Evidence, Pictures, Pool
from framesearch.search.query import Query

NEIGHBOUR_S = 2.0  # a frame this close to a better match of the same video is the same find

_MOST_CANDIDATES = 8192
_BLOCK = 64  # rows compared at a time while following a still scene

_BY_EMBEDDING = ByEmbedding()
EVIDENCE: tuple[Evidence, ...] = (_BY_EMBEDDING, ByFeatures(), ByPixels())
"""In the order in which they propose and weigh: each may build on what those before it found."""


@dataclass(frozen=True, slots=True)
class Place:
    """One find in an index.

    Attributes:
        row: the best frame.
        video: its video, as a place in `Gallery.video_ids`.
        score: the weighed evidence; higher is surer, without bounds.
        similarity: inner product of the embeddings with the best view's, -1 to 1.
        view: the reading of the query that won.
        box: float64 (4, 2), where the frame's corners (upper left, then clockwise) lie in the query, as shares of its
            width and height; None where no placement was found.
        first_row, last_row: the still scene around it, inclusive.
        placement: where the frame lies in the query by its pixels: float64 (3, 3), a homography between the two in
            heights of their picture; None where they were not compared or nothing is alike.
        direction: 1 where that is the mirrored query.
    """

    row: int
    video: int
    score: float
    similarity: float
    view: str
    box: np.ndarray | None
    first_row: int
    last_row: int
    placement: np.ndarray | None = None
    direction: int = 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a search came to.

    Attributes:
        places: best first, at most one a scene.
        degraded: stored frames that were to be compared could not be had: scores are lower than they would be.
    """

    places: list[Place]
    degraded: bool


def gather(
    gallery: Gallery, query: Query, pictures: Pictures, *, weights: Weights = WEIGHTS, without: range | None = None
) -> Pool:
    """All evidence for the frames that a query may show; arguments as of `rank`."""
    pool = Pool(gallery, query, pictures, weights, without)
    for kind in EVIDENCE:
        kind.propose(pool)
    for kind in EVIDENCE:
        kind.weigh(pool)
    return pool


def rank(
    gallery: Gallery,
    query: Query,
    top: int,
    pictures: Pictures,
    *,
    weights: Weights = WEIGHTS,
    still_score: float = STILL_SCORE,
    without: range | None = None,
) -> Ranked:
    """The best places for a query.

    Args:
        pictures: gives the frames that are compared; where it has none, the rest of the evidence decides.
        weights: of the evidence.
        still_score: neighbouring frames at least this similar show a still scene.
        without: rows not to be found.
    """
    pool = gather(gallery, query, pictures, weights=weights, without=without)
    depth = DEPTH
    places = _group(pool, top, still_score)
    while len(places) < top and depth < min(len(gallery), _MOST_CANDIDATES):
        depth *= 8  # one scene filled the candidates: look further down
        _BY_EMBEDDING.propose(pool, depth)
        places = _group(pool, top, still_score)
    return Ranked(places, pool.degraded)


# ---- places


def _group(pool: Pool, top: int, still_score: float) -> list[Place]:
    """The best candidates, each standing for its scene."""
    gallery, query = pool.gallery, pool.query
    order = sorted(pool.candidates.values(), key=lambda one: -pool.score(one))
    rows = np.array([one.row for one in order], np.int64)
    videos, times, until_s = gallery.video_of_row[rows], gallery.timestamps_s[rows], gallery.until_s[rows]
    left = np.ones(len(order), bool)
    places: list[Place] = []
    while len(places) < top and left.any():
        best = order[int(np.argmax(left))]
        video = int(gallery.video_of_row[best.row])
        first_row, last_row = _still_scene(gallery, best.row, gallery.rows_of(video), still_score)
        places.append(
            Place(
                best.row,
                video,
                pool.score(best),
                best.similarity,
                _view_name(query, best),
                _box(gallery, query, best),
                first_row,
                last_row,
                best.placement,
                best.placement_direction,
            )
        )
        start_s, end_s = gallery.timestamps_s[first_row], gallery.until_s[last_row]
        near = (until_s >= start_s - NEIGHBOUR_S) & (times <= end_s + NEIGHBOUR_S)
        left &= ~((videos == video) & near)
    return places


def _view_name(query: Query, candidate: Candidate) -> str:
    """The view whose embedding won, or the direction in which the placement was found, where that is another."""
    name = query.names[candidate.view]
    if candidate.alignment is None:
        return name
    (across, _, _), (down, _, _) = candidate.alignment.affine
    if abs(np.degrees(np.arctan2(down, across))) > 45:
        return f"{TURNED} and {MIRRORED}" if candidate.direction else TURNED
    if candidate.direction == query.direction(candidate.view):
        return name
    return MIRRORED if candidate.direction else "original"


def _box(gallery: Gallery, query: Query, candidate: Candidate) -> np.ndarray | None:
    """Where the frame's corners lie: as its pixels say, where they were compared, else as its features do."""
    if candidate.alignment is None:
        return None
    placement, direction = candidate.placement, candidate.placement_direction
    if placement is None:
        placement, direction = candidate.alignment.placement, candidate.direction
    aspect = float(gallery.aspects[candidate.row])
    corners = np.array([[0, 0, 1], [aspect, 0, 1], [aspect, 1, 1], [0, 1, 1]]) @ placement.T
    corners = corners[:, :2] / corners[:, 2:]
    corners[:, 0] /= query.aspect
    if direction:
        corners[:, 0] = 1 - corners[:, 0]
    result: np.ndarray | None = corners
    return result


def _still_scene(gallery: Gallery, row: int, rows: range, still_score: float) -> tuple[int, int]:
    """The first and last row of the unbroken run around `row` whose frames look the same as it."""
    (vector,) = gallery.vectors(range(row, row + 1))
    least = still_score * np.linalg.norm(vector)

    def run(outward: range) -> int:
        length = 0
        for start in range(0, len(outward), _BLOCK):
            block = gallery.vectors(outward[start : start + _BLOCK])
            same = block @ vector >= least * np.linalg.norm(block, axis=1)
            if not same.all():
                return length + int(np.argmin(same))
            length += len(block)
        return length

    return row - run(range(row - 1, rows.start - 1, -1)), row + run(range(row + 1, rows.stop))
