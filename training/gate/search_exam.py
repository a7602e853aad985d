"""The whole search, as the page would answer with an encoder that is not champion yet.

Embeddings are only one of the things an answer is weighed from: beside local features and the comparison of pixels a
better encoder may change nothing, or change it for the worse. So challenger and champion are asked as parts of the
same search, on the same frames and queries.
"""

import logging
import time
from dataclasses import dataclass

import numpy as np

from framesearch.errors import NotStored, ObjectDamaged
from framesearch.images.distortions import DISTORTIONS
from framesearch.images.sameness import look, looks_alike
from framesearch.index.gallery import Gallery
from framesearch.index.vectors import FrameIndex, type_for
from framesearch.index.visual_words import LocalIndex
from framesearch.jobs.local_features import local_features
from framesearch.models.encoder import Encoder
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader
from framesearch.search.query import read_query
from framesearch.search.ranking import rank
from framesearch.search.rightness import is_right
from framesearch.store.storage import Storage
from framesearch.store.tables import FEATURE, JPEG_PLACE
from training.gate.encoder_exam import SEED, Exam, query_picture

log = logging.getLogger(__name__)

KINDS = tuple(DISTORTIONS)


@dataclass(frozen=True, slots=True)
class SearchMarks:
    """How the search did with one encoder.

    Attributes:
        right: bool (probes, queries a probe), static-aware, first answer.
        metrics: search/r1, search/video1, search/time_error_s.
    """

    right: np.ndarray
    metrics: dict[str, float]


def search_with(exam: Exam, storage: Storage, encoders: list[Encoder], queries: int) -> list[SearchMarks]:
    """Ask the search with each encoder of an exam: each probe frame under some of the transforms, all in turn.

    Args:
        queries: of an encoder, at most; but each probe frame is asked once.
    """
    started = time.monotonic()
    each = int(np.clip(queries // len(exam.probes), 1, len(KINDS)))
    local, aspects, jpegs = _features(exam, storage)
    marks = []
    for number, encoder in enumerate(encoders):
        gallery = _gallery(exam, exam.gallery_embeddings[number], local, aspects, jpegs)
        marks.append(_mark(exam, gallery, encoder, each, storage))
    log.info(
        "the whole search judged with %d encoders on %d queries each, %.1f s",
        *(len(encoders), each * len(exam.probes), time.monotonic() - started),
    )
    return marks


def _features(exam: Exam, storage: Storage) -> tuple[LocalIndex, np.ndarray, np.ndarray]:
    """The local features of the gallery, made where they are not stored yet, the frames' aspects and where they lie."""
    features, aspects = [np.empty(0, FEATURE)] * len(exam.video), np.zeros(len(exam.video), np.float32)
    jpegs = np.zeros(len(exam.video), JPEG_PLACE)
    for number, video_id in enumerate(exam.video_ids):
        rows = np.flatnonzero(exam.video == number)
        if not len(rows):
            continue
        try:
            stored = local_features(video_id, storage)
        except (NotStored, ObjectDamaged) as error:
            log.warning("video %s is judged by its embeddings alone: %s", video_id, error)
            continue
        own = stored.at(exam.timestamps_s[rows])
        aspects[rows], jpegs[rows] = own.aspects, own.jpegs
        for row, found in zip(rows, own.features, strict=True):
            features[row] = found
    return LocalIndex(np.concatenate(features), np.array([len(own) for own in features], np.int64)), aspects, jpegs


def _gallery(exam: Exam, embeddings: np.ndarray, local: LocalIndex, aspects: np.ndarray, jpegs: np.ndarray) -> Gallery:
    index = FrameIndex.train(type_for(len(embeddings)), embeddings)
    index.add([embeddings])
    return Gallery(index, local, exam.video_ids, exam.video, exam.timestamps_s, exam.timestamps_s, aspects, jpegs)


def _mark(exam: Exam, gallery: Gallery, encoder: Encoder, each: int, storage: Storage) -> SearchMarks:
    order = np.random.default_rng(SEED).permutation(len(KINDS))
    pictures = FrameCache(FrameReader(storage)).of(gallery)
    right = np.zeros((len(exam.probes), each), bool)
    same_video = np.zeros_like(right)
    errors_s: list[float] = []
    for number, probe in enumerate(exam.probes):
        truth = look(probe.rgb)
        for turn in range(each):
            kind = KINDS[order[(number * each + turn) % len(KINDS)]]
            query = read_query(encoder, query_picture(probe, kind, exam.video_ids[probe.video]))
            places = rank(gallery, query, 1, pictures).places
            if not places:
                continue
            row, video = places[0].row, places[0].video
            alike = bool(looks_alike(exam.thumbnails[row : row + 1], truth)[0])
            error_s = abs(float(exam.timestamps_s[row]) - probe.timestamp_s)
            same_video[number, turn] = video == probe.video or alike
            right[number, turn] = is_right(error_s if video == probe.video else np.inf, alike)
            if video == probe.video:
                errors_s.append(error_s)
    return SearchMarks(
        right,
        {
            "search/r1": float(right.mean()),
            "search/video1": float(same_video.mean()),
            "search/time_error_s": float(np.median(errors_s)) if errors_s else float("nan"),
        },
    )
