"""Pictures as strangers send them, of all kinds, whose right colours are known."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 180, 40), (40, 50, 190), (128, 128, 128)

ORIENTATION = 0x0112
LAID_DOWN = {  # how a picture lies in a file whose EXIF orientation tells to turn it upright
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

pillow_heif.register_heif_opener()


def quarters(size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Red, green, blue, grey quarters: upper left, upper right, lower left, lower right."""
    width, height = size
    image = Image.new("RGB", size, RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), BLUE)
    draw.rectangle((width // 2, height // 2, width, height), GREY)
    return image


def scene(size: tuple[int, int] = (640, 360), seed: int = 0) -> Image.Image:
    """Soft shapes and grain, as photos have."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(float)
    return Image.fromarray((smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8))


def laid_down(image: Image.Image, orientation: int) -> Image.Image:
    """The picture so that this EXIF orientation turns it upright."""
    turn = LAID_DOWN[orientation]
    return image if turn is None else image.transpose(turn)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg_xl(image: Image.Image, **options: object) -> bytes:
    return imagecodecs.jpegxl_encode(np.asarray(image), **options)


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: saved(image, "JPEG", quality=95, subsampling=0),
    "JPEG, progressive": lambda image: saved(image, "JPEG", quality=95, subsampling=0, progressive=True),
    "JPEG, restart markers": lambda image: saved(image, "JPEG", quality=95, subsampling=0, restart_marker_rows=1),
    "PNG": lambda image: saved(image, "PNG"),
    "WebP": lambda image: saved(image, "WEBP", quality=95),
    "WebP, lossless": lambda image: saved(image, "WEBP", lossless=True),
    "GIF": lambda image: saved(image, "GIF"),
    "BMP": lambda image: saved(image, "BMP"),
    "TIFF": lambda image: saved(image, "TIFF", compression="tiff_lzw"),
    "AVIF": lambda image: saved(image, "AVIF", quality=95, subsampling="4:4:4"),
    "HEIC": lambda image: saved(image, "HEIF", quality=95, chroma=444),
    "JPEG XL": lambda image: jpeg_xl(image, level=95),
    "JPEG XL, in boxes": lambda image: jpeg_xl(image, lossless=True, usecontainer=True),
    "JPEG 2000": lambda image: saved(image, "JPEG2000"),
    "JPEG 2000, codestream": lambda image: saved(image, "JPEG2000", no_jp2=True),
    "ICO": lambda image: saved(image, "ICO", sizes=[image.size]),
    "PNM": lambda image: saved(image, "PPM"),
}
"""How a picture is written as each kind that is read."""


def corners(rgb: np.ndarray) -> list[tuple[int, ...]]:
    height, width = rgb.shape[:2]
    places = [(height // 4, width // 4), (height // 4, 3 * width // 4), (3 * height // 4, width // 4)]
    return [tuple(int(level) for level in rgb[place]) for place in [*places, (3 * height // 4, 3 * width // 4)]]


def assert_quarters(rgb: np.ndarray, tolerance: int = 6) -> None:
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert np.abs(np.array(corners(rgb)) - np.array([RED, GREEN, BLUE, GREY])).max() <= tolerance


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, bits: int, colour: int, data: bytes, *more: bytes) -> bytes:
    """A PNG of this zlib stream, with more chunks before it."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")])


def black_png(side: int, bits: int = 1, colour: int = 0) -> bytes:
    """A PNG of side x side black pixels in a few kilobytes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes((side * bits * channels + 7) // 8)
    packer = zlib.compressobj(9)
    return png_of(side, side, bits, colour, b"".join(packer.compress(row) for _ in range(side)) + packer.flush())


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with a further segment behind its first marker."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body + jpeg[2:]


def with_chunk(png: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with a further chunk behind its header."""
    return png[:33] + chunk(name, body) + png[33:]
