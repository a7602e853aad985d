"""Which decoder reads which kind, and where: the commonest kinds here, the others in a process of their own.

A process of its own costs about a sixth of a second, and holds what its decoder may do: take memory, take time, crash.
"""

from collections.abc import Callable

import numpy as np
from PIL import UnidentifiedImageError

from framesearch.images.formats.limits import Limits

HERE = frozenset({"JPEG", "PNG", "WebP", "GIF"})
"""Kinds whose decoders are quick, take little memory, and tell how much before they take it."""


def decode(kind: str, content: bytes, limits: Limits) -> np.ndarray:
    """Decode a file's picture.

    Args:
        kind: one of `kinds.READ`.
        content: the whole file.
        limits: what it may take.

    Returns:
        RGB uint8 (H, W, 3), upright, opaque, no side longer than `limits.MAX_SIDE`.

    Raises:
        Refused: it is too large, too small or of a sort that is not read; the text completes a sentence.
        Exception: anything else means that the file is damaged.
    """
    try:
        return decoder(kind)(content, limits)
    except UnidentifiedImageError as error:
        raise ValueError(f"its header can't be read, or is of a {kind} of a rare sort") from error


def decoder(kind: str) -> Callable[[bytes, Limits], np.ndarray]:
    """The decoder of a kind. It is imported when first needed: each brings a native library."""
    if kind == "JPEG":
        from framesearch.images.formats.jpeg import decode
    elif kind == "PNG":
        from framesearch.images.formats.png import decode
    elif kind == "WebP":
        from framesearch.images.formats.webp import decode
    elif kind == "GIF":
        from framesearch.images.formats.gif import decode
    elif kind == "HEIC":
        from framesearch.images.formats.boxed import decode_heic as decode
    elif kind == "AVIF":
        from framesearch.images.formats.boxed import decode_avif as decode
    elif kind == "JPEG XL":
        from framesearch.images.formats.jpeg_xl import decode
    else:
        from framesearch.images.formats import others

        return {
            "JPEG 2000": others.decode_jpeg_2000,
            "TIFF": others.decode_tiff,
            "BMP": others.decode_bmp,
            "icon": others.decode_icon,
            "anymap": others.decode_anymap,
        }[kind]
    return decode
