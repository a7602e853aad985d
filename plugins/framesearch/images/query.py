"""Reading a stranger's picture safely. The only user of Pillow.

Nothing in a query is trusted: its size is judged before a pixel is decoded, only common picture formats are tried,
whatever a decoder raises becomes one sentence, and the result is small whatever came in.
"""

import contextlib
import io
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from framesearch.errors import ImageUnreadable
from framesearch.settings import Settings

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # none that runs programs, as EPS would
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})

MAX_SIDE = 1600  # pixels of the picture handed on: several times what an encoder looks at
MIN_SIDE = 16  # pixels: below it nothing tells one frame from another
BACKDROP = (
    128,
    128,
    128,
)  # grey behind transparent pictures: neither the black nor the white that interfaces are made of

_ONE_LARGE_AT_A_TIME = threading.Lock()  # a decoded 100-megapixel picture takes 400 MB
_LARGE_MEGAPIXELS = 20

# How to turn a picture upright, by its EXIF orientation.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns above a size of its own, where the limit here is a setting and refuses, and of damaged metadata.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def read_picture(source: bytes | Path, settings: Settings, name: str | None = None) -> np.ndarray:
    """Read a picture of any common format: upright, opaque, of an animation the first frame.

    Args:
        source: the file's bytes, or where it lies.
        name: what messages call it; by default its path, or "the picture".

    Returns:
        RGB uint8 (H, W, 3), no side longer than `MAX_SIDE`.

    Raises:
        ImageUnreadable: not a picture, broken off, too large or too small; the message says which and what to do.
    """
    name = name or (str(source) if isinstance(source, Path) else "the picture")
    content = _content(source, settings.max_query_mb, name)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _judge_size(image.size, settings.max_query_megapixels, name)
            return _decode(image)
    except ImageUnreadable:
        raise
    except Image.DecompressionBombError as error:
        raise ImageUnreadable(_too_large(name, settings.max_query_megapixels, _stated_size(content))) from error
    except Image.UnidentifiedImageError as error:
        kinds = ", ".join(sorted(FORMATS))
        raise ImageUnreadable(f"{name} is not a picture that can be read: use one of {kinds}") from error
    except Exception as error:  # decoders of broken files raise anything: OSError, SyntaxError, IndexError, ...
        raise ImageUnreadable(f"{name} is damaged or broken off ({error}): save or copy it again") from error


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


def _stated_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in the header of a picture so large that Pillow itself refuses to open it."""
    for kind in FORMATS:
        factory, accepts = Image.OPEN[kind]
        if accepts is None or accepts(content[:16]) is True:
            with contextlib.suppress(Exception):  # whatever a hostile header raises: the size is then not told
                return factory(io.BytesIO(content), "").size
    return None


def _too_large(name: str, max_megapixels: float, size: tuple[int, int] | None = None) -> str:
    measured = f"{size[0]} x {size[1]} pixels" if size else "too many pixels"
    return (
        f"{name} has {measured}, more than the {max_megapixels:g} megapixels allowed "
        "(FRAMESEARCH_MAX_QUERY_MEGAPIXELS): scale it down"
    )


def _judge_size(size: tuple[int, int], max_megapixels: float, name: str) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise ImageUnreadable(_too_large(name, max_megapixels, size))
    shrink = max(1.0, max(width, height) / MAX_SIDE)
    if min(width, height) / shrink < MIN_SIDE:
        raise ImageUnreadable(
            f"{name} has {width} x {height} pixels, too {'small' if shrink == 1 else 'narrow'} to tell a frame by: "
            f"use one of at least {MIN_SIDE} x {MIN_SIDE}, not a thin strip"
        )


def _decode(image: Image.Image) -> np.ndarray:
    """Decode an opened picture whose size was judged."""
    orientation = _orientation(image)
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a JPEG is decoded at a fraction of its size; others ignore it
    if image.width * image.height > _LARGE_MEGAPIXELS * 1e6:
        with _ONE_LARGE_AT_A_TIME:
            small = _shrink(image)
    else:
        small = _shrink(image)
    turn = _UPRIGHT.get(orientation)
    return np.array(small if turn is None else small.transpose(turn))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block spoils no picture
        return 1


def _shrink(image: Image.Image) -> Image.Image:
    """The picture in opaque RGB with no side longer than `MAX_SIDE`: averaged by a whole factor, then resized.

    It goes strip by strip, so that beside the decoded picture itself little memory is needed.
    """
    image.load()
    darkest, brightest = _range(image)
    factor = max(1, max(image.size) // MAX_SIDE)
    strip = factor * max(1, 4_000_000 // (image.width * factor))
    whole = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, strip):
        part = image.crop((0, top, image.width, min(top + strip, image.height)))
        whole.paste(_opaque_rgb(part, darkest, brightest).reduce(factor), (0, top // factor))
    if max(whole.size) > MAX_SIDE:
        whole.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return whole


def _range(image: Image.Image) -> tuple[float, float]:
    """What counts as black and as white in pictures of more than eight bits."""
    if image.mode.startswith("I;16"):
        return 0, 65535
    if image.mode not in ("I", "F"):
        return 0, 255
    low, high = (float(end) for end in image.getextrema())  # type: ignore[arg-type]
    if image.mode == "I" and low >= 0 and high <= 65535:
        return 0, 65535 if high > 255 else 255
    return (low, high) if np.isfinite([low, high]).all() and high > low else (0, 255)


def _opaque_rgb(image: Image.Image, darkest: float, brightest: float) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = (np.asarray(image, np.float32) - darkest) * (255 / (brightest - darkest))
        return Image.fromarray(np.nan_to_num(grey).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        backdrop = Image.new("RGB", rgba.size, BACKDROP)
        backdrop.paste(rgba, mask=rgba.getchannel("A"))
        return backdrop
    return image.convert("RGB")
