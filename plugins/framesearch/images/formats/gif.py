"""GIF: the first picture alone, without comments and extensions of programs.

Source: the GIF89a specification.
"""

import io

import numpy as np
from PIL import Image

from framesearch.images.formats.limits import Limits
from framesearch.images.formats.shrink import shrunk

_EXTENSION, _PICTURE, _END = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9  # tells which colour is transparent


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the first picture of a GIF, on its canvas."""
    with Image.open(io.BytesIO(_first_picture(content)), formats=["GIF"]) as image:
        width, height = image.size
        limits.judge_size(width, height)
        limits.judge_memory("a GIF", width, height, 2 * width * height)
        return np.asarray(shrunk(image))


def _first_picture(content: bytes) -> bytes:
    """The file up to the end of its first picture, where one is found; what is cut off stays so."""
    at = 13 + _table_bytes(content, 10)
    parts = [content[:at]]
    while at < len(content):
        start, block = at, content[at]
        if block == _EXTENSION and at + 1 < len(content):
            label, at = content[at + 1], _after_sub_blocks(content, at + 2)
            if label == _GRAPHIC_CONTROL:
                parts[1:] = [content[start:at]]
        elif block == _PICTURE:
            at = _after_sub_blocks(content, at + 11 + _table_bytes(content, at + 9))
            parts.append(content[start:at])
            break
        elif block == _END:
            break
        else:
            at += 1  # stray bytes between blocks
    whole = at < len(content) or content.endswith(b"\0")
    return b"".join(parts) + (bytes([_END]) if whole else b"")


def _table_bytes(content: bytes, at: int) -> int:
    """Bytes of the table of colours that the flags at this place announce."""
    flags = content[at] if at < len(content) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1
