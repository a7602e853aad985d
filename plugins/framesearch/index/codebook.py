"""Ten bytes for a local feature: a word, a signature and its place. Frames keep these, not SIFT's 128 bytes.

The word says which of 65,536 cells a descriptor lies in: its two halves are told apart by 256 centres each (inverted
multi-index, Babenko and Lempitsky 2012, https://doi.org/10.1109/CVPR.2012.6248038). The signature says where within
the cell: 32 signs of projections of what is left (Hamming embedding, Jégou, Douze and Schmid 2008,
https://doi.org/10.1007/978-3-540-88682-2_24).

Centres and projections are fixed and ship with the library, in `codebook.npz`, so that a frame's features are made
once and for ever, whatever encoder is champion. `python -m training.retrieval.fit_codebook` made them, from the demo
clips; centres of other footage, or of the very footage that is searched, were measured to find no more.
"""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from framesearch.images.keypoints import DIMENSIONS, Keypoints
from framesearch.store.tables import FEATURE

FILE = Path(__file__).with_name("codebook.npz")
HALF = DIMENSIONS // 2
CENTRES = 256  # of each half
WORDS = CENTRES**2
SIGNATURE_BITS = 32

_SIZES = (0.004, 1.03)  # of a picture's height: the smallest, and the factor from one step to the next
_NEAREST_HALVES = 6  # of each half that are combined to find a descriptor's nearest cells


@cache
def _codebook() -> tuple[np.ndarray, np.ndarray]:
    """Centres float32 (2, 256, 64) and projections float32 (128, 32)."""
    with np.load(FILE, allow_pickle=False) as stored:
        return stored["centres"].astype(np.float32), stored["projections"].astype(np.float32)


@cache
def codebook_digest() -> str:
    """What features and indexes that were made with this codebook are told by: 12 hexadecimal digits."""
    digest = hashlib.sha256()
    with np.load(FILE, allow_pickle=False) as stored:
        for name in ("centres", "projections"):
            digest.update(np.ascontiguousarray(stored[name]).tobytes())
    return digest.hexdigest()[:12]


def _distances(descriptors: np.ndarray) -> np.ndarray:
    """Squared distances of both halves to all centres, up to a constant a row: float32 (2, N, 256)."""
    centres, _ = _codebook()
    halves = descriptors.astype(np.float32).reshape(-1, 2, HALF).swapaxes(0, 1)  # (2, N, 64)
    result: np.ndarray = (centres**2).sum(axis=2)[:, None, :] - 2 * halves @ centres.swapaxes(1, 2)
    return result


def nearest_words(descriptors: np.ndarray, count: int = 1) -> np.ndarray:
    """The cells that descriptors (uint8 (N, 128)) lie in, or nearest to: uint16 (N, count), the nearest first."""
    first, second = _distances(descriptors)
    if count == 1:
        result: np.ndarray = (first.argmin(axis=1) * CENTRES + second.argmin(axis=1)).astype(np.uint16)[:, None]
        return result
    near = [np.argpartition(half, _NEAREST_HALVES, axis=1)[:, :_NEAREST_HALVES] for half in (first, second)]
    far = [np.take_along_axis(half, chosen, axis=1) for half, chosen in zip((first, second), near, strict=True)]
    together = (far[0][:, :, None] + far[1][:, None, :]).reshape(len(descriptors), _NEAREST_HALVES**2)
    words = (near[0][:, :, None] * CENTRES + near[1][:, None, :]).reshape(len(descriptors), _NEAREST_HALVES**2)
    order = np.argsort(together, axis=1)[:, :count]
    return np.take_along_axis(words, order, axis=1).astype(np.uint16)


def signatures(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Where descriptors (uint8 (N, 128)) lie as seen from the centres of these words (uint16 (N,)): uint32 (N,)."""
    centres, projections = _codebook()
    cells = np.concatenate([centres[0][words // CENTRES], centres[1][words % CENTRES]], axis=1)
    signs = (descriptors.astype(np.float32) - cells) @ projections > 0
    return np.packbits(signs, axis=1).view("<u4")[:, 0]


def quantised(keypoints: Keypoints) -> np.ndarray:
    """The features of a picture as they are stored: FEATURE (N,)."""
    features = np.empty(len(keypoints), FEATURE)
    features["word"] = nearest_words(keypoints.descriptors)[:, 0]
    features["signature"] = signatures(keypoints.descriptors, features["word"])
    places = keypoints.positions / np.array([keypoints.aspect, 1.0], np.float32)
    features["x"], features["y"] = np.round(places.clip(0, 1) * 255).astype(np.uint8).T
    smallest, step = _SIZES
    sizes = np.log(np.maximum(keypoints.sizes, smallest) / smallest) / np.log(step)
    features["size"] = np.round(sizes).clip(0, 255).astype(np.uint8)
    features["angle"] = (np.round(keypoints.angles / 360 * 256).astype(np.int64) % 256).astype(np.uint8)
    return features


def places_of(features: np.ndarray, aspects: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Where stored features lie and which way they point: complex64 (N,) each, x + iy in heights of their picture."""
    places = features["x"] / np.float32(255) * aspects + 1j * (features["y"] / np.float32(255))
    smallest, step = _SIZES
    sizes = smallest * step ** features["size"].astype(np.float32)
    return places.astype(np.complex64), (sizes * np.exp(features["angle"] * (2j * np.pi / 256))).astype(np.complex64)


def places_in(keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """The same of keypoints that were just found, exactly."""
    places = keypoints.positions[:, 0] + 1j * keypoints.positions[:, 1]
    return places.astype(np.complex64), (keypoints.sizes * np.exp(1j * np.radians(keypoints.angles))).astype(
        np.complex64
    )
