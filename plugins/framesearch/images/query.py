"""Reading a stranger's picture safely.

Nothing in a query is trusted: its kind is told by its first bytes, its size is judged before a pixel is decoded,
metadata never reach a decoder, rare kinds are decoded in a process of their own, whatever a decoder raises becomes one
sentence, and the result is small whatever came in. `formats` knows how each kind is read.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from framesearch.errors import ImageUnreadable
from framesearch.images.formats.apart import decode_apart
from framesearch.images.formats.decoders import HERE, decode
from framesearch.images.formats.faults import Refused, TooMuchMemory
from framesearch.images.formats.kinds import HEAD, PLAINLY, instead, other_kind, picture_kind
from framesearch.images.formats.limits import MAX_SIDE, Limits
from framesearch.settings import Settings
from framesearch.text import safe_text

__all__ = ["MAX_SIDE", "PLAINLY", "read_picture"]

_MEMORY_HERE = 120e6  # bytes that decoding may take in this process; what needs more is decoded in one of its own


def read_picture(source: bytes | Path, settings: Settings, name: str | None = None) -> np.ndarray:
    """Read a picture of any common format: upright, opaque, of an animation or a document the first one.

    It takes at most 400 MB of memory, and ends.

    Args:
        source: the file's bytes, or where it lies.
        settings: how large it may be.
        name: what messages call it; by default its path, or "the picture".

    Returns:
        RGB uint8 (H, W, 3), no side longer than `MAX_SIDE`.

    Raises:
        ImageUnreadable: not a picture, damaged, broken off, too large or too small; the message says which and what to
            do.
    """
    name = safe_text(name or (source if isinstance(source, Path) else "the picture"))
    content = _content(source, settings.max_query_mb, name)
    kind = picture_kind(content[:HEAD])
    if kind is None:
        other = other_kind(content[:HEAD])
        if other is None:
            raise ImageUnreadable(f"{name} is not a picture that can be read: use one of {PLAINLY}")
        article = "an" if other.startswith(("SVG", "OpenEXR", "Apple", "archive")) else "a"
        raise ImageUnreadable(f"{name} is {article} {other}, not a picture that can be read: {instead(other)}")
    try:
        return _decode(kind, content, settings.max_query_megapixels)
    except Refused as error:
        raise ImageUnreadable(f"{name} {error}") from error
    except Image.DecompressionBombError as error:
        raise ImageUnreadable(
            f"{name} has more than the {settings.max_query_megapixels:g} megapixels allowed "
            "(FRAMESEARCH_MAX_QUERY_MEGAPIXELS): scale it down"
        ) from error
    except Exception as error:  # decoders of broken files raise anything: OSError, SyntaxError, IndexError, ...
        raise ImageUnreadable(
            f"{name} is damaged or broken off ({safe_text(error, 200)}): save or copy it again"
        ) from error


def _decode(kind: str, content: bytes, max_megapixels: float) -> np.ndarray:
    if kind in HERE:
        try:
            return decode(kind, content, Limits(max_megapixels, _MEMORY_HERE))
        except TooMuchMemory:
            pass
    return decode_apart(kind, content, max_megapixels)


def _content(source: bytes | Path, max_mb: float, name: str) -> bytes:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > max_mb * 1e6:
            raise ImageUnreadable(
                f"{name} has {size / 1e6:.0f} MB, more than the {max_mb:g} MB allowed (FRAMESEARCH_MAX_QUERY_MB): "
                "save it smaller, for example as a JPEG"
            )
        if size == 0:
            raise ImageUnreadable(f"{name} is empty: save or copy it again")
        return source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise ImageUnreadable(f"{name} can't be read: {error.strerror or error}") from error
