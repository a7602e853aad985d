"""HEIC and AVIF: the primary picture of a file made of boxes, in the orientation that its own boxes tell.

HEIF readers ignore the EXIF orientation (ISO/IEC 23008-12, 6.5.10): `irot` and `imir` alone count.
"""

import io

import av
import numpy as np
import pi_heif
from PIL import Image

from framesearch.images.formats.exif import ORIENTATION, upright
from framesearch.images.formats.faults import Refused, TooMuchMemory
from framesearch.images.formats.limits import MAX_SIDE, Limits
from framesearch.images.formats.shrink import shrunk, shrunk_array

pi_heif.options.DECODE_THREADS = 1  # each keeps tiles of its own


def decode_heic(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the primary picture of a HEIC file."""
    heif = pi_heif.open_heif(content, convert_hdr_to_8bit=True)
    width, height = heif.size
    limits.judge_size(width, height)
    limits.judge_memory("HEIC", width, height, (5.5 if heif.has_alpha else 4.5) * width * height)
    return np.asarray(shrunk_array(np.asarray(heif)))


def decode_avif(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the primary picture of an AVIF file."""
    with Image.open(io.BytesIO(content), formats=["AVIF"]) as image:
        width, height = image.size
        limits.judge_size(width, height)
        orientation = image.getexif().get(ORIENTATION, 1)  # Pillow puts there what the boxes tell
        try:
            limits.judge_memory("AVIF", width, height, (12 if image.mode == "RGBA" else 10) * width * height)
        except TooMuchMemory:
            if image.mode == "RGBA":
                raise
        else:
            return np.asarray(upright(shrunk(image), orientation))
    return np.asarray(upright(_large_avif(content, width, height, limits), orientation))


def _large_avif(content: bytes, width: int, height: int, limits: Limits) -> Image.Image:
    """FFmpeg keeps a picture as it is coded, in a fraction of the memory; it knows no pictures made of several."""
    limits.judge_memory("AVIF", width, height, 2.5 * width * height)
    with av.open(io.BytesIO(content), "r", format="mov") as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        frame = next(file.decode(stream))
        if (frame.width, frame.height) != (width, height):
            raise Refused(
                f"is an AVIF of {width} x {height} pixels made of tiles, too many to decode: "
                "scale it down, or save it as a JPEG"
            )
        scale = min(1.0, MAX_SIDE / max(width, height))
        small = frame.reformat(
            max(1, round(width * scale)), max(1, round(height * scale)), "rgb24", interpolation="AREA"
        )
        return small.to_image()
