"""The one thing asked of EXIF blocks: which side of the picture is up."""

import contextlib

from PIL import Image

ORIENTATION = 0x0112  # the tag

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def exif_orientation(block: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block; 1 where it holds none or is broken."""
    with contextlib.suppress(Exception):  # the parser of hostile blocks raises anything
        exif = Image.Exif()
        exif.load(block)
        if (orientation := exif.get(ORIENTATION)) in _UPRIGHT:
            return int(orientation)
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned and mirrored as its orientation asks."""
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)
