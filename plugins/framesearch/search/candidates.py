"""Which stored frames a picture may show: by embedding and by local features, and where those place it."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from framesearch.images.keypoints import Keypoints
from framesearch.index.bundle import Bundle
from framesearch.index.codebook import places_in, places_of
from framesearch.index.visual_words import Matches
from framesearch.search.placement import Alignment, align
from framesearch.search.query import Query
from framesearch.search.score import Candidate

_BY_FEATURES = 60  # rows a direction
NEAREST = 40  # rows by embedding whose placement is looked for, too


Pictures = Callable[[Iterable[int]], Mapping[int, np.ndarray]]
"""Gives the stored frames of rows, RGB uint8 (H, W, 3), those that can be had."""


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
