"""Elementary operations on RGB uint8 (H, W, 3) arrays."""

import math

import cv2
import numpy as np

from framesearch.errors import ImageUnreadable


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


_JUDGED_HEIGHT = 90  # pixels: coarse enough that grain and compression noise average out
_FULL_DETAIL = 16.0  # grey levels between neighbouring pixels (root mean square) of an ordinary, sharp picture

BLANK_QUALITY = 0.08
"""Pictures of less quality show next to nothing: black, one colour, the depth of a fade."""


def quality(rgb: np.ndarray) -> float:
    """How much there is to see in a picture: 0 (blank) to nearly 1 (sharp and detailed); blurred ones lie between.

    The root mean square difference of neighbouring pixels, taken coarsely, on a saturating scale.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    wanted = (max(2, round(width * _JUDGED_HEIGHT / height)), _JUDGED_HEIGHT)
    if height > _JUDGED_HEIGHT:
        grey = cv2.resize(grey, wanted, interpolation=cv2.INTER_AREA)
    elif height < 2 or width < 2:
        return 0.0
    across = cv2.norm(grey[:, 1:], grey[:, :-1], cv2.NORM_L2SQR) / grey[:, 1:].size
    down = cv2.norm(grey[1:], grey[:-1], cv2.NORM_L2SQR) / grey[1:].size
    return 1 - math.exp(-math.sqrt((across + down) / 2) / _FULL_DETAIL)


THUMBNAIL = (18, 32)  # height, width
_LIVELY_SHARE = 0.1  # of the cells: where somebody's mouth moves, the rest of the picture stands still


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture, RGB or only its brightness (H, W), squashed to 18 x 32 averages of brightness: uint8 (18, 32)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
    return grey if grey.shape == THUMBNAIL else resize(grey, *THUMBNAIL)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """How visibly two pictures, or thumbnails of them, differ: 0 (alike) to 1 (black and white).

    The mean difference of the tenth of the cells that differ most, so that what moves counts even where it is small,
    while noise averages out within each cell.
    """
    cells = cv2.absdiff(thumbnail(a), thumbnail(b)).ravel()
    liveliest = max(1, round(len(cells) * _LIVELY_SHARE))
    return float(np.partition(cells, -liveliest)[-liveliest:].mean() / 255)


def luma_change(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two equally large uint8 arrays, in grey levels."""
    return cv2.norm(a, b, cv2.NORM_L1) / a.size


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Normalised cross-correlation of two equally large arrays: 1 for the same up to contrast; 0 where one is flat."""
    x, y = a.astype(np.float32) - a.mean(), b.astype(np.float32) - b.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > 0 else 0.0
