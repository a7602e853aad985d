"""A stored frame laid over a query: how much of the query's pixels does it explain?

Local features tell which scene it is; neighbouring seconds that share all their background differ in pixels only.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

HEIGHT = 120  # pixels: pictures are compared at
_GRAIN = 4.0  # grey levels squared, of noise: no residual is smaller
_OUTLIER = 25.0  # grey levels: a pixel that differs by more was covered by something
_FINE_GRAIN, _FINE_OUTLIER = 1.0, 12.0  # the same of what is fine
_FINE = 4.0  # pixels, standard deviation: what is coarser is left out of what is fine
_MOTION = 3.0  # pixels, standard deviation: blurred so, pixels change evenly while something moves by a few
_LEAST_GAIN = 0.1  # of contrast: a query fainter against the frame does not show it
_LEAST_SHARE = 0.05  # of the query that the frame must cover
_SMALLEST, _LARGEST = 0.1, 8.0  # pixels of the query a pixel of the frame


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike a query and a frame laid over it are: shares of the query's contrast that the frame explains, 0 to 1.

    Attributes:
        plain: of all pixels: what moved counts in full.
        robust: pixels count up to a limit: captions, buttons and glare cost little.
    """

    plain: float
    robust: float

    @property
    def total(self) -> float:
        """For choosing among placements of one frame."""
        return self.plain + self.robust


NO_LIKENESS = Likeness(0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A query, ready to be compared: grey float32 (height, W), smoothed as frames laid over it are."""

    grey: np.ndarray

    @cached_property
    def fine(self) -> np.ndarray:
        """Edges and texture, without what light and glare change: float32 (height, W)."""
        return _fine(self.grey)


def prepared(rgb: np.ndarray, height: int = HEIGHT) -> Prepared:
    """A query as it is compared, `height` pixels high."""
    width = max(8, round(rgb.shape[1] * height / rgb.shape[0]))
    shrinks = rgb.shape[0] > height
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return Prepared(_smooth(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)))


def grey(rgb: np.ndarray) -> np.ndarray:
    """A stored frame as it is compared: uint8 (H, W)."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def filling(query_aspect: float, frame_aspect: float) -> np.ndarray:
    """The placement of a frame that fills the query, whatever their aspects."""
    return np.diag([query_aspect / frame_aspect, 1.0, 1.0])


class Overlay:
    """Where frames of one size are laid over a query: each is compared in the pixels that both show."""

    def __init__(self, query: Prepared, placement: np.ndarray, size: tuple[int, int]) -> None:
        """Find what of the query such frames cover.

        Args:
            placement: float64 (3, 3), a homography from the frame to the query, both in heights of their picture.
            size: (height, width) of the frames.
        """
        self._query, self.placement = query, placement
        height = query.grey.shape[0]
        self._to_query = np.diag([height, height, 1.0]) @ placement @ np.diag([1 / size[0], 1 / size[0], 1.0])
        scale = float(np.sqrt(abs(np.linalg.det(self._to_query[:2, :2]))))
        self._blur = 0.5 / scale if _SMALLEST < scale < 0.7 else 0.0
        self._covered: np.ndarray | None = None
        if _SMALLEST < scale < _LARGEST:
            covered = self._lay(np.full(size, 255, np.uint8), cv2.INTER_NEAREST) == 255
            if covered.mean() >= _LEAST_SHARE:
                self._covered = covered

    def likeness(self, frame: np.ndarray) -> Likeness:
        """How alike the query and a frame are, up to brightness and contrast: `frame` as `grey` gives it."""
        if self._covered is None:
            return NO_LIKENESS
        return _explained(self._query.grey[self._covered], self._laid(frame)[self._covered], _GRAIN, _OUTLIER)

    def fine_likeness(self, frame: np.ndarray) -> Likeness:
        """How alike their edges and textures are."""
        if self._covered is None:
            return NO_LIKENESS
        shown = _fine(self._laid(frame))[self._covered]
        return _explained(self._query.fine[self._covered], shown, _FINE_GRAIN, _FINE_OUTLIER)

    def share_towards(self, frame: np.ndarray, other: np.ndarray) -> tuple[float, float]:
        """How far the query is on the way from a frame to another one, pixel by pixel.

        Returns:
            The share, 0 to 0.5, and what a picture so mixed leaves unexplained, in squared grey levels.
        """
        if self._covered is None:
            return 0.0, np.inf
        laid = self._laid(frame)
        seen, one, way = (
            cv2.GaussianBlur(picture, (0, 0), _MOTION)[self._covered]
            for picture in (self._query.grey, laid, self._laid(other) - laid)
        )
        seen, one, way = (pixels - pixels.mean() for pixels in (seen, one, way))
        ones, ways, both = _mean(one, one), _mean(way, way), _mean(one, way)
        one_seen, way_seen = _mean(one, seen), _mean(way, seen)
        determinant = ones * ways - both**2
        if determinant <= 1e-6 * ones * ways:  # the two frames are the same, or plain
            return 0.0, np.inf
        gain = (ways * one_seen - both * way_seen) / determinant
        if gain <= _LEAST_GAIN:
            return 0.0, np.inf
        share = float(np.clip((ones * way_seen - both * one_seen) / determinant / gain, 0.0, 0.5))
        residual = np.minimum(np.abs(seen - gain * (one + share * way)), _OUTLIER)
        return share, _mean(residual, residual)

    def _laid(self, frame: np.ndarray) -> np.ndarray:
        if self._blur:
            frame = cv2.GaussianBlur(frame, (0, 0), self._blur)
        return _smooth(self._lay(frame, cv2.INTER_LINEAR))

    def _lay(self, frame: np.ndarray, how: int) -> np.ndarray:
        height, width = self._query.grey.shape
        if np.array_equal(self._to_query[2], (0, 0, 1)):
            return cv2.warpAffine(frame, self._to_query[:2], (width, height), flags=how)
        return cv2.warpPerspective(frame, self._to_query, (width, height), flags=how)


def _smooth(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)


def _fine(picture: np.ndarray) -> np.ndarray:
    return picture - cv2.GaussianBlur(picture, (0, 0), _FINE)


def _explained(seen: np.ndarray, shown: np.ndarray, grain: float, outlier: float) -> Likeness:
    """What pixels of a frame, float32 (P,), explain of those of the query, up to a gain and an offset."""
    seen, shown = seen - seen.mean(), shown - shown.mean()
    contrast = _mean(seen, seen) + grain
    gain = max(0.0, _mean(seen, shown) / (_mean(shown, shown) + grain))
    residual = np.abs(seen - gain * shown)
    plain = 1 - _mean(residual, residual) / contrast
    np.minimum(residual, outlier, out=residual)
    robust = 1 - _mean(residual, residual) / min(contrast, outlier**2)
    return Likeness(max(0.0, plain), max(0.0, robust))


def _mean(one: np.ndarray, other: np.ndarray) -> float:
    """Of the products; not by BLAS, whose threads cost more than they bring on so few numbers."""
    return float(np.einsum("i,i->", one, other)) / len(one)
