"""Which places of an answer show the same picture: re-uploads and other encodes, shared intros, recaps.

The stored frames decide: one laid over the other must explain it, up to brightness, contrast and what covers a part.
Thresholds are from real footage, three encodes of one film and ten re-uploads of several (letterboxed, cropped,
mirrored, framed, captioned, coarse), sampled at other moments. Of 2,026 pairs of one moment in two videos 87 % pass,
of 573 in a fast fight with many cuts, half of them captioned, 20 %; of 5,797 pairs of other moments of one film in two
videos 12 %, all of one shot; of 6,172 pairs of different films none. Within one video: all of 11, and 2.8 % of 5,201.
"""

from collections.abc import Sequence

import numpy as np

from framesearch.images.overlay import Likeness, Overlay, Prepared, filling, grey, prepared
from framesearch.images.pixels import THUMBNAIL, fit_height, resize
from framesearch.images.views import MIRRORED, mirror, trim
from framesearch.search.evidence import Pictures
from framesearch.search.ranking import Place

MOST_COMPARED = 30
"""Places that are compared, the best: each with the first of every group, which grows with the square."""

_HEIGHT = 60  # pixels: coarse, since copies are sampled up to an eighth of a second apart and their pictures move
_ROBUST, _PLAIN = 0.8, 0.6  # likenesses from which a place in another video shows the same picture
_ROBUST_AGAIN, _PLAIN_AGAIN = 0.93, 0.8  # in a video that shows it already: one encode, and shots hardly change
_WITHIN = 0.9  # of one frame must lie within the other, or the camera has moved on
_LEAST_SHARE = 0.1  # of the other frame that this one then covers at least
_GRID = (np.arange(8) + 0.5) / 8
_CORRELATED = 0.6  # coarsely, before pixels are compared: `_PLAIN` is what a correlation of 0.77 explains
_BORDER_DEVIATION = 14.0  # grey levels: a border line that varies more is no plain one


class _Shown:
    """What a place shows, made ready once: the whole frame, and the frame without plain borders."""

    def __init__(self, place: Place, rgb: np.ndarray) -> None:
        self.video = place.video
        self.mirrored = MIRRORED in place.view
        self.aspect = self.bare_aspect = rgb.shape[1] / rgb.shape[0]
        small = fit_height(rgb, _HEIGHT)
        self.whole = self.bare = grey(small)
        self.whole_prepared = self.bare_prepared = prepared(small, _HEIGHT)
        lines = self.whole_prepared.grey
        if min(line.std() for line in (lines[0], lines[-1], lines[:, 0], lines[:, -1])) < _BORDER_DEVIATION:
            bare = trim(rgb)
            if bare is not None:
                self.bare_aspect = bare.shape[1] / bare.shape[0]
                small = fit_height(bare, _HEIGHT)
                self.bare, self.bare_prepared = grey(small), prepared(small, _HEIGHT)
        coarse = resize(self.bare_prepared.grey, *THUMBNAIL)
        coarse -= coarse.mean()
        self.coarse = coarse / (np.linalg.norm(coarse) + 1e-6)
        self.to_query = None if place.box is None else _to_query(place.box, self.aspect)
        self.from_query = None if self.to_query is None else np.linalg.inv(self.to_query)


def first_shown(places: Sequence[Place], pictures: Pictures) -> list[int | None]:
    """For each place the first one of the list that shows the same picture, as a place in it; None for those first.

    Args:
        places: best first, of one query.
        pictures: gives the stored frames. A place whose frame can't be had is taken to repeat none; so are those
            beyond `MOST_COMPARED`.
    """
    found: list[int | None] = [None] * len(places)
    if len(places) < 2:
        return found
    compared = places[:MOST_COMPARED]
    frames = pictures(place.row for place in compared)
    groups: list[tuple[int, _Shown, set[int]]] = []  # place, what it shows, the videos that show it, too
    for number, place in enumerate(compared):
        if place.row not in frames:
            continue
        shown = _Shown(place, frames[place.row])
        for first, lead, videos in groups:
            again = place.video in videos
            if _same(lead, shown, *((_ROBUST_AGAIN, _PLAIN_AGAIN) if again else (_ROBUST, _PLAIN))):
                found[number] = first
                videos.add(place.video)
                break
        else:
            groups.append((number, shown, {place.video}))
    return found


def _same(lead: _Shown, other: _Shown, robust: float, plain: float) -> bool:
    """Whether one frame explains the other: without borders, each filling its picture, or as both lie in the query."""

    def alike(likeness: Likeness) -> bool:
        return likeness.robust >= robust and likeness.plain >= plain

    flipped = lead.mirrored != other.mirrored
    coarse = other.coarse[:, ::-1] if flipped else other.coarse
    if float((lead.coarse * coarse).sum()) >= _CORRELATED:
        bare = mirror(other.bare) if flipped else other.bare
        if alike(_likeness(lead.bare_prepared, bare, filling(lead.bare_aspect, other.bare_aspect))):
            return True
    placement = _over(lead, other)
    return placement is not None and alike(_likeness(lead.whole_prepared, other.whole, placement))


def _likeness(query: Prepared, frame: np.ndarray, placement: np.ndarray) -> Likeness:
    return Overlay(query, placement, frame.shape).likeness(frame)


def _to_query(box: np.ndarray, aspect: float) -> np.ndarray | None:
    """The map from a frame, in its heights, to the query, in shares: float64 (3, 3); None where it is not sane."""
    corner, across, down = box[0], (box[1] - box[0]) / aspect, box[3] - box[0]
    affine = np.array([[across[0], down[0], corner[0]], [across[1], down[1], corner[1]], [0, 0, 1]], np.float64)
    return affine if np.isfinite(affine).all() and abs(np.linalg.det(affine)) > 1e-4 else None


def _over(lead: _Shown, other: _Shown) -> np.ndarray | None:
    """The map that lays one frame over the other as both lie in the query, float64 (3, 3), where one holds the other.

    Where each shows what the other does not, the camera has moved on.
    """
    if lead.from_query is None or other.from_query is None:
        return None
    affine = lead.from_query @ other.to_query
    shares = (
        _share(other.from_query @ lead.to_query, lead.aspect, other.aspect),
        _share(affine, other.aspect, lead.aspect),
    )
    return affine if max(shares) >= _WITHIN and min(shares) >= _LEAST_SHARE else None


def _share(affine: np.ndarray, aspect: float, onto: float) -> float:
    """The share of a frame that a map lays within another one."""
    x = affine[0, 0] * _GRID[None, :] * aspect + affine[0, 1] * _GRID[:, None] + affine[0, 2]
    y = affine[1, 0] * _GRID[None, :] * aspect + affine[1, 1] * _GRID[:, None] + affine[1, 2]
    return float(((x >= 0) & (x <= onto) & (y >= 0) & (y <= 1)).mean())
