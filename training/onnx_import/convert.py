"""Encoders from outside: any ONNX descriptor, wrapped so that it keeps the encoder contract.

The graph stays as it is; what stands around it in the same file turns uint8 (N, H, W, 3) RGB into what it takes, and
what it gives into unit-norm float32 (N, D). Scaling, channel order and pooling thus travel with the encoder, and
nobody who uses it needs to know them.

The file is a stranger's: it is read, wrapped and tried out in a process of its own, which ends where a step takes
longer than a minute or more memory than any encoder needs, before anything is registered.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesearch.errors import EncoderInvalid
from framesearch.models.encoder import Encoder
from training.onnx_import.graph import Around, trial_pictures, written
from training.onnx_import.interface import Reading, check_size, input_of, levels, opset, output_of, pooling, read
from training.onnx_import.sandbox import STEP_S, Step, confined

log = logging.getLogger(__name__)

DIMENSIONS = range(2, 4097)  # an index of larger ones would be larger than the footage
MAX_PICTURE_S = 1.0  # on this machine: slower ones would take days to embed a day of footage
ALIKE = 0.9999  # cosine: where all pictures embed closer than this, nothing is told apart
SAME = 0.999  # cosine of a picture's embeddings, alone and in company


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An encoder that was made of an external graph, and what came out when it was tried.

    Attributes:
        encoder: the wrapped graph, loaded.
        sha256: of the file it was made of.
        preprocessing: what is done to red, green, blue before the graph, in words.
        layout, pool, output: as read.
        batch: `free`, `freed` (it was fixed to one, and works without), or `one by one` (it can't be freed).
        opset: of the graph.
        parameters: numbers in its weights.
        picture_ms: wall time an embedding of one picture takes on this machine, in batches.
        nearest_cosine, mean_cosine: of embeddings of different generated pictures.
    """

    encoder: Encoder
    sha256: str
    preprocessing: str
    layout: str
    pool: str
    output: str
    batch: str
    opset: int
    parameters: int
    picture_ms: float
    nearest_cosine: float
    mean_cosine: float


def wrap(source: Path, target: Path, reading: Reading, *, step_s: float = STEP_S) -> Wrapped:
    """Write `target`, an encoder that keeps the contract, around the graph in `source`, and try it out.

    Args:
        step_s: wall-clock seconds that a step may take: to load the graph, to run it on one picture, ...

    Raises:
        EncoderInvalid: the file is no ONNX graph, is too large, refers to other files, needs operators that
            onnxruntime does not have, can't be read without more being said, takes too long or too much memory, or
            what it gives is no embedding.
    """
    started = time.monotonic()
    check_size(source)
    facts = confined(_wrapped, source, target, reading, told=source.name, step_s=step_s)
    wrapped = Wrapped(encoder=Encoder(target, told=source.name), **facts)
    encoder = wrapped.encoder
    log.info(
        "wrapped %s: %dx%d, %d dimensions, %s, batch %s, %.1f ms a picture, %.1f s",
        *(source.name, encoder.height, encoder.width, encoder.dimension),
        *(wrapped.preprocessing, wrapped.batch, wrapped.picture_ms, time.monotonic() - started),
    )
    return wrapped


def _wrapped(source: Path, target: Path, reading: Reading, step: Step) -> dict[str, Any]:
    """What `Wrapped` says of the encoder that is written to `target`; runs confined."""
    told = source.name
    step("reading it")
    model, digest = read(source)
    taken = input_of(model, reading, told)
    step("running it on one picture")
    output, rank = output_of(model, taken, reading, told)
    pool = pooling(reading.pool, rank, output, told)
    subtract, divide, preprocessing = levels(reading, taken.type, told)
    around = Around(taken, subtract, divide, output, rank, pool, reading.channels)
    encoder, batch = written(model, around, target, told, step)
    picture_ms, nearest, mean = _tried(encoder, told, step)
    return {
        "sha256": digest,
        "preprocessing": preprocessing + (", blue first" if reading.channels == "bgr" else ""),
        "layout": taken.layout,
        "pool": pool or "none",
        "output": output,
        "batch": batch,
        "opset": opset(model),
        "parameters": sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer),
        "picture_ms": picture_ms,
        "nearest_cosine": nearest,
        "mean_cosine": mean,
    }


# ---- trying


def _tried(encoder: Encoder, told: str, step: Step) -> tuple[float, float, float]:
    """Milliseconds a picture, and the largest and the mean cosine between embeddings of different pictures.

    Raises:
        EncoderInvalid: they are not numbers, all the same, depend on their company, or take too long.
    """
    if encoder.dimension not in DIMENSIONS:
        raise EncoderInvalid(
            f"{told} gives {encoder.dimension} numbers a picture, {DIMENSIONS[0]} to {DIMENSIONS[-1]} are taken"
        )
    pictures = trial_pictures(encoder)
    step("embedding pictures together")
    started = time.monotonic()
    vectors = encoder.embed(pictures)
    picture_s = (time.monotonic() - started) / len(pictures)
    if picture_s > MAX_PICTURE_S:
        raise EncoderInvalid(f"{told} takes {picture_s:.1f} s a picture, at most {MAX_PICTURE_S:g} are bearable")
    if not np.isfinite(vectors).all():
        raise EncoderInvalid(f"{told} gives what is no number for a plain picture: it can't be an encoder")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise EncoderInvalid(f"{told} gives nothing for a plain picture, no direction: it can't be an encoder")
    cosines = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    if cosines.min() > ALIKE:
        raise EncoderInvalid(
            f"{told} gives the same embedding for different pictures (cosine {cosines.min():.6f} and more): see that "
            "it is a descriptor, and that --preprocessing and --channels are those it was trained with"
        )
    step("embedding them one by one")
    alone = np.concatenate([encoder.embed([picture]) for picture in pictures])
    company = float((alone * vectors).sum(axis=1).min())
    if not company >= SAME:
        raise EncoderInvalid(
            f"{told} embeds a picture otherwise alone than among others (cosine {company:.4f}), as graphs do that are "
            "quantised dynamically, or exported while training: export it for inference, quantised statically if at all"
        )
    return 1000.0 * picture_s, float(cosines.max()), float(cosines.mean())
