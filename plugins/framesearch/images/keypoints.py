"""Local features: small neighbourhoods of a picture that look alike however it was cropped, moved, turned or covered.

SIFT (Lowe 2004, https://doi.org/10.1023/B:VISI.0000029664.99615.94) as RootSIFT (Arandjelović and Zisserman 2012,
https://doi.org/10.1109/CVPR.2012.6248018), the strongest first.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from framesearch.images.pixels import resize

DIMENSIONS = 128
_CONTRAST = 0.02  # half of what SIFT asks for as a rule: soft, dark and compressed pictures have features, too
_MOST_ENLARGED = 1.5  # beyond, a small picture only gains features of its blur

# A mirrored picture's descriptors are the picture's own in another order: their 4 x 4 cells swap sides across the
# keypoint's direction, and the 8 directions in each run the other way round.
_MIRRORED = np.array(
    [((3 - row) * 4 + column) * 8 + (8 - way) % 8 for row in range(4) for column in range(4) for way in range(8)]
)


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """The local features of a picture. Lengths are in picture heights, whatever its size in pixels.

    Attributes:
        positions: float32 (N, 2), x to the right and y down from the upper left corner.
        sizes: float32 (N,), diameters.
        angles: float32 (N,), degrees, clockwise on the screen.
        descriptors: uint8 (N, 128).
        aspect: width of the picture by its height.
    """

    positions: np.ndarray
    sizes: np.ndarray
    angles: np.ndarray
    descriptors: np.ndarray
    aspect: float

    def __len__(self) -> int:
        return len(self.positions)

    def mirrored(self) -> "Keypoints":
        """The features of the picture with left and right exchanged, without looking at it again."""
        positions = np.stack([self.aspect - self.positions[:, 0], self.positions[:, 1]], axis=1)
        return Keypoints(positions, self.sizes, (180 - self.angles) % 360, self.descriptors[:, _MIRRORED], self.aspect)


def detect(rgb: np.ndarray, *, height: int, most: int) -> Keypoints:
    """The strongest local features of a picture.

    Args:
        height: what the picture's shorter side is brought to, pixels: features are found at the scale of the detail.
        most: features, at most.
    """
    scale = min(_MOST_ENLARGED, height / min(rgb.shape[:2]))
    rows, columns = max(8, round(rgb.shape[0] * scale)), max(8, round(rgb.shape[1] * scale))
    grey = cv2.cvtColor(resize(rgb, rows, columns), cv2.COLOR_RGB2GRAY)
    found, descriptors = cv2.SIFT_create(contrastThreshold=_CONTRAST).detectAndCompute(grey, None)  # type: ignore[attr-defined]
    aspect = rgb.shape[1] / rgb.shape[0]
    if descriptors is None:
        none = np.empty(0, np.float32)
        return Keypoints(np.empty((0, 2), np.float32), none, none, np.empty((0, DIMENSIONS), np.uint8), aspect)
    strongest = np.argsort([-point.response for point in found], kind="stable")[:most]
    table = np.array([(*found[n].pt, found[n].size, found[n].angle) for n in strongest], np.float32).reshape(-1, 4)
    chosen = descriptors[strongest]
    roots = np.sqrt(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-6))
    positions = table[:, :2] * np.array([aspect / columns, 1 / rows], np.float32)
    return Keypoints(positions, table[:, 2] / rows, table[:, 3], (255 * roots).astype(np.uint8), aspect)
