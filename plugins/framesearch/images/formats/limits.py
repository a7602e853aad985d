"""How large a picture may be, judged by its header before a pixel is decoded."""

from dataclasses import dataclass

from framesearch.images.formats.faults import Refused, TooMuchMemory

MAX_SIDE = 1600  # pixels of the picture handed on: several times what an encoder looks at
MIN_SIDE = 16  # pixels: below it nothing tells one frame from another


@dataclass(frozen=True)
class Limits:
    """What decoding may take.

    Attributes:
        max_megapixels: of the whole picture.
        memory: bytes beside those of the idle process.
    """

    max_megapixels: float
    memory: float

    def judge_size(self, width: int, height: int) -> None:
        """Refuse a picture of so many pixels where they are too many or too few."""
        if width * height > self.max_megapixels * 1e6:
            raise Refused(
                f"has {width} x {height} pixels, more than the {self.max_megapixels:g} megapixels allowed "
                "(FRAMESEARCH_MAX_QUERY_MEGAPIXELS): scale it down"
            )
        shrink = max(1.0, max(width, height) / MAX_SIDE)
        if min(width, height) / shrink < MIN_SIDE:
            raise Refused(
                f"has {width} x {height} pixels, too {'small' if shrink == 1 else 'narrow'} to tell a frame by: "
                f"use one of at least {MIN_SIDE} x {MIN_SIDE}, not a thin strip"
            )

    def judge_memory(self, kind: str, width: int, height: int, needed: float) -> None:
        """Refuse a picture whose decoder would take so many bytes, where they are too many."""
        if needed > self.memory:
            raise TooMuchMemory(
                f"has {width} x {height} pixels, too many to decode as {kind} within {self.memory / 1e6:.0f} MB of "
                "memory: scale it down, or save it as a JPEG"
            )
