"""Evidence that a stored frame is what a query shows, one kind beside the other.

A kind of evidence is a class in a module of its own, listed in `ranking.EVIDENCE`. It may propose rows, and it weighs
the rows that any kind proposed. What it finds is noted on the candidate as named terms, which `index.score` adds up.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from framesearch.images.overlay import NO_LIKENESS, Likeness
from framesearch.index.gallery import Gallery
from framesearch.index.score import Weights
from framesearch.search.placement import Alignment
from framesearch.search.query import Query

NEAREST = 40  # of the rows that were proposed first, by embedding: looked at by all evidence

Pictures = Callable[[Iterable[int]], Mapping[int, np.ndarray]]
"""Gives the stored frames of rows, RGB uint8 (H, W, 3), those that can be had."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A row that may be what the query shows, and what is known of it.

    Attributes:
        terms: what each kind of evidence says, by the names that `index.score.Weights` has for them.
        view: the best view.
        direction: 1 where the features of the mirrored query agree, else 0.
        alignment: what local features agree on, None where they do not.
        likeness: of the pixels.
        placement: by which they were compared: float64 (3, 3), a homography from the frame to the query, both in
            heights of their picture; None where they were not. `placement_direction` is as `direction`.
    """

    row: int
    terms: dict[str, float] = field(default_factory=dict)
    view: int = 0
    direction: int = 0
    alignment: Alignment | None = None
    likeness: Likeness = NO_LIKENESS
    placement: np.ndarray | None = None
    placement_direction: int = 0

    @property
    def similarity(self) -> float:
        """Inner product of the embeddings with the best view's, -1 to 1; -1 where they were not compared."""
        return self.terms.get("similarity", -1.0)

    @property
    def agreement(self) -> float:
        """Of the local features; 0 where they do not agree."""
        return self.alignment.agreement if self.alignment else 0.0


@dataclass(slots=True, eq=False)
class Pool:
    """One search under way.

    Attributes:
        pictures: gives the stored frames.
        without: rows that are not to be found.
        candidates: all that were proposed, by row.
        degraded: whether stored frames that were to be compared could not be had.
    """

    gallery: Gallery
    query: Query
    pictures: Pictures
    weights: Weights
    without: range | None = None
    candidates: dict[int, Candidate] = field(default_factory=dict)
    degraded: bool = False

    def score(self, candidate: Candidate) -> float:
        """All evidence for a candidate, weighed."""
        return self.weights.score(candidate.terms)


class Evidence(Protocol):
    """One kind of evidence."""

    def propose(self, pool: Pool) -> None:
        """Add rows to the pool's candidates, in the order in which this evidence speaks for them."""

    def weigh(self, pool: Pool) -> None:
        """Note on the candidates what this evidence says of them, whoever proposed them."""
