"""A registered encoder as teacher: what it makes of the clean frames, computed once and kept.

An imported descriptor knows from millions of pictures which ones belong together; it may be too slow, too large or
licensed otherwise than an encoder that is to ship. What it says of this catalogue's frames can be handed on: see
`training.families.contrastive` for how it is learned from.
"""

import hashlib
import io
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framesearch.errors import InvalidSetting
from framesearch.models.encoder import BATCH, Encoder
from framesearch.models.registry import Registry
from framesearch.system.disk import write_atomically
from training.families.contract import Family
from training.fitting.dataset import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A teacher, and where what it said is kept.

    Attributes:
        version: of the registered model.
        cache: a folder of its own, one file a video.
    """

    version: str
    encoder: Encoder
    cache: Path


def chosen(version: str, family: Family, registry: Registry) -> Teacher:
    """The teacher of this model version, its encoder fetched.

    Raises:
        InvalidSetting: the family can't be taught.
        NoModelVersion: the registry does not hold the version.
        EncoderInvalid: its encoder can't be used.
        RegistryUnreachable: MLflow did not answer.
    """
    if not family.teachable:
        raise InvalidSetting(
            f"the family {family.name} can't be taught: leave FRAMESEARCH_TEACHER empty, or train `contrastive`"
        )
    encoder = Encoder(registry.encoder_file(version))
    return Teacher(version, encoder, registry.home / "cache" / "lessons" / encoder.digest[:16])


def lessons(teacher: Teacher, dataset: Dataset) -> np.ndarray:
    """The teacher's embeddings of the dataset's frames, as the dataset holds them: unit-norm float32 (N, D).

    Frames that were embedded in an earlier training are taken from the cache. A cache that can't be read or written
    costs time, nothing else.
    """
    started = time.monotonic()
    embedded = np.empty((len(dataset.pictures), teacher.encoder.dimension), np.float32)
    new = 0
    for number, video in enumerate(dataset.videos):
        rows = np.flatnonzero(dataset.video == number)
        times = dataset.timestamps_s[rows]
        file = teacher.cache / f"{hashlib.sha256(video.video_id.encode()).hexdigest()[:32]}.npz"
        known_times, known = _read(file, teacher.encoder.dimension)
        places = {time_s: place for place, time_s in enumerate(known_times.tolist())}
        missing = np.array([row for row, time_s in zip(rows, times.tolist(), strict=True) if time_s not in places], int)
        for row, time_s in zip(rows, times.tolist(), strict=True):
            if time_s in places:
                embedded[row] = known[places[time_s]]
        if not len(missing):
            continue
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            embedded[part] = teacher.encoder.embed(list(dataset.pictures[part]))
        new += len(missing)
        _write(
            file,
            np.concatenate([known_times, dataset.timestamps_s[missing]]),
            np.concatenate([known, embedded[missing]]),
        )
    log.info(
        "lessons of version %s: %d frames, %d of them new, %.1f s",
        *(teacher.version, len(embedded), new, time.monotonic() - started),
    )
    return embedded


def _read(file: Path, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0), np.empty((0, dimension), np.float32)
    try:
        with np.load(file, allow_pickle=False) as kept:
            times, vectors = kept["timestamps_s"], kept["embeddings"]
    except FileNotFoundError:
        return nothing
    except Exception as error:  # numpy and zipfile raise what they like over a damaged file
        log.warning("the lessons in %s are made again: %s", file, error)
        return nothing
    whole = (
        times.ndim == 1 and vectors.shape == (len(times), dimension) and vectors.dtype == np.float32
    ) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    return (times, vectors) if whole else nothing


def _write(file: Path, timestamps_s: np.ndarray, embeddings: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez(content, timestamps_s=timestamps_s, embeddings=embeddings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content.getvalue())
    except OSError as error:
        log.warning("lessons are not kept in %s: %s", file, error)
