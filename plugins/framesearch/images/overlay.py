"""A stored frame laid over a query: how much of the query's pixels does it explain?

Local features tell which scene it is; neighbouring seconds that share all their background differ in pixels only.
"""

from dataclasses import dataclass

import cv2
import numpy as np

HEIGHT = 120  # pixels: pictures are compared at
_GRAIN = 4.0  # grey levels squared, of noise: no residual is smaller
_OUTLIER = 25.0  # grey levels: a pixel that differs by more was covered by something
_LEAST_SHARE = 0.05  # of the query that the frame must cover


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a query and a frame laid over it are: shares of the query's contrast that the frame explains, 0 to 1.

    Attributes:
        plain: of all pixels: what moved counts in full.
        robust: pixels count up to a limit: captions, buttons and glare cost little.
    """

    plain: float
    robust: float


NO_LIKENESS = Likeness(0.0, 0.0)


def filling(query_aspect: float, frame_aspect: float) -> np.ndarray:
    """The placement of a frame that fills the query, whatever their aspects: float64 (2, 3)."""
    return np.array([[query_aspect / frame_aspect, 0, 0], [0, 1, 0]], np.float64)


def prepared(rgb: np.ndarray, height: int = HEIGHT) -> np.ndarray:
    """A query as `compare` takes it: grey float32 (height, W), smoothed as warped frames are."""
    width = max(8, round(rgb.shape[1] * height / rgb.shape[0]))
    shrinks = rgb.shape[0] > height
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)


def compare(query: np.ndarray, frame: np.ndarray, affine: np.ndarray) -> Likeness:
    """Lay a frame over a query and compare the pixels that both show, up to brightness and contrast.

    Args:
        query: as `prepared` gives it.
        frame: RGB uint8 (H, W, 3).
        affine: float64 (2, 3), see `placement.Alignment`.
    """
    frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = query.shape
    matrix = affine * height
    matrix[:, :2] /= frame.shape[0]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.7:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.5 / scale)
    laid = cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR)
    covered = cv2.warpAffine(np.full_like(frame, 255), matrix, (width, height), flags=cv2.INTER_NEAREST) == 255
    if covered.mean() < _LEAST_SHARE:
        return NO_LIKENESS
    seen = query[covered]
    shown = cv2.GaussianBlur(laid.astype(np.float32), (0, 0), 1.0)[covered]
    seen, shown = seen - seen.mean(), shown - shown.mean()
    contrast = float(seen @ seen) / len(seen) + _GRAIN
    gain = max(0.0, float(seen @ shown) / (float(shown @ shown) + _GRAIN * len(shown)))
    residual = np.abs(seen - gain * shown)
    plain = 1 - float(residual @ residual) / len(residual) / contrast
    np.minimum(residual, _OUTLIER, out=residual)
    robust = 1 - float(residual @ residual) / len(residual) / min(contrast, _OUTLIER**2)
    return Likeness(max(0.0, plain), max(0.0, robust))
