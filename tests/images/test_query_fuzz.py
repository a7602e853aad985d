"""Hostile pictures: whatever comes in, a picture or our own error comes out, in bounded time."""

import random
import struct
import time

import numpy as np
import pytest
from PIL import Image
from query_pictures import KINDS, black_png, exif, saved, scene

from framesearch.errors import ImageUnreadable
from framesearch.images.query import MAX_SIDE, read_picture
from framesearch.settings import Settings

LIMITS = Settings()
SMALL = scene((120, 90))
SEEDS = {kind: write(SMALL) for kind, write in KINDS.items()} | {
    "JPEG with EXIF": saved(SMALL, "JPEG", exif=exif(6)),
    "JPEG, CMYK": saved(SMALL.convert("CMYK"), "JPEG"),
    "PNG, palette": saved(SMALL.convert("P"), transparency=3, exif=exif(3)),
    "PNG with alpha": saved(SMALL.convert("RGBA")),
    "WebP, animated": saved(SMALL, "WEBP", save_all=True, append_images=[SMALL.rotate(9)]),
    "WebP with alpha": saved(SMALL.convert("RGBA"), "WEBP", exif=exif(8)),
    "GIF, animated": saved(SMALL, "GIF", save_all=True, append_images=[SMALL.rotate(9)]),
}
QUICK = ("JPEG,", "JPEG with", "PNG", "WebP", "GIF")  # kinds that are decoded without a process of their own
NUMBERS = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\xfe", b"\0\0\0\1", b"\x80\0\0\0")
MOST_S = 20  # processor time: a decoder that hangs takes for ever


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The file cut off, overwritten, with bytes taken out or put in, often in its header."""
    changed = bytearray(content)
    if rng.random() < 0.15:
        del changed[rng.randrange(12, len(changed)) :]
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(2, len(changed) if rng.random() < 0.5 else min(len(changed), 200))
        count = rng.randrange(1, 64)
        how = rng.random()
        if how < 0.4:
            changed[at] = rng.randrange(256)
        elif how < 0.6:
            changed[at : at + 4] = rng.choice(NUMBERS)
        elif how < 0.75:
            changed[at : at + count] = rng.randbytes(count)
        elif how < 0.85 and len(changed) > 100:
            del changed[at : at + count]
        else:
            start = rng.randrange(len(content))
            changed[at:at] = content[start : start + count]
    return bytes(changed)


def is_answered_or_refused(content: bytes) -> None:
    started = time.process_time()
    try:
        rgb = read_picture(content, LIMITS)
    except ImageUnreadable as error:
        assert len(str(error)) < 500
    else:
        assert rgb.dtype == np.uint8
        assert rgb.ndim == 3
        assert rgb.shape[2] == 3
        assert max(rgb.shape) <= MAX_SIDE
    assert time.process_time() - started < MOST_S


@pytest.mark.parametrize("kind", SEEDS)
def test_nothing_but_our_own_error_comes_out(kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(150 if kind == "JPEG" or kind.startswith(QUICK) else 5):
        is_answered_or_refused(mutated(SEEDS[kind], rng))


def test_any_bytes_behind_any_beginning() -> None:
    rng = random.Random(1)
    for kind, seed in SEEDS.items():
        if kind == "JPEG" or kind.startswith(QUICK):
            for length in (2, 4, 8, 16, 24, 40):
                is_answered_or_refused(seed[:length] + rng.randbytes(3000))


def test_a_decoder_that_takes_too_much_memory_is_stopped() -> None:
    """An icon may hold a PNG of another size than it states."""
    inner = black_png(11_000, 8, 6)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inner), 22) + inner
    with pytest.raises(ImageUnreadable, match="takes too much memory to decode as icon"):
        read_picture(icon, LIMITS)


def test_a_picture_of_one_colour_stays_so() -> None:
    for kind, write in KINDS.items():
        rgb = read_picture(write(Image.new("RGB", (64, 64), (200, 30, 30))), LIMITS).astype(int)
        assert np.abs(rgb - (200, 30, 30)).max() <= 6, kind
