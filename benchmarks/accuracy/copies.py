"""When another copy of a film shows what one copy shows: an answer there is as right."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.accuracy.footage import Footage
from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.queries import Base
from framesearch.images.sameness import centred

_ALIKE = 0.9  # normalised cross-correlation of two copies' frames, 112 px grey, that may show one moment
_WINDOW_S = 0.5  # pairs of one moment differ by no more: copies are sampled at other times
_LEAST_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Copies:
    """How copies of a film lie to each other.

    Attributes:
        shift_s: by file and other file, what to add to a time in the one for the time in the other.
    """

    shift_s: dict[tuple[Path, Path], float]

    def late_s(self, base: Base, file: Path, timestamp_s: float) -> float:
        """How far a moment of a video is from a base frame's: seconds, infinite in one that is known to be no copy."""
        shift_s = 0.0 if file == base.file else self.shift_s.get((base.file, file), np.inf)
        return abs(timestamp_s - base.timestamp_s - shift_s)


def align_copies(gallery: Gallery, footage: Footage) -> Copies:
    """Align the stored frames of videos that show the same film.

    Each frame is paired with the one of the other video that looks most alike, and the most common difference of
    their times is the shift. Copies that share no run of frames (parts of a film, other edits) have none.
    """
    looks = centred(gallery.thumbnails)
    shift_s: dict[tuple[Path, Path], float] = {}
    for one, other in combinations(range(len(gallery.files)), 2):
        files = gallery.files[one], gallery.files[other]
        if footage.film_of(files[0]) != footage.film_of(files[1]):
            continue
        rows, others = (slice(found.start, found.stop) for found in (gallery.rows_of(one), gallery.rows_of(other)))
        likeness = looks[rows] @ looks[others].T
        if not likeness.size:
            continue
        apart_s = gallery.timestamps_s[others][likeness.argmax(axis=1)] - gallery.timestamps_s[rows]
        apart_s = np.sort(apart_s[likeness.max(axis=1) >= _ALIKE])
        pairs = np.searchsorted(apart_s, apart_s + _WINDOW_S, side="right") - np.arange(len(apart_s))
        if len(pairs) and pairs.max() >= _LEAST_PAIRS:
            first = int(pairs.argmax())
            shift = float(np.median(apart_s[first : first + pairs[first]]))
            shift_s[files], shift_s[files[::-1]] = shift, -shift
    return Copies(shift_s)
