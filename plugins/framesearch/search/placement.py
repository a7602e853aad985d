"""Where a frame lies in a query: whether their matching local features agree on one placement.

Every match proposes a similarity from its own position, size and direction; the one that most others agree with is
refined to an affine map (fast spatial matching, Philbin et al. 2007, https://doi.org/10.1109/CVPR.2007.383172). Stored
features are all this needs: no picture is read.
"""

from dataclasses import dataclass

import numpy as np

_REACH = 0.03  # of the query's height: matches that lie this close to where the map puts them agree with it
_LOOSE = 2.5  # times as far is close enough for a similarity, which squashed and tilted pictures are not
_MOST_MATCHES = 90  # of a frame, the weightiest: each is tried as a proposal
_PROPOSALS = 6  # of which those are refined that differ
_LEAST_AGREEING = 3
_AFFINE_FROM = 5  # matches: fewer do not fix an affine map, the similarity stands
_SMALLEST, _LARGEST, _MOST_SQUASHED = 0.2, 6.0, 2.5  # scale of a sane placement, and ratio of its two scales


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where a frame lies in a query.

    Attributes:
        agreement: sum of the weights of the query's features that agree; 0 where nothing was matched.
        features: how many those are.
        affine: float64 (2, 3), from the frame to the query, both in heights of their picture.
    """

    agreement: float
    features: int
    affine: np.ndarray

    @property
    def placement(self) -> np.ndarray:
        """The same as a homography: float64 (3, 3)."""
        return np.vstack([self.affine, (0.0, 0.0, 1.0)])


def align(
    query: tuple[np.ndarray, np.ndarray], frame: tuple[np.ndarray, np.ndarray], weights: np.ndarray, which: np.ndarray
) -> Alignment | None:
    """The placement of a frame in a query that most of their matches agree with; None where they do not agree.

    Args:
        query, frame: places and arrows of the matched features, complex64 (M,) each: see `codebook.places_of`.
        weights: float32 (M,), of the matches.
        which: int (M,), of the query's features each match is: one that matched several counts once.
    """
    if len(weights) < _LEAST_AGREEING:
        return None
    if len(weights) > _MOST_MATCHES:
        best = np.argpartition(-weights, _MOST_MATCHES)[:_MOST_MATCHES]
        query, frame = (query[0][best], query[1][best]), (frame[0][best], frame[1][best])
        weights, which = weights[best], which[best]
    turn = query[1] / frame[1]
    shift = query[0] - turn * frame[0]
    misses = turn[:, None] * frame[0][None, :] + (shift[:, None] - query[0][None, :])
    agreeing = misses.real**2 + misses.imag**2 < (_LOOSE * _REACH) ** 2
    support = agreeing @ weights
    found: Alignment | None = None
    tried = np.zeros(len(weights), bool)  # matches that agreed with an earlier proposal: theirs is the same again
    for proposal in np.argsort(-support)[:_PROPOSALS]:
        if tried[proposal] or agreeing[proposal].sum() < _LEAST_AGREEING:
            continue
        if found is not None and support[proposal] <= found.agreement:
            break
        tried |= agreeing[proposal]
        refined = _refined(query[0], frame[0], weights, agreeing[proposal], turn[proposal], shift[proposal])
        if refined is None:
            continue
        affine, inliers = refined
        order = np.lexsort((-weights[inliers], which[inliers]))
        _, first = np.unique(which[inliers][order], return_index=True)
        agreement = float(weights[inliers][order][first].sum())
        if len(first) >= _LEAST_AGREEING and (found is None or agreement > found.agreement):
            found = Alignment(agreement, len(first), affine)
    return found


def _refined(
    query: np.ndarray, frame: np.ndarray, weights: np.ndarray, inliers: np.ndarray, turn: complex, shift: complex
) -> tuple[np.ndarray, np.ndarray] | None:
    """An affine map fitted to those that agree, twice anew, and who agrees with it; None where it is not sane."""
    points = np.stack([frame.real, frame.imag, np.ones(len(frame))], axis=1).astype(np.float64)
    targets = np.stack([query.real, query.imag], axis=1).astype(np.float64)
    affine = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    for reach in (1.5 * _REACH, _REACH, _REACH):
        if inliers.sum() < _LEAST_AGREEING:
            return None
        if inliers.sum() >= _AFFINE_FROM:
            root = np.sqrt(weights[inliers])[:, None]
            affine = np.linalg.lstsq(points[inliers] * root, targets[inliers] * root, rcond=None)[0].T
        inliers = ((points @ affine.T - targets) ** 2).sum(axis=1) < reach**2
    scales = np.linalg.svd(affine[:, :2], compute_uv=False)
    sane = np.linalg.det(affine[:, :2]) > 0 and scales[1] > _SMALLEST and scales[0] < _LARGEST
    if not sane or scales[0] > _MOST_SQUASHED * scales[1] or inliers.sum() < _LEAST_AGREEING:
        return None
    return affine, inliers
