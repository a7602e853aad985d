"""The encoders of a learning curve on the very same queries: alone, and as a part of the whole search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from framesearch.models.encoder import Encoder
from framesearch.store.storage import Storage
from training.gate import encoder_exam
from training.gate.search_exam import search_with

CONFIDENCE = 0.975  # of each end of an interval: 95 % between them


@dataclass(frozen=True, slots=True)
class Share:
    """A share of queries with its 95 % interval over base frames: queries of one frame are not independent."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Marks:
    """How an encoder did, bool (base frames, queries a base frame) each.

    Attributes:
        right: the first answer is the moment, or looks the same.
        film: it is of the right film, in any of its copies, or looks the same; None where only `right` is known.
    """

    right: np.ndarray
    film: np.ndarray | None

    def of(self, bases: np.ndarray) -> "Marks":
        """The marks of some of the base frames, bool (base frames,)."""
        return Marks(self.right[bases], None if self.film is None else self.film[bases])


def alone(exam: encoder_exam.Exam, films: Sequence[int]) -> list[Marks]:
    """Each encoder of the exam by itself: one vector a frame, plain query, exact search.

    Args:
        films: of each of the exam's videos, the number of the film that it shows.
    """
    film = np.array(films)
    asked = film[[probe.video for probe in exam.probes]]
    told = []
    for number in range(len(exam.gallery_embeddings)):
        marks = encoder_exam.mark(exam, number)
        first = film[exam.video[marks.answers[:, 0]]].reshape(marks.right.shape)
        told.append(Marks(marks.right, marks.right | (first == asked[:, None])))
    return told


def whole(
    exam: encoder_exam.Exam, storage: Storage, encoders: dict[int, Encoder], queries: int, bases: np.ndarray
) -> dict[int, Marks]:
    """Some of the exam's encoders, by their numbers in it, each as a part of the whole search.

    Args:
        queries: of an encoder, at most; but each base frame is asked once.
        bases: bool (base frames,), which of them to ask.
    """
    asked = tuple(probe for probe, one in zip(exam.probes, bases, strict=True) if one)
    embeddings = tuple(exam.gallery_embeddings[number] for number in encoders)
    narrowed = replace(exam, probes=asked, gallery_embeddings=embeddings)
    marks = search_with(narrowed, storage, list(encoders.values()), queries)
    return {number: Marks(one.right, None) for number, one in zip(encoders, marks, strict=True)}


def share(marks: np.ndarray) -> Share:
    """The share of right queries: by how much it exceeds none."""
    return difference(marks, np.zeros_like(marks))


def difference(one: np.ndarray, other: np.ndarray) -> Share:
    """By how much the first exceeds the second, paired over base frames."""
    compared = encoder_exam.compare(one, other, CONFIDENCE)
    return Share(compared.difference, compared.low, compared.high)
