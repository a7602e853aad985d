"""Which stored frames a picture may show: by embedding and by local features, and where those place it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from framesearch.bundle import Bundle
from framesearch.codebook import places_in, places_of
from framesearch.images.keypoints import Keypoints, detect
from framesearch.images.overlay import NO_LIKENESS, Likeness, Prepared, prepared
from framesearch.images.views import MIRRORED, mirror, views
from framesearch.local_index import Matches
from framesearch.placement import Alignment, align

_QUERY_HEIGHT, _QUERY_FEATURES = 200, 300
_BY_FEATURES = 60  # rows a direction
NEAREST = 40  # rows by embedding whose placement is looked for, too

# What speaks for a candidate, weighed: fitted on probe frames of real footage under the gate's transforms, as a choice
# among the candidates of each query (conditional logit).
_BY_SIMILARITY, _BY_AGREEMENT = 12.2, 3.6
_BY_ROBUST, _BY_PLAIN, _BY_FINE_ROBUST, _BY_FINE_PLAIN = 1.1, 0.93, 1.4, 2.0
_FEW = 8.0  # agreement that chance brings about now and then
_ALL, _ALL_FINE = 1.005, 1.05  # likenesses count by how little is missing to these

Pictures = Callable[[Iterable[int]], Mapping[int, np.ndarray]]
"""Gives the stored frames of rows, RGB uint8 (H, W, 3), those that can be had."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture, ready to be searched for.

    Attributes:
        names: of its views.
        vectors: float32 (V, D), their embeddings.
        keypoints: of the picture and of its mirror image.
        pixels: of the two.
        aspect: width by height.
    """

    names: list[str]
    vectors: np.ndarray
    keypoints: tuple[Keypoints, Keypoints]
    pixels: tuple[Prepared, Prepared]
    aspect: float

    def direction(self, view: int) -> int:
        """1 where a view is of the mirror image, else 0."""
        return int(MIRRORED in self.names[view])


def read_query(bundle: Bundle, rgb: np.ndarray) -> Query:
    """Everything about a picture (RGB uint8 (H, W, 3)) that searching needs."""
    readings = views(rgb, bundle.encoder.height, bundle.encoder.width)
    keypoints = detect(rgb, height=_QUERY_HEIGHT, most=_QUERY_FEATURES)
    pixels = prepared(rgb)
    return Query(
        list(readings),
        bundle.encoder.embed(list(readings.values())),
        (keypoints, keypoints.mirrored()),
        (pixels, Prepared(mirror(pixels.grey))),
        rgb.shape[1] / rgb.shape[0],
    )


@dataclass(slots=True, eq=False)
class Candidate:
    """A row and what is known of it.

    Attributes:
        similarity: inner product of the embeddings with the best view's, -1 to 1.
        view: the best view.
        alignment: what local features agree on, None where they do not.
        direction: 1 where the features of the mirrored query do, else 0.
        likeness, fine_likeness: of the pixels.
        placement: by which they were compared: float64 (3, 3), a homography from the frame to the query, both in
            heights of their picture; None where they were not. `placement_direction` is as `direction`.
    """

    row: int
    similarity: float
    view: int
    direction: int
    alignment: Alignment | None = None
    likeness: Likeness = NO_LIKENESS
    fine_likeness: Likeness = NO_LIKENESS
    placement: np.ndarray | None = None
    placement_direction: int = 0

    @property
    def agreement(self) -> float:
        """Of the local features; 0 where they do not agree."""
        return self.alignment.agreement if self.alignment else 0.0

    @property
    def evidence(self) -> float:
        """All but the pixels."""
        return _BY_SIMILARITY * self.similarity + _BY_AGREEMENT * float(np.log1p(self.agreement / _FEW))

    @property
    def score(self) -> float:
        """All evidence."""
        return (
            self.evidence
            - _BY_ROBUST * float(np.log(_ALL - self.likeness.robust))
            - _BY_PLAIN * float(np.log(_ALL - self.likeness.plain))
            - _BY_FINE_ROBUST * float(np.log(_ALL_FINE - self.fine_likeness.robust))
            - _BY_FINE_PLAIN * float(np.log(_ALL_FINE - self.fine_likeness.plain))
        )


def by_embedding(bundle: Bundle, query: Query, depth: int, without: range | None) -> dict[int, Candidate]:
    """The `depth` rows nearest to each view, by row, nearest first; none of those `without`."""
    similarities, rows = bundle.index.search(query.vectors, depth, without=without)
    found: dict[int, Candidate] = {}
    order = np.argsort(-similarities, axis=None, kind="stable")
    for place in order[rows.reshape(-1)[order] >= 0]:
        view, row = int(place) // rows.shape[1], int(rows.reshape(-1)[place])
        if row not in found:
            found[row] = Candidate(row, float(similarities.reshape(-1)[place]), view, query.direction(view))
    return found


def add_by_features(bundle: Bundle, query: Query, found: dict[int, Candidate], without: range | None) -> None:
    """Add the rows that local features find, and the placements of these and of the nearest by embedding."""
    near = np.array(list(found)[:NEAREST], np.int64)
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
        found[row] = Candidate(row, float(by_view.max()), int(by_view.argmax()), 0)
    for row, (alignment, direction) in alignments.items():
        found[row].alignment, found[row].direction = alignment, direction


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
