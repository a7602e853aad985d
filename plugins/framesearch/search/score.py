"""What speaks for a candidate, and how it is weighed."""

from dataclasses import dataclass

import numpy as np

from framesearch.images.overlay import NO_LIKENESS, Likeness
from framesearch.search.placement import Alignment

# What speaks for a candidate, weighed: fitted on probe frames of real footage under the gate's transforms, as a choice
# among the candidates of each query (conditional logit).
_BY_SIMILARITY, _BY_AGREEMENT = 12.2, 3.6
_BY_ROBUST, _BY_PLAIN, _BY_FINE_ROBUST, _BY_FINE_PLAIN = 1.1, 0.93, 1.4, 2.0
_FEW = 8.0  # agreement that chance brings about now and then
_ALL, _ALL_FINE = 1.005, 1.05  # likenesses count by how little is missing to these


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
