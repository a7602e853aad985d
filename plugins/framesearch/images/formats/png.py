"""PNG: the picture without its metadata, decoded strip by strip where it is large, damage noticed.

Of an animation (APNG) it is the picture that programs show which know of no animations.

Source: the PNG specification (third edition), 5, 9, 11 and 13.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from framesearch.images.formats.exif import exif_orientation, upright
from framesearch.images.formats.limits import Limits
from framesearch.images.formats.shrink import opaque_rgb, shrunk, shrunk_by_strips

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}  # chunks that cost pixels
_END = b"\0\0\0\0IEND\xaeB`\x82"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_MODES = {(8, 2): "RGB", (8, 4): "LA", (8, 6): "RGBA"}  # by bits and colour type: whole, they take four bytes a pixel
_LARGE = 20_000_000  # pixels from which a picture is decoded in strips
_CHUNK = 1 << 20  # bytes inflated at a time


@dataclass(frozen=True)
class Png:
    """A PNG without its metadata.

    Attributes:
        header: the 13 bytes of IHDR.
        colours: the chunks PLTE and tRNS.
        data: of the chunks IDAT, together one zlib stream.
        sound: whether every checksum of `data` was right.
        orientation: of EXIF, 1 to 8.
    """

    header: bytes
    colours: bytes
    data: list[memoryview]
    sound: bool
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack_from(">II", self.header)
        return width, height

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of pixels, without its filter's."""
        bits, colour = self.header[8:10]
        return (self.size[0] * _CHANNELS.get(colour, 4) * bits + 7) // 8


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a PNG."""
    png = _without_metadata(content)
    width, height = png.size
    limits.judge_size(width, height)
    if not png.sound:
        _inflate_whole(png)
    bits, colour, interlaced = png.header[8], png.header[9], png.header[12]
    mode = _MODES.get((bits, colour))
    if width * height > _LARGE and mode is not None and not interlaced:
        small = _decode_strips(png, mode)
    else:
        a_pixel = 1 if colour == 3 or (colour == 0 and bits <= 8) else 4
        limits.judge_memory("a PNG of this sort", width, height, a_pixel * width * height)
        whole = _file(png.header, png.colours, b"".join(png.data))
        with Image.open(io.BytesIO(whole), formats=["PNG"]) as image:
            small = shrunk(image)
    return np.asarray(upright(small, png.orientation))


def _decode_strips(png: Png, mode: str) -> Image.Image:
    """Decode rows as they are inflated.

    A row may be filtered by the one above. So each strip becomes a PNG of its own that opens with the last row of the
    strip before it, decoded.
    """
    width, height = png.size
    inflated = _inflate(png)
    waiting = bytearray()
    above = bytes(png.row_bytes)  # the specification takes zeros above the first row

    def strip(top: int, bottom: int) -> Image.Image:
        nonlocal above
        wanted = (bottom - top) * (1 + png.row_bytes)
        while len(waiting) < wanted:
            waiting.extend(next(inflated, b"") or _cut_off())
        rows = b"\0" + above + waiting[:wanted]
        del waiting[:wanted]
        header = struct.pack(">II", width, bottom - top + 1) + png.header[8:]
        with Image.open(io.BytesIO(_file(header, png.colours, zlib.compress(rows, 0))), formats=["PNG"]) as image:
            if image.mode != mode:
                raise ValueError(f"it is {image.mode}, not {mode}")
            image.load()
            above = image.crop((0, image.height - 1, width, image.height)).tobytes()
            part = image.crop((0, 1, width, image.height))
            part.info = image.info  # one colour may be transparent
            return opaque_rgb(part)

    return shrunk_by_strips(width, height, strip)


def _cut_off() -> bytes:
    raise ValueError("it is broken off")


def _inflate(png: Png) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for data in png.data:
        rest: bytes | memoryview = data
        while rest:
            part = unpacker.decompress(rest, _CHUNK)
            if part:
                yield part
            elif unpacker.eof:
                return
            rest = unpacker.unconsumed_tail
    yield from iter(lambda: unpacker.decompress(unpacker.unconsumed_tail, _CHUNK), b"")


def _inflate_whole(png: Png) -> None:
    """A chunk's checksum was wrong: see whether its pixels are, which zlib's own checksum tells."""
    needed = 2 * png.size[1] * (1 + png.row_bytes)  # more than an interlaced picture of this size takes
    for part in _inflate(png):
        needed -= len(part)
        if needed < 0:
            raise ValueError("its data don't end")


def _file(header: bytes, colours: bytes, data: bytes) -> bytes:
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), colours, _chunk(b"IDAT", data), _END])


def _chunk(name: bytes, body: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))])


def _without_metadata(content: bytes) -> Png:
    header, colours, orientation, sound = b"", b"", 1, True
    data: list[memoryview] = []
    seen: set[bytes] = set()
    for name, body, stored in _chunks(content):
        right = name in _PIXELS and stored in (None, zlib.crc32(body, zlib.crc32(name)))
        if name == b"IDAT":
            data.append(body)
            sound &= right
        elif name == b"IHDR" and not header and len(body) == 13:
            if not right:
                raise ValueError("the checksum of its header is wrong")
            header = bytes(body)
        elif name == b"PLTE" and name not in seen:
            if not right:
                raise ValueError("the checksum of its palette is wrong")
            colours += _chunk(name, body)
        elif name == b"tRNS" and name not in seen and right:
            colours += _chunk(name, body)
        elif name == b"eXIf" and name not in seen:
            orientation = exif_orientation(bytes(body))
        elif name == b"IEND":
            break
        seen.add(name)
    if not header or not data:
        raise ValueError("it ends before the picture begins")
    return Png(header, colours, data, sound, orientation)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview, int | None]]:
    """Name, body and stored checksum of every chunk; None for the checksum where the file ends before it."""
    at, view = len(_SIGNATURE), memoryview(content)
    while at + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        end = min(at + 8 + length, len(content))
        stored = int.from_bytes(content[end : end + 4], "big") if end + 4 <= len(content) else None
        yield name, view[at + 8 : end], stored
        at = end + 4
