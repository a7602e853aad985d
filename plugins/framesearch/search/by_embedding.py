"""Evidence of the embeddings: which frames look like the query as a whole, in any of its views."""

import numpy as np

from framesearch.search.evidence import Candidate, Pool

DEPTH = 256  # rows looked at a view: a still scene of some minutes may fill as many

TERM = "similarity"


class ByEmbedding:
    """The rows nearest to each view of the query."""

    def propose(self, pool: Pool, depth: int = DEPTH) -> None:
        """Add the `depth` rows nearest to each view, the nearest first."""
        query = pool.query
        similarities, rows = pool.gallery.nearest(query.vectors, depth, without=pool.without)
        order = np.argsort(-similarities, axis=None, kind="stable")
        for place in order[rows.reshape(-1)[order] >= 0]:
            view, row = int(place) // rows.shape[1], int(rows.reshape(-1)[place])
            if row not in pool.candidates:
                similarity = float(similarities.reshape(-1)[place])
                pool.candidates[row] = Candidate(row, {TERM: similarity}, view, query.direction(view))

    def weigh(self, pool: Pool) -> None:
        """Compare the rows that others proposed."""
        unseen = [candidate for candidate in pool.candidates.values() if TERM not in candidate.terms]
        known = pool.gallery.vectors(np.array([one.row for one in unseen], np.int64)) @ pool.query.vectors.T
        for candidate, by_view in zip(unseen, known, strict=True):
            candidate.terms[TERM], candidate.view = float(by_view.max()), int(by_view.argmax())
