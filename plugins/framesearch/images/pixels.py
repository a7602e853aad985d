"""Elementary operations on RGB uint8 (H, W, 3) arrays."""

import cv2
import numpy as np

from framesearch.errors import ImageUnreadable

cv2.setNumThreads(1)  # parallelism is over videos and queries; more threads here only fight them


def encode_jpeg(rgb: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of a picture, `quality` 30 to 100."""
    written, buffer = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise ValueError(f"cannot encode a picture of shape {rgb.shape}")
    return bytes(buffer)


def decode_jpeg(jpeg: bytes) -> np.ndarray:
    """The picture in a JPEG that framesearch stored: RGB uint8 (H, W, 3). For strangers' files see `images.query`.

    Raises:
        ImageUnreadable: the bytes are no JPEG.
    """
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if bgr is None:
        raise ImageUnreadable(f"a stored frame of {len(jpeg)} bytes is no JPEG")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def resize(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture squashed to `height` x `width`, averaged over areas where it shrinks."""
    shrinks = height * width <= rgb.shape[0] * rgb.shape[1]
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def fit_height(rgb: np.ndarray, height: int) -> np.ndarray:
    """The picture scaled down to `height` pixels with its aspect kept; never scaled up."""
    if rgb.shape[0] <= height:
        return rgb
    return resize(rgb, height, max(1, round(rgb.shape[1] * height / rgb.shape[0])))
