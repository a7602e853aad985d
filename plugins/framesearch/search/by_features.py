"""Evidence of local features: which frames show parts of the query, all in one placement."""

import numpy as np

from framesearch.images.keypoints import Keypoints
from framesearch.index.codebook import places_in
from framesearch.index.gallery import Gallery
from framesearch.index.visual_words import Matches
from framesearch.search.evidence import NEAREST, Candidate, Pool
from framesearch.search.placement import Alignment, align

_PROPOSED = 60  # rows a direction
_FEW = 8.0  # agreement that chance brings about now and then

TERM = "agreement"


class ByFeatures:
    """The rows whose local features agree on one placement in the query, or in its mirror image."""

    def propose(self, pool: Pool) -> None:
        """Add the rows that local features find, and place these and the rows that were proposed first."""
        near = np.array(list(pool.candidates)[:NEAREST], np.int64)
        alignments: dict[int, tuple[Alignment, int]] = {}
        for direction, keypoints in enumerate(pool.query.keypoints):
            matches = pool.gallery.match(keypoints)
            votes = pool.gallery.votes(matches, without=pool.without)
            voted = np.argpartition(-votes, min(_PROPOSED, len(votes) - 1))[:_PROPOSED]
            wanted = matches.of_rows(np.union1d(voted[votes[voted] > 0], near))
            for row, alignment in _alignments(pool.gallery, keypoints, wanted):
                if row not in alignments or alignment.agreement > alignments[row][0].agreement:
                    alignments[row] = alignment, direction
        for row, (alignment, direction) in alignments.items():
            candidate = pool.candidates.setdefault(row, Candidate(row))
            candidate.alignment, candidate.direction = alignment, direction

    def weigh(self, pool: Pool) -> None:
        """Note how much agrees."""
        for candidate in pool.candidates.values():
            candidate.terms[TERM] = float(np.log1p(candidate.agreement / _FEW))


def _alignments(gallery: Gallery, keypoints: Keypoints, matches: Matches) -> list[tuple[int, Alignment]]:
    """The rows whose matches agree on a placement."""
    places, arrows = places_in(keypoints)
    stored_places, stored_arrows = gallery.matched_places(matches)
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
