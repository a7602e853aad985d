"""JPEG XL, in the orientation that its own header tells.

Source: ISO/IEC 18181-1, annex D (headers), and 18181-2 (boxes).
"""

import imagecodecs
import numpy as np

from framesearch.images.formats.faults import Refused
from framesearch.images.formats.limits import Limits
from framesearch.images.formats.shrink import shrunk_array

_BOX_SIGNATURE = b"\0\0\0\x0cJXL "
_LOSSLESS_BYTES = 16  # a pixel, at most
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a JPEG XL, of an animation the first frame."""
    width, height = _size(content)
    limits.judge_size(width, height)
    limits.judge_memory("JPEG XL", width, height, 6 * width * height)
    try:
        pixels = imagecodecs.jpegxl_decode(content, index=0, numthreads=1)
    except imagecodecs.JpegxlError as error:  # which doesn't tell damage from a lack of memory
        if _LOSSLESS_BYTES * width * height > limits.memory:
            raise Refused(
                f"is damaged, or takes too much memory to decode as a JPEG XL of {width} x {height} pixels: "
                "copy it again, or save it as a JPEG"
            ) from error
        raise
    if pixels.ndim == 4:
        pixels = pixels[0]
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = (np.nan_to_num(pixels).clip(0, 1) * 255).round().astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return np.asarray(shrunk_array(pixels))


def _size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, before the picture is turned."""
    codestream = _codestream(content)
    bits, at = int.from_bytes(codestream[2:16], "little"), 0

    def read(count: int) -> int:
        nonlocal at
        at += count
        return (bits >> (at - count)) & ((1 << count) - 1)

    def side(small: bool) -> int:
        return 8 * (1 + read(5)) if small else 1 + read(_SIDE_BITS[read(2)])

    small = bool(read(1))
    height = side(small)
    ratio = read(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return side(small), height


def _codestream(content: bytes) -> bytes:
    """Where the codestream, or its first part, begins."""
    if not content.startswith(_BOX_SIGNATURE):
        return content[:64]
    at = 0
    while at + 8 <= len(content):
        length, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = at + 8
        if length == 1:
            length, body = int.from_bytes(content[at + 8 : at + 16], "big"), at + 16
        if name == b"jxlc":
            return content[body : body + 64]
        if name == b"jxlp":
            return content[body + 4 : body + 68]
        if length < 8:
            break
        at += length
    raise ValueError("it ends before the picture begins")
