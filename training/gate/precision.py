"""How precise answers are when they are pooled and sorted by how sure they are."""

from dataclasses import dataclass

import numpy as np

PRECISION = 0.9


@dataclass(frozen=True, slots=True)
class PooledPrecision:
    """All first answers, pooled and sorted by how sure the system is.

    Attributes:
        average: micro average precision (ISC2021).
        recall: the largest recall at a precision of at least .9.
        threshold: how sure the system is of the last answer of those; infinite where none is that precise.
        precisions, recalls: of the curve.
    """

    average: float
    recall: float
    threshold: float
    precisions: np.ndarray
    recalls: np.ndarray


def pooled_precision(sure: np.ndarray, right: np.ndarray, positives: int) -> PooledPrecision:
    """Pool answers as the image similarity challenge does (Douze et al., https://arxiv.org/abs/2106.09672).

    Among ties wrong answers come first. `positives` are all queries that have a right answer, the missed ones too.
    """
    answered = np.isfinite(sure)
    sure, right = sure[answered], right[answered]
    order = np.lexsort((right, -sure))
    hits = right[order]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    recalls = np.cumsum(hits) / max(1, positives)
    precise = np.flatnonzero(precisions >= PRECISION)
    last = int(precise[-1]) if len(precise) else -1
    return PooledPrecision(
        float((precisions * hits).sum() / max(1, positives)),
        float(recalls[last]) if last >= 0 else 0.0,
        float(sure[order][last]) if last >= 0 else float("inf"),
        precisions,
        recalls,
    )
