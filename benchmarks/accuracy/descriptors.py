"""The peers' descriptors, each after its own paper or code: what other systems keep of a frame."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from benchmarks.accuracy.footage import fingerprint
from framesearch.models.encoder import Encoder

_BATCH = 16


class Thumbnail:
    """A 16 x 16 colour thumbnail, centred, of unit norm: what "compare a small picture" comes to."""

    name = "16x16 thumbnail"
    digest = "thumbnail 16x16 1"
    bytes_per_frame: float = 16 * 16 * 3 * 4
    note = "16 x 16 RGB, centred, cosine"

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, 768), unit norm; zeros for a picture of one colour."""
        small = np.stack([cv2.resize(rgb, (16, 16), interpolation=cv2.INTER_AREA).reshape(-1) for rgb in pictures])
        centred = small.astype(np.float32) - small.mean(axis=1, keepdims=True, dtype=np.float32)
        return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Cosine."""
        return queries @ gallery.T


class PHash:
    """The 64-bit perceptual hash: signs of the lowest 8 x 8 frequencies of a 32 x 32 grey picture.

    Source: Krawetz, "Looks like it" (2011), https://www.hackerfactor.com/blog/index.php?/archives/432, as the package
    imagehash computes it: the 8 x 8 lowest coefficients, the constant one included, against their median.
    """

    name = "pHash"
    digest = "phash 64 1"
    bytes_per_frame: float = 8
    note = "64 bits, Hamming distance"

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """int8 (N, 64), each -1 or 1."""
        bits = np.empty((len(pictures), 64), np.int8)
        for row, rgb in enumerate(pictures):
            grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
            low = cv2.dct(grey.astype(np.float32))[:8, :8].reshape(-1)
            bits[row] = np.where(low > np.median(low), 1, -1)
        return bits

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """The share of equal bits less that of different ones."""
        return _bitwise(queries, gallery)


def _bitwise(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    return queries.astype(np.float32) @ gallery.T.astype(np.float32) / queries.shape[1]


class Pdq:
    """PDQ, 256 bits: the hash of photos that Meta published for sharing among platforms.

    Source: https://github.com/facebook/ThreatExchange/tree/main/pdq, through the package pdqhash, which is no
    dependency of framesearch.

    Raises:
        ModuleNotFoundError: pdqhash is not installed.
    """

    name = "PDQ"
    digest = "pdq 256 1"
    bytes_per_frame: float = 32
    note = "256 bits, Hamming distance"

    def __init__(self) -> None:
        import pdqhash

        self._compute = pdqhash.compute

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """int8 (N, 256), each -1 or 1."""
        hashes = [self._compute(np.ascontiguousarray(rgb))[0] for rgb in pictures]
        return (2 * np.stack(hashes).astype(np.int8) - 1).astype(np.int8)

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """The share of equal bits less that of different ones."""
        return _bitwise(queries, gallery)


class ColourLayout:
    """MPEG-7's colour layout: the lowest frequencies of an 8 x 8 picture in YCbCr, coarsely rounded.

    Source: ISO/IEC 15938-3 (visual descriptors), with 21 numbers of brightness and 6 of each colour difference, and
    distances weighted, as LIRE has it (Lux and Chatzichristofis 2008), through which trace.moe searches anime scenes.
    """

    name = "MPEG-7 colour layout"
    digest = "colour layout 21 6 6 1"
    bytes_per_frame: float = 33
    note = "21 + 6 + 6 coefficients, LIRE's weighted distance, as trace.moe searches"
    _KEPT = (21, 6, 6)  # of Y, Cb, Cr
    _WEIGHTS = ((2, 2, 2), (2, 1, 1), (4, 2, 2))  # of the first three; 1 of all others

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """int16 (N, 33)."""
        return np.stack([self._code(rgb) for rgb in pictures])

    def _code(self, rgb: np.ndarray) -> np.ndarray:
        red, green, blue = cv2.resize(rgb, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).transpose(2, 0, 1)
        luma = (0.299 * red + 0.587 * green + 0.114 * blue) / 256
        planes = (
            219 * luma + 16.5,
            224 * 0.564 * (blue / 256 - luma) + 128.5,
            224 * 0.713 * (red / 256 - luma) + 128.5,
        )
        code: list[int] = []
        for number, (plane, kept) in enumerate(zip(planes, self._KEPT, strict=True)):
            spectrum = cv2.dct(np.floor(plane))  # orthonormal: the constant is eight times the mean
            values = [int(np.floor(spectrum[y, x] + 0.5)) for y, x in _ZIGZAG[:kept]]
            if number == 0:
                code.append(_rounded_luma(values[0] >> 3) >> 1)
                code += [_rounded_frequency(value >> 1) >> 3 for value in values[1:]]
            else:
                code.append(_rounded_colour(values[0] >> 3))
                code += [_rounded_frequency(value) >> 3 for value in values[1:]]
        return np.array(code, np.int16)

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """The weighted distances of the three planes, added, negative."""
        total = np.zeros((len(queries), len(gallery)), np.float32)
        start = 0
        for kept, first in zip(self._KEPT, self._WEIGHTS, strict=True):
            weights = np.sqrt(np.array([*first, *[1] * (kept - 3)], np.float32))
            ours, theirs = (codes[:, start : start + kept] * weights for codes in (queries, gallery))
            for row, code in enumerate(ours):
                total[row] -= np.linalg.norm(theirs - code, axis=1)
            start += kept
        return total


_ZIGZAG = sorted(
    ((y, x) for y in range(8) for x in range(8)), key=lambda at: (sum(at), at[0] if sum(at) % 2 else -at[0])
)
"""The cells of an 8 x 8 spectrum from low to high frequency."""


# The standard's uneven steps: fine in the middle, coarse towards the ends.


def _rounded_luma(level: int) -> int:
    if level > 191:
        return 112 + (level - 192) // 4
    if level > 159:
        return 96 + (level - 160) // 2
    if level > 95:
        return 32 + level - 96
    return 16 + (level - 64) // 2 if level > 63 else level // 4


def _rounded_colour(level: int) -> int:
    if level > 191:
        return 63
    if level > 159:
        return 56 + (level - 160) // 4
    if level > 143:
        return 48 + (level - 144) // 2
    if level > 111:
        return 16 + level - 112
    if level > 95:
        return 8 + (level - 96) // 2
    return (level - 64) // 4 if level > 63 else 0


def _rounded_frequency(value: int) -> int:
    value = min(255, max(-256, value))
    size = abs(value)
    rounded = 64 + size // 4 if size > 127 else 32 + size // 2 if size > 63 else size
    return 128 + (rounded if value >= 0 else -rounded)


class Sscd:
    """SSCD, a copy detection network, from an ONNX file that takes uint8 (N, H, W, 3) RGB of any size.

    Source: Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection" (CVPR 2022),
    https://github.com/facebookresearch/sscd-copy-detection, which advises to squash pictures to squares.
    """

    def __init__(self, onnx: Path, side: int = 288) -> None:
        self._file, self._side = onnx, side
        self._digest_of_file = hashlib.sha256(onnx.read_bytes()).hexdigest()
        self._sessions: dict[int, ort.InferenceSession] = {}
        self.name = "SSCD"
        self.digest = fingerprint("sscd", self._digest_of_file, side)
        session = self._session(1)
        self._input, self._output = session.get_inputs()[0].name, session.get_outputs()[0].name
        dimension = session.get_outputs()[0].shape[1]
        self.bytes_per_frame: float = 4.0 * int(dimension)
        self.note = f"{onnx.name}, {side} x {side} px, cosine of {dimension} numbers"

    def _session(self, threads: int) -> ort.InferenceSession:
        if threads not in self._sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = threads, 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._sessions[threads] = ort.InferenceSession(str(self._file), options, providers=["CPUExecutionProvider"])
        return self._sessions[threads]

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, D), unit norm. Queries come one by one and get one thread."""
        session = self._session(1 if len(pictures) == 1 else len(os.sched_getaffinity(0)))
        codes = []
        for start in range(0, len(pictures), _BATCH):
            squares = [_square(rgb, self._side) for rgb in pictures[start : start + _BATCH]]
            codes.append(session.run([self._output], {self._input: np.stack(squares)})[0])
        vectors = np.concatenate(codes).astype(np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Cosine."""
        return queries @ gallery.T


def _square(rgb: np.ndarray, side: int) -> np.ndarray:
    shrinks = rgb.shape[0] * rgb.shape[1] >= side * side
    return cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


class EncoderFile:
    """Any encoder that keeps framesearch's contract, on its own: flat search, one vector a frame."""

    def __init__(self, name: str, onnx: Path, note: str) -> None:
        self._encoder = Encoder(onnx, threads=1)
        self.name, self.note = name, note
        self.digest = fingerprint("encoder", self._encoder.digest)
        self.bytes_per_frame: float = 4.0 * self._encoder.dimension

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, D), unit norm."""
        return self._encoder.embed(pictures)

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Cosine."""
        return queries @ gallery.T
