"""HEIC and AVIF: the primary picture of a file made of boxes, in the orientation that its own boxes tell.

HEIF readers ignore the EXIF orientation (ISO/IEC 23008-12, 6.5.10): `irot` and `imir` alone count.
"""

import io

import imagecodecs
import numpy as np
import pi_heif
from PIL import Image

from framesearch.images.formats.exif import ORIENTATION, upright
from framesearch.images.formats.faults import Refused
from framesearch.images.formats.limits import Limits
from framesearch.images.formats.shrink import shrunk, shrunk_array

pi_heif.options.DECODE_THREADS = 1  # each keeps tiles of its own


def decode_heic(content: bytes, limits: Limits) -> np.ndarray:
    """Decode the primary picture of a HEIC file."""
    heif = pi_heif.open_heif(content, convert_hdr_to_8bit=True)
    if len(heif) == 0:
        raise Refused("is damaged, or holds no picture coded as HEVC, as HEIC files do: save it as a JPEG")
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
        # Pillow makes bytes of the decoded pixels, then a picture of the bytes, which takes twice the memory.
        if (12 if image.mode == "RGBA" else 10) * width * height <= limits.memory:
            small = shrunk(image)
        else:
            limits.judge_memory("AVIF", width, height, (7 if image.mode == "RGBA" else 5) * width * height)
            small = shrunk_array(_eight_bits(imagecodecs.avif_decode(content, index=0, numthreads=1)))
    return np.asarray(upright(small, orientation))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels >> (4 if pixels.max() > 1023 else 2)).astype(np.uint8)  # of twelve bits, or ten
