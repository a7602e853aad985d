"""What the footage allows: how well the stored frames could answer if nothing were distorted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.copies import Copies
from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.queries import Base
from framesearch.images.sameness import centred, look, looks_alike
from framesearch.search.rightness import is_right


@dataclass(frozen=True, slots=True)
class Limits:
    """What no system that answers with a stored frame is likely to exceed; NaN without base frames.

    Attributes:
        nearest_s: median time from a base frame to the nearest stored one of its video.
        alike: share of base frames, undistorted, of which the most alike of all stored frames (112 px grey,
            normalised cross-correlation) is the moment, static-aware. In fast motion and where scenes repeat it is not.
    """

    nearest_s: float
    alike: float


def limits(bases: Sequence[Base], gallery: Gallery, copies: Copies) -> Limits:
    """Compare every base frame of an indexed film with every stored frame."""
    stored = centred(gallery.thumbnails)
    apart_s, right = [], []
    for base in bases:
        looks = look(base.rgb())
        best = int((stored @ centred(looks[None])[0]).argmax())
        own = gallery.timestamps_s[np.array(gallery.rows_of(gallery.video_ids.index(base.video_id or "")), np.int64)]
        apart_s.append(np.abs(own - base.timestamp_s).min() if len(own) else np.inf)
        late_s = copies.late_s(base, gallery.files[gallery.video[best]], gallery.timestamps_s[best])
        right.append(is_right(late_s, bool(looks_alike(gallery.thumbnails[best][None], looks)[0])))
    if not bases:
        return Limits(float("nan"), float("nan"))
    return Limits(float(np.median(apart_s)), float(np.mean(right)))
