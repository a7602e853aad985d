"""Which part of a picture was recognised, drawn on it: an outline that shows on any picture."""

from collections.abc import Sequence

import cv2
import numpy as np

NEARLY_ALL = 0.9
"""Of the picture: a larger part tells nothing."""

_LEAST = 0.002  # of the picture: a smaller part can't be seen
_LIGHT, _DARK = (255, 255, 255), (10, 60, 58)
_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws at


def part_of(box: Sequence[Sequence[float]]) -> np.ndarray | None:
    """What a frame's box covers of the picture that was asked: the corners, float64 (K, 2), as shares of its sides.

    None where it covers nothing of it or nearly all, and where the box is no box.

    Args:
        box: the frame's four corners in turn, as shares of the picture's width and height, however far outside.
    """
    corners = np.asarray(box, np.float64)
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        return None
    for axis in (0, 1):
        corners = _clipped(corners, corners[:, axis])
        corners = _clipped(corners, 1 - corners[:, axis])
    return corners if len(corners) > 2 and _LEAST <= share(corners) < NEARLY_ALL else None


def _clipped(corners: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """A convex polygon without what lies on the negative side of a line (Sutherland and Hodgman 1974).

    Args:
        inside: float64 (K,), the signed distance of each corner from the line.
    """
    kept: list[np.ndarray] = []
    for number, distance in enumerate(inside):
        following = (number + 1) % len(corners)
        if distance >= 0:
            kept.append(corners[number])
        if (distance < 0) != (inside[following] < 0):
            way = distance / (distance - inside[following])
            kept.append(corners[number] + way * (corners[following] - corners[number]))
    return np.array(kept, np.float64).reshape(-1, 2)


def share(part: np.ndarray) -> float:
    """The area of a part, as a share of the picture's."""
    x, y = part[:, 0], part[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def centre(part: np.ndarray) -> tuple[float, float]:
    """The middle of a part, as shares of the picture's width and height."""
    x, y = (part.min(axis=0) + part.max(axis=0)) / 2
    return float(x), float(y)


def outlined(rgb: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The picture (RGB uint8 (H, W, 3)), copied, with a part (see `part_of`) outlined by a light line between dark."""
    height, width = rgb.shape[:2]
    light = max(1, round(min(height, width) / 110))
    dark = 3 * light
    last = np.array([width - 1, height - 1], np.float64)
    margin = np.minimum(dark / 2, last / 2)  # a line along the picture's edge keeps its whole width
    points = np.clip(part * last, margin, last - margin)
    points = (points * 2**_SHIFT).round().astype(np.int32)
    drawn = rgb.copy()
    for colour, thickness in ((_DARK, dark), (_LIGHT, light)):
        cv2.polylines(drawn, [points], True, colour, thickness, cv2.LINE_AA, _SHIFT)
    return drawn
