"""Whether two frames show the same picture."""

import cv2
import numpy as np

from framesearch.images.pixels import correlation, resize

LOOKS_THE_SAME = 0.998
"""Correlation of looks above which nobody could tell frames apart: a still scene has no one right moment."""

SIDE = 112  # pixels of what is compared
_CELL = 7  # pixels of a cell
_SAME_CORRELATION = 0.999
_SAME_CELLS = 3.0  # grey levels: compression moves a cell's mean by less, a word that appears by more


def look(rgb: np.ndarray) -> np.ndarray:
    """What frames are compared by: uint8 (112, 112), grey, of RGB uint8 (H, W, 3)."""
    return resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), SIDE, SIDE)


def centred(looks: np.ndarray) -> np.ndarray:
    """Looks (N, 112, 112) as float32 (N, 12544) without mean and of unit norm: inner products are correlations."""
    rows = looks.reshape(len(looks), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    result: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return result


def looks_alike(looks: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which of the looks (N, 112, 112) can't be told from the other one: bool (N,)."""
    result: np.ndarray = centred(looks) @ centred(other[None])[0] > LOOKS_THE_SAME
    return result


def identical(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two looks are of one picture to the last word: a slide shown on, not one with a line added.

    Correlation alone would pass over a new line on a slide, and differences alone over what moves in the dark.
    """
    cells = resize(cv2.absdiff(one, other), SIDE // _CELL, SIDE // _CELL)
    return bool(cells.max() <= _SAME_CELLS) and correlation(one, other) > _SAME_CORRELATION
