"""From a picture to ranked places in an index: the search itself, the same for people's queries and for calibration.

Candidates come from two sides, by embedding and by local features, and are then verified: the features must agree on
one placement of the frame in the query, and the frame laid over the query must look like it. What the three say is
weighed together into one score.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from framesearch.bundle import Bundle
from framesearch.codebook import places_in, places_of
from framesearch.images.keypoints import Keypoints, detect
from framesearch.images.overlay import NO_LIKENESS, Likeness, compare, filling, prepared
from framesearch.images.views import MIRRORED, TURNED, mirror, views
from framesearch.local_index import Matches
from framesearch.placement import Alignment, align

NEIGHBOUR_S = 2.0  # a frame this close to a better match of the same video is the same find

_QUERY_HEIGHT, _QUERY_FEATURES = 200, 300
_BY_EMBEDDING = 256  # rows looked at a view: a still scene of some minutes may fill as many
_BY_FEATURES = 60  # rows a direction
_ALIGNED = 40  # of those by embedding, whose placement is looked for, too
_COMPARED = 28  # rows whose pixels are compared: those that embedding and placement speak for most
_COMPARED_UNALIGNED = 8  # more, by embedding alone: soft and moving pictures have no features that agree
_MOST_CANDIDATES = 8192
_BLOCK = 64  # rows compared at a time while following a still scene

# What speaks for a candidate, weighed: fitted on probe frames of real footage under the gate's transforms, as a choice
# among the candidates of each query (conditional logit).
_BY_SIMILARITY, _BY_AGREEMENT, _BY_ROBUST, _BY_PLAIN = 15.0, 4.8, 3.7, 1.4
_FEW = 8.0  # agreement that chance brings about now and then
_NEARLY_ONE = 1.02  # likenesses count by how little is missing

Pictures = Callable[[Iterable[int]], Mapping[int, np.ndarray]]
"""Gives the stored frames of rows, RGB uint8 (H, W, 3), those that can be had."""


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
    """

    row: int
    video: int
    score: float
    similarity: float
    view: str
    box: np.ndarray | None
    first_row: int
    last_row: int


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture, ready to be searched for.

    Attributes:
        names: of its views.
        vectors: float32 (V, D), their embeddings.
        keypoints: of the picture and of its mirror image.
        grey: the two as `overlay.compare` takes them.
        aspect: width by height.
    """

    names: list[str]
    vectors: np.ndarray
    keypoints: tuple[Keypoints, Keypoints]
    grey: tuple[np.ndarray, np.ndarray]
    aspect: float


def read_query(bundle: Bundle, rgb: np.ndarray) -> Query:
    """Everything about a picture (RGB uint8 (H, W, 3)) that searching needs."""
    readings = views(rgb, bundle.encoder.height, bundle.encoder.width)
    keypoints = detect(rgb, height=_QUERY_HEIGHT, most=_QUERY_FEATURES)
    grey = prepared(rgb)
    return Query(
        list(readings),
        bundle.encoder.embed(list(readings.values())),
        (keypoints, keypoints.mirrored()),
        (grey, mirror(grey)),
        rgb.shape[1] / rgb.shape[0],
    )


@dataclass(slots=True, eq=False)
class _Candidate:
    """A row and what is known of it. `direction` is 1 where the mirrored query shows the frame."""

    row: int
    similarity: float
    view: int
    direction: int
    alignment: Alignment | None = None
    likeness: Likeness = NO_LIKENESS

    @property
    def evidence(self) -> float:
        """All but the pixels."""
        agreement = self.alignment.agreement if self.alignment else 0.0
        return _BY_SIMILARITY * self.similarity + _BY_AGREEMENT * float(np.log1p(agreement / _FEW))

    @property
    def score(self) -> float:
        """All evidence."""
        return (
            self.evidence
            - _BY_ROBUST * float(np.log(_NEARLY_ONE - self.likeness.robust))
            - _BY_PLAIN * float(np.log(_NEARLY_ONE - self.likeness.plain))
        )


def rank(bundle: Bundle, query: Query, top: int, pictures: Pictures, *, without: range | None = None) -> list[Place]:
    """The best places for a query, at most one a scene.

    Args:
        pictures: gives the frames that are compared; where it has none, the rest of the evidence decides.
        without: rows not to be found.
    """
    depth = _BY_EMBEDDING
    candidates = _by_embedding(bundle, query, depth, without)
    _place(bundle, query, candidates, without)
    _compare(bundle, query, list(candidates.values()), pictures)
    places = _group(bundle, query, candidates, top)
    while len(places) < top and depth < min(len(bundle.index), _MOST_CANDIDATES):
        depth *= 8  # one scene filled the candidates: look further down
        candidates = _by_embedding(bundle, query, depth, without) | candidates
        places = _group(bundle, query, candidates, top)
    return places


# ---- candidates


def _by_embedding(bundle: Bundle, query: Query, depth: int, without: range | None) -> dict[int, _Candidate]:
    """The rows nearest to any view, by row, nearest first."""
    similarities, rows = bundle.index.search(query.vectors, depth, without=without)
    found: dict[int, _Candidate] = {}
    order = np.argsort(-similarities, axis=None, kind="stable")
    for place in order[rows.reshape(-1)[order] >= 0]:
        view, row = int(place) // rows.shape[1], int(rows.reshape(-1)[place])
        if row not in found:
            found[row] = _Candidate(row, float(similarities.reshape(-1)[place]), view, _direction(query, view))
    return found


def _place(bundle: Bundle, query: Query, found: dict[int, _Candidate], without: range | None) -> None:
    """Add the rows that local features find, and the placements of these and of the nearest by embedding."""
    near = np.array(list(found)[:_ALIGNED], np.int64)
    alignments: dict[int, tuple[Alignment, int]] = {}
    for direction, keypoints in enumerate(query.keypoints):
        matches = bundle.local.match(keypoints)
        votes = bundle.local.votes(matches)
        if without is not None:
            votes[without.start : without.stop] = 0
        voted = np.argpartition(-votes, min(_BY_FEATURES, len(votes) - 1))[:_BY_FEATURES]
        wanted = matches.of_rows(np.union1d(voted[votes[voted] > 0], near))
        for row, alignment in _alignments(bundle, keypoints, wanted):
            if row not in alignments or alignment.agreement > alignments[row][0].agreement:
                alignments[row] = alignment, direction
    unseen = [row for row in alignments if row not in found]
    known = bundle.index.vectors(np.array(unseen, np.int64)) @ query.vectors.T
    for row, by_view in zip(unseen, known, strict=True):
        found[row] = _Candidate(row, float(by_view.max()), int(by_view.argmax()), 0)
    for row, (alignment, direction) in alignments.items():
        found[row].alignment, found[row].direction = alignment, direction


def _direction(query: Query, view: int) -> int:
    return int(MIRRORED in query.names[view])


def _alignments(bundle: Bundle, keypoints: Keypoints, matches: Matches) -> list[tuple[int, Alignment]]:
    """The rows whose matches agree on a placement."""
    places, arrows = places_in(keypoints)
    features = bundle.local.features[matches.feature]
    stored_places, stored_arrows = places_of(features, bundle.aspects[matches.row])
    rows, starts, counts = np.unique(matches.row, return_index=True, return_counts=True)
    found = []
    for row, start, count in zip(rows, starts, counts, strict=True):
        own = slice(start, start + count)
        which = matches.query[own]
        alignment = align(
            (places[which], arrows[which]), (stored_places[own], stored_arrows[own]), matches.weight[own], which
        )
        if alignment is not None:
            found.append((int(row), alignment))
    return found


# ---- pixels


def _compare(bundle: Bundle, query: Query, candidates: list[_Candidate], pictures: Pictures) -> None:
    """Compare the pixels of the candidates that the rest speaks for most.

    Each is laid over the query as its own features say, as those of the video's best frame say (a scene's background
    fixes it better than what moves), and as a whole.
    """
    leading = sorted(candidates, key=lambda one: -one.evidence)[:_COMPARED]
    chosen = {one.row for one in leading}
    leading += [one for one in candidates[:_ALIGNED] if one.row not in chosen][:_COMPARED_UNALIGNED]
    best: dict[int, _Candidate] = {}
    for one in leading:
        video = int(bundle.video_of_row[one.row])
        if one.alignment and (video not in best or one.alignment.agreement > _agreement(best[video])):
            best[video] = one
    frames = pictures(one.row for one in leading)
    for one in leading:
        rgb = frames.get(one.row)
        if rgb is None:
            continue
        placements: list[tuple[np.ndarray, int]] = []
        if one.alignment is not None:
            placements.append((one.alignment.affine, one.direction))
        leader = best.get(int(bundle.video_of_row[one.row]))
        if leader is not None and leader is not one and leader.alignment is not None:
            placements.append((leader.alignment.affine, leader.direction))
        if "trimmed" not in query.names[one.view]:
            placements.append((filling(query.aspect, rgb.shape[1] / rgb.shape[0]), _direction(query, one.view)))
        for affine, direction in placements:
            likeness = compare(query.grey[direction], rgb, affine)
            if likeness.robust + likeness.plain > one.likeness.robust + one.likeness.plain:
                one.likeness = likeness


def _agreement(candidate: _Candidate) -> float:
    return candidate.alignment.agreement if candidate.alignment else 0.0


# ---- places


def _group(bundle: Bundle, query: Query, candidates: dict[int, _Candidate], top: int) -> list[Place]:
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
            )
        )
        start_s, end_s = bundle.timestamps_s[first_row], bundle.until_s[last_row]
        near = (until_s >= start_s - NEIGHBOUR_S) & (times <= end_s + NEIGHBOUR_S)
        left &= ~((videos == video) & near)
    return places


def _view_name(query: Query, candidate: _Candidate) -> str:
    """The view whose embedding won, or the direction in which the placement was found, where that is another."""
    name = query.names[candidate.view]
    if candidate.alignment is None:
        return name
    (across, _, _), (down, _, _) = candidate.alignment.affine
    if abs(np.degrees(np.arctan2(down, across))) > 45:
        return f"{TURNED} and {MIRRORED}" if candidate.direction else TURNED
    if candidate.direction == _direction(query, candidate.view):
        return name
    return MIRRORED if candidate.direction else "original"


def _box(bundle: Bundle, query: Query, candidate: _Candidate) -> np.ndarray | None:
    if candidate.alignment is None:
        return None
    aspect = float(bundle.aspects[candidate.row])
    corners = np.array([[0, 0, 1], [aspect, 0, 1], [aspect, 1, 1], [0, 1, 1]]) @ candidate.alignment.affine.T
    corners[:, 0] /= query.aspect
    if candidate.direction:
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
