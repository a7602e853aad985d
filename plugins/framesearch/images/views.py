"""Repaired readings of a query: as it is, mirrored back, and with the borders cut that players and editors add.

An index knows frames as their video shows them. Searching with each view and keeping the best score finds mirrored
and letterboxed pictures that the picture as it is would miss, without teaching the encoder anything.
"""

import numpy as np

from framesearch.images.pixels import resize

MIRRORED = "mirrored"  # part of the name of every view that is
TURNED = "turned"  # no view of its own: local features find a picture however it was turned

_SAME = 14  # levels of 255: how far noise and compression move a plain border's colour
_OUTLIERS = 0.03  # share of a line's pixels that may differ: dust, ringing, a logo's edge
_LEAST_LEFT = 0.2  # of each side: a smaller rest is more likely a title on a plain page than a frame
_LEAST_CUT = 0.015  # of a side: encoders forgive less than that by themselves
_LOOKED_AT = 480  # pixels of the longer side while looking for borders


def views(rgb: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    """The readings of a picture by name, each squashed to `height` x `width` as an encoder takes it.

    `original`, `mirrored` and, where there are borders to cut, `trimmed` and `trimmed and mirrored`.
    """
    original = resize(rgb, height, width)
    found = {"original": original, MIRRORED: mirror(original)}
    cut = trim(rgb)
    if cut is not None:
        trimmed = resize(cut, height, width)
        found |= {"trimmed": trimmed, "trimmed and mirrored": mirror(trimmed)}
    return found


def mirror(rgb: np.ndarray) -> np.ndarray:
    """The picture, (H, W) or (H, W, 3), with left and right exchanged."""
    return np.ascontiguousarray(rgb[:, ::-1])


def trim(rgb: np.ndarray) -> np.ndarray | None:
    """The picture without plain borders (letterbox, pillarbox, page margins), or None where it has none to cut.

    A picture that is plain all over has none.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _LOOKED_AT / max(height, width))
    small = resize(rgb, max(1, round(height * scale)), max(1, round(width * scale)))
    top, bottom, left, right = 0, small.shape[0], 0, small.shape[1]
    for _ in range(2):  # a bar across the top is plain only where the bars at its ends are cut, and the other way round
        above, below = _plain_lines(small[top:bottom, left:right])
        top, bottom = top + above, bottom - below
        before, after = _plain_lines(small[top:bottom, left:right].swapaxes(0, 1))
        left, right = left + before, right - after
    kept = (bottom - top) / small.shape[0], (right - left) / small.shape[1]
    if min(kept) < _LEAST_LEFT or max(1 - kept[0], 1 - kept[1]) < _LEAST_CUT:
        return None
    # A line more on each cut side: the edge itself is a mixture of border and picture.
    top, left = top + (top > 0), left + (left > 0)
    bottom, right = bottom - (bottom < small.shape[0]), right - (right < small.shape[1])
    rows = slice(round(top / scale), round(bottom / scale))
    columns = slice(round(left / scale), round(right / scale))
    cut = rgb[rows, columns]
    return np.ascontiguousarray(cut) if min(cut.shape[:2]) >= 8 else None


def _plain_lines(rgb: np.ndarray) -> tuple[int, int]:
    """How many lines at the top and at the bottom have one colour throughout, each side its own."""
    if min(rgb.shape[:2]) == 0:
        return 0, 0
    return _plain_run(rgb), _plain_run(rgb[::-1])


def _plain_run(rgb: np.ndarray) -> int:
    colour = np.median(rgb[0], axis=0).astype(np.int16)
    for number, line in enumerate(rgb):
        differs = (np.abs(line.astype(np.int16) - colour) > _SAME).any(axis=1)
        if differs.mean() > _OUTLIERS:
            return number
    return len(rgb)
