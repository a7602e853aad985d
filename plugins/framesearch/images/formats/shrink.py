"""Decoded pictures of any mode made opaque RGB and small, strip by strip, so that little more memory is needed."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from framesearch.images.formats.limits import MAX_SIDE

BACKDROP = (128, 128, 128)  # behind transparent pictures: neither the black nor the white that interfaces are made of

_STRIP_PIXELS = 4_000_000


def shrunk(image: Image.Image) -> Image.Image:
    """The picture in opaque RGB with no side longer than `MAX_SIDE`."""
    image.load()
    darkest, brightest = _range(image)

    def strip(top: int, bottom: int) -> Image.Image:
        whole = top == 0 and bottom == image.height
        return opaque_rgb(image if whole else image.crop((0, top, image.width, bottom)), darkest, brightest)

    return shrunk_by_strips(image.width, image.height, strip)


def shrunk_array(pixels: np.ndarray) -> Image.Image:
    """The same of uint8 (H, W), (H, W, 3) or, with alpha, (H, W, 2) and (H, W, 4)."""
    height, width = pixels.shape[:2]
    return shrunk_by_strips(width, height, lambda top, bottom: opaque_rgb(Image.fromarray(pixels[top:bottom])))


def shrunk_by_strips(width: int, height: int, strip: Callable[[int, int], Image.Image]) -> Image.Image:
    """Average by a whole factor, then resize, a picture that is handed over from top to bottom.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        strip: gives the rows from a first to before a last one, opaque RGB; called once for each, in order.
    """
    factor = max(1, max(width, height) // MAX_SIDE)
    if factor == 1 and width * height <= _STRIP_PIXELS:
        whole = strip(0, height)
    else:
        rows = factor * max(1, _STRIP_PIXELS // (width * factor))
        whole = Image.new("RGB", (-(-width // factor), -(-height // factor)))
        for top in range(0, height, rows):
            whole.paste(strip(top, min(top + rows, height)).reduce(factor), (0, top // factor))
    if max(whole.size) > MAX_SIDE:
        whole.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return whole


def opaque_rgb(image: Image.Image, darkest: float = 0, brightest: float = 255) -> Image.Image:
    """The picture in RGB, transparent parts over `BACKDROP`.

    Args:
        image: of any mode.
        darkest: what is black in a picture of more than eight bits.
        brightest: what is white in it.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = (np.asarray(image, np.float32) - darkest) * (255 / (brightest - darkest))
        return Image.fromarray(np.nan_to_num(grey).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        backdrop = Image.new("RGB", rgba.size, BACKDROP)
        backdrop.paste(rgba, mask=rgba.getchannel("A"))
        return backdrop
    return image.convert("RGB")


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
