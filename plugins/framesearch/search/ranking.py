"""From a picture to ranked places in an index: the search itself, the same for people's queries and for calibration.

Candidates come from two sides, by embedding and by local features, and are then verified: the features must agree on
one placement of the frame in the query, and the frame laid over the query must look like it. What the three say is
weighed together into one score.
"""

from dataclasses import dataclass

import numpy as np

from framesearch.images.views import MIRRORED, TURNED
from framesearch.index.bundle import Bundle
from framesearch.search.candidates import Candidate, Pictures, add_by_features, by_embedding
from framesearch.search.query import Query
from framesearch.search.verification import verify

NEIGHBOUR_S = 2.0  # a frame this close to a better match of the same video is the same find

_BY_EMBEDDING = 256  # rows looked at a view: a still scene of some minutes may fill as many
_MOST_CANDIDATES = 8192
_BLOCK = 64  # rows compared at a time while following a still scene


@dataclass(frozen=True, slots=True)
class Place:
    """One find in an index.

    Attributes:
        row: the best frame.
        video: its video, as a place in `Bundle.videos`.
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


def rank(bundle: Bundle, query: Query, top: int, pictures: Pictures, *, without: range | None = None) -> list[Place]:
    """The best places for a query, at most one a scene.

    Args:
        pictures: gives the frames that are compared; where it has none, the rest of the evidence decides.
        without: rows not to be found.
    """
    depth = _BY_EMBEDDING
    candidates = by_embedding(bundle, query, depth, without)
    add_by_features(bundle, query, candidates, without)
    verify(bundle, query, list(candidates.values()), pictures)
    places = _group(bundle, query, candidates, top)
    while len(places) < top and depth < min(len(bundle.index), _MOST_CANDIDATES):
        depth *= 8  # one scene filled the candidates: look further down
        candidates = by_embedding(bundle, query, depth, without) | candidates
        places = _group(bundle, query, candidates, top)
    return places


# ---- places


def _group(bundle: Bundle, query: Query, candidates: dict[int, Candidate], top: int) -> list[Place]:
    """The best candidates, each standing for its scene."""
    order = sorted(candidates.values(), key=lambda one: -one.score)
    rows = np.array([one.row for one in order], np.int64)
    videos, times, until_s = bundle.video_of_row[rows], bundle.timestamps_s[rows], bundle.until_s[rows]
    left = np.ones(len(order), bool)
    places: list[Place] = []
    while len(places) < top and left.any():
        best = order[int(np.argmax(left))]
        video = int(bundle.video_of_row[best.row])
        first_row, last_row = _still_scene(bundle, best.row, bundle.rows_of(video))
        places.append(
            Place(
                best.row,
                video,
                best.score,
                best.similarity,
                _view_name(query, best),
                _box(bundle, query, best),
                first_row,
                last_row,
                best.placement,
                best.placement_direction,
            )
        )
        start_s, end_s = bundle.timestamps_s[first_row], bundle.until_s[last_row]
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


def _box(bundle: Bundle, query: Query, candidate: Candidate) -> np.ndarray | None:
    """Where the frame's corners lie: as its pixels say, where they were compared, else as its features do."""
    if candidate.alignment is None:
        return None
    placement, direction = candidate.placement, candidate.placement_direction
    if placement is None:
        placement, direction = candidate.alignment.placement, candidate.direction
    aspect = float(bundle.aspects[candidate.row])
    corners = np.array([[0, 0, 1], [aspect, 0, 1], [aspect, 1, 1], [0, 1, 1]]) @ placement.T
    corners = corners[:, :2] / corners[:, 2:]
    corners[:, 0] /= query.aspect
    if direction:
        corners[:, 0] = 1 - corners[:, 0]
    return corners


def _still_scene(bundle: Bundle, row: int, rows: range) -> tuple[int, int]:
    """The first and last row of the unbroken run around `row` whose frames look the same as it."""
    (vector,) = bundle.index.vectors(range(row, row + 1))
    least = bundle.card.calibration.still_score * np.linalg.norm(vector)

    def run(outward: range) -> int:
        length = 0
        for start in range(0, len(outward), _BLOCK):
            block = bundle.index.vectors(outward[start : start + _BLOCK])
            same = block @ vector >= least * np.linalg.norm(block, axis=1)
            if not same.all():
                return length + int(np.argmin(same))
            length += len(block)
        return length

    return row - run(range(row - 1, rows.start - 1, -1)), row + run(range(row + 1, rows.stop))
