"""The kinds that Pillow decodes as they are: JPEG 2000, TIFF, BMP, icons, portable anymaps."""

import io
import re

import numpy as np
from PIL import Image

from framesearch.images.formats.faults import Refused
from framesearch.images.formats.limits import MAX_SIDE, Limits
from framesearch.images.formats.shrink import shrunk

_CODESTREAM = b"\xff\x4f\xff\x51"
_CODING_STYLE = re.compile(rb"\xff\x52..[\x00-\x07].{4}([\x00-\x20])", re.DOTALL)  # COD; how often it halves the size
_HEADER = 4096  # bytes of a codestream within which COD lies

_SUBFILE_TYPE, _BITS, _SAMPLES, _ROWS_PER_STRIP, _ORIENTATION = 254, 258, 277, 278, 274
_TILE_WIDTH, _TILE_HEIGHT, _SUB_FILES, _DNG_VERSION = 322, 323, 330, 50706


def decode_jpeg_2000(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a JPEG 2000 at the smallest of its resolutions that is large enough."""
    start = max(0, content.find(_CODESTREAM))
    length = int.from_bytes(content[max(0, start - 8) : max(0, start - 4)], "big")
    if content[max(0, start - 4) : start] == b"jp2c" and length > 8:
        content = content[: start - 8 + length]  # whatever follows the picture's box is read as boxes
    with Image.open(io.BytesIO(content), formats=["JPEG2000"]) as image:
        width, height = image.size
        limits.judge_size(width, height)
        style = _CODING_STYLE.search(content[start : start + _HEADER])
        halvings = min(style[1][0] if style else 0, int(np.log2(max(1, max(width, height) / MAX_SIDE))))
        # Four bytes for each of up to four channels, Pillow's own four, and compressed blocks beside them.
        limits.judge_memory("JPEG 2000 of one resolution", width, height, 24 * width * height / 4**halvings)
        if halvings:
            image.reduce = halvings  # type: ignore[method-assign, assignment]
        return np.asarray(shrunk(image))


def decode_tiff(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the first page of a TIFF. Pillow turns it upright."""
    with Image.open(io.BytesIO(content), formats=["TIFF"]) as image:
        width, height = image.size
        tags = image.tag_v2  # type: ignore[attr-defined]
        if _DNG_VERSION in tags or (tags.get(_SUBFILE_TYPE) == 1 and _SUB_FILES in tags):
            raise Refused("is a camera's raw picture, which is not read: export it as a JPEG")
        limits.judge_size(width, height)
        a_pixel = 4 if tags.get(_ORIENTATION, 1) == 1 else 8
        limits.judge_memory("TIFF", width, height, a_pixel * width * height + _part_bytes(tags, width, height))
        return np.asarray(shrunk(image))


def _part_bytes(tags: dict[int, object], width: int, height: int) -> float:
    """What one strip or tile takes, decoded: a file may keep all in a single one."""

    def number(tag: int, default: int) -> int:
        value = tags.get(tag, default)
        return max(map(int, value)) if isinstance(value, tuple) else int(value)  # type: ignore[call-overload]

    across, down = number(_TILE_WIDTH, width), number(_TILE_HEIGHT, min(height, number(_ROWS_PER_STRIP, height)))
    return across * down * number(_SAMPLES, 1) * number(_BITS, 1) / 8


def decode_bmp(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a BMP."""
    return _decode(content, "BMP", limits)


def decode_icon(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the largest picture of a Windows icon."""
    return _decode(content, "ICO", limits)


def decode_anymap(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a PBM, PGM, PPM, PAM or PFM."""
    return _decode(content, "PPM", limits)


def _decode(content: bytes, kind: str, limits: Limits) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=[kind]) as image:
        width, height = image.size
        limits.judge_size(width, height)
        limits.judge_memory(kind, width, height, (1 if image.mode in ("1", "L", "P") else 4) * width * height)
        return np.asarray(shrunk(image))
