"""A placement made exact on pixels: local features fix it to a few pixels, and perspective not at all.

Enhanced correlation coefficient maximisation (Evangelidis and Psarakis 2008, https://doi.org/10.1109/TPAMI.2008.113),
which does not mind brightness and contrast.
"""

import cv2
import numpy as np

from framesearch.images.overlay import Prepared

_STEPS, _LEAST_GAIN, _SMOOTHING = 25, 1e-4, 5  # most iterations, end of them, pixels
_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, _LEAST_GAIN)
_MOST_MOVED = 0.15  # of the query's height: a corner that moves further has slipped


def register(query: Prepared, frame: np.ndarray, placement: np.ndarray) -> np.ndarray | None:
    """The homography near a placement under which frame and query correlate best.

    Args:
        frame: uint8 (H, W), grey.
        placement: float64 (3, 3), from the frame to the query, both in heights of their picture.

    Returns:
        float64 (3, 3), or None where there is none near.
    """
    query_height, height = query.grey.shape[0], frame.shape[0]
    to_frame = np.diag([height, height, 1.0]) @ np.linalg.inv(placement) @ np.diag([1 / query_height] * 2 + [1.0])
    smooth = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), 1.0)
    start = (to_frame / to_frame[2, 2]).astype(np.float32)
    try:
        everywhere = np.full(frame.shape, 255, np.uint8)
        _, found = cv2.findTransformECC(
            query.grey, smooth, start, cv2.MOTION_HOMOGRAPHY, _CRITERIA, everywhere, _SMOOTHING
        )
        registered = np.diag([1 / query_height] * 2 + [1.0]) @ np.linalg.inv(found) @ np.diag([height, height, 1.0])
    except (cv2.error, np.linalg.LinAlgError):  # nothing to correlate, or what can not be undone
        return None
    registered /= registered[2, 2]
    width = frame.shape[1] / height
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, 1, 1], [0, 1, 1]], np.float64).T
    was, now = placement @ corners, registered @ corners
    if (now[2] <= 0).any() or (was[2] <= 0).any():
        return None
    moved = np.abs(now[:2] / now[2] - was[:2] / was[2]).max()
    return registered if moved <= _MOST_MOVED * max(1.0, float(np.abs(was[:2] / was[2]).max())) else None
