"""Pictures as full of corners and edges as real ones: leaves that fall over one another ("dead leaves")."""

from functools import cache

import cv2
import numpy as np


@cache
def leaves(seed: int, height: int = 180, width: int = 320) -> np.ndarray:
    """A picture of this seed: RGB uint8 (height, width, 3)."""
    rng = np.random.default_rng([seed, height, width])
    rgb = np.full((height, width, 3), 128, np.uint8)
    for _ in range(400):
        radius = min(height / 3, 4 / np.sqrt(rng.uniform(0.001, 1)))
        centre = rng.uniform([0, 0], [width, height])
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        colour = [int(value) for value in rng.integers(0, 256, 3)]
        cv2.fillPoly(rgb, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    picture = cv2.GaussianBlur(rgb, (0, 0), 0.7)
    picture.setflags(write=False)  # the next who asks gets the same
    return picture
