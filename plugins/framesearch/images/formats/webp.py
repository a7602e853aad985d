"""WebP: the picture without its metadata, of an animation the first frame alone.

Source: RFC 9649.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

from framesearch.images.formats.exif import exif_orientation, upright
from framesearch.images.formats.limits import Limits
from framesearch.images.formats.shrink import BACKDROP, shrunk_array

_ALPHA = 0x10  # in the flags of VP8X
_FRAME_HEADER = 16  # bytes of ANMF before the frame's own chunks


@dataclass(frozen=True)
class Webp:
    """A WebP of one picture.

    Attributes:
        stream: it as a file.
        lossless: its pixels are coded without loss.
        alpha: some may be transparent.
        orientation: of EXIF, 1 to 8.
        place: of an animation's first frame, the left and upper edge on its canvas and the canvas's size.
    """

    stream: bytes
    width: int
    height: int
    lossless: bool
    alpha: bool
    orientation: int
    place: tuple[int, int, int, int] | None


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a WebP."""
    webp = _without_metadata(content)
    x, y, width, height = webp.place or (0, 0, webp.width, webp.height)
    limits.judge_size(width, height)
    limits.judge_size(webp.width, webp.height)
    a_pixel = 3 + webp.alpha + (4 if webp.lossless else webp.alpha)
    on_canvas = (x, y, width, height) != (0, 0, webp.width, webp.height)
    needed = a_pixel * webp.width * webp.height + (3 * width * height if on_canvas else 0)
    limits.judge_memory("a WebP of this sort", width, height, needed)
    pixels = imagecodecs.webp_decode(webp.stream, index=0)
    if on_canvas:
        pixels = _laid_on_canvas(pixels, x, y, width, height)
    return np.asarray(upright(shrunk_array(pixels), webp.orientation))


def _laid_on_canvas(frame: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    canvas = Image.new("RGB", (width, height), BACKDROP)
    patch = Image.fromarray(frame)
    canvas.paste(patch, (x, y), patch if patch.mode == "RGBA" else None)
    return np.asarray(canvas)


def _without_metadata(content: bytes) -> Webp:
    canvas, first, orientation = b"", None, 1
    pictures: list[tuple[bytes, bytes]] = []
    for name, body in _chunks(content, 12):
        if name == b"VP8X" and not canvas:
            canvas = body
        elif name == b"ANMF" and not pictures:
            first = body[:_FRAME_HEADER]
            pictures = [chunk for chunk in _chunks(body, _FRAME_HEADER) if chunk[0] in (b"ALPH", b"VP8 ", b"VP8L")]
        elif name in (b"ALPH", b"VP8 ", b"VP8L") and first is None and not _ends(pictures):
            pictures.append((name, body))
        elif name == b"EXIF":
            orientation = exif_orientation(body)
            break  # it lies behind the picture
    if not _ends(pictures):
        raise ValueError("it ends before the picture begins")
    name, body = pictures[-1]
    alpha = len(pictures) > 1
    if name == b"VP8L":
        (packed,) = struct.unpack_from("<I", body, 1)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        alpha = bool(packed >> 28 & 1)
        pictures = pictures[-1:]
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    place = None
    if first is not None:
        x, y = 2 * _three_bytes(first, 0), 2 * _three_bytes(first, 3)
        place = (x, y, 1 + _three_bytes(canvas, 4), 1 + _three_bytes(canvas, 7))
    return Webp(
        stream=_file(pictures, width, height),
        width=width,
        height=height,
        lossless=name == b"VP8L",
        alpha=alpha,
        orientation=orientation,
        place=place,
    )


def _ends(pictures: list[tuple[bytes, bytes]]) -> bool:
    return bool(pictures) and pictures[-1][0] != b"ALPH"


def _three_bytes(data: bytes, at: int) -> int:
    if len(data) < at + 3:
        raise ValueError("a chunk of it is too short")
    return int.from_bytes(data[at : at + 3], "little")


def _file(pictures: list[tuple[bytes, bytes]], width: int, height: int) -> bytes:
    if len(pictures) > 1:  # colours and alpha apart need the extended header
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        pictures = [(b"VP8X", bytes([_ALPHA, 0, 0, 0]) + size), pictures[0], pictures[-1]]
    chunks = b"".join(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for name, body in pictures)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _chunks(content: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of every chunk; the last may be cut off."""
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
