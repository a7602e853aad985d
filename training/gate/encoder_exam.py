"""Judging encoders: probe frames under the judge's transforms, asked of the catalogue's index frames.

Every encoder gets the same queries and the same gallery, in one sitting, with exact search. A query is right at rank k
where one of the first k frames shows its moment:

- *strict*: a frame of the right video within one second;
- *static-aware* (the one that decides): or a frame, in any video, that looks the same as the query did before it was
  distorted: 112 px grey, normalised cross-correlation above .998. Still scenes have no one right second, and where a
  catalogue holds the same shot twice nobody could tell which one a picture is from.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import ImageUnreadable, NotEnoughFrames, NotStored, ObjectDamaged
from framesearch.images.distortions import DISTORTIONS, distorted
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.images.sameness import look, looks_alike
from framesearch.models.encoder import Encoder
from framesearch.records import FrameRole, VideoStatus
from framesearch.search.rightness import is_right, on_time
from framesearch.store import layout
from framesearch.store.storage import Storage
from framesearch.store.tables import read_frame_times, read_frames, read_frames_at
from training.gate.precision import pooled_precision

log = logging.getLogger(__name__)

SEED = 4711  # of the judge alone: the same catalogue gives the same queries, whatever is trained
MAX_PROBES = 100  # base frames; each is asked under every transform
MAX_GALLERY = 20_000  # index frames: 250 MB of thumbnails; larger catalogues are judged on whole videos drawn from them
BATCH = 64
RANKS = 5
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What encoders will be judged on.

    Attributes:
        video_ids: of the gallery, in random order.
        probes_s: the times of the probe frames to ask, of each of these videos.
    """

    video_ids: tuple[str, ...]
    probes_s: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A base frame of the queries: held out, never trained on, never indexed."""

    video: int
    timestamp_s: float
    rgb: np.ndarray


@dataclass(frozen=True, slots=True)
class Exam:
    """Gallery and queries, as every encoder under judgement saw them.

    Attributes:
        video_ids: of the gallery.
        video: int32 (N,), the gallery's videos, index into `video_ids`.
        timestamps_s: float64 (N,).
        thumbnails: uint8 (N, 112, 112), grey.
        probes: base frames; query q is of probe q // 21 under transform q % 21.
        gallery_embeddings: one float32 (N, D) an encoder.
        query_embeddings: one float32 (Q, D) an encoder.
    """

    video_ids: tuple[str, ...]
    video: np.ndarray
    timestamps_s: np.ndarray
    thumbnails: np.ndarray
    probes: tuple[Probe, ...]
    gallery_embeddings: tuple[np.ndarray, ...]
    query_embeddings: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """How one encoder did.

    Attributes:
        right: bool (probes, 21), static-aware, first answer.
        answers: int64 (Q, 5), rows of the gallery, best first.
        metrics: r1, r1_strict, r5, video1, micro_ap, recall_at_p90, time_error_s, and r1/TRANSFORM.
    """

    right: np.ndarray
    answers: np.ndarray
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference of static-aware R1 between challenger and champion on the same queries.

    Attributes:
        low, high: bounds that the true difference exceeds, and stays below, with the asked-for confidence each.
    """

    difference: float
    low: float
    high: float


def plan_exam(catalogue: Catalogue, storage: Storage, most: int | None = None) -> Plan:
    """Choose gallery and probe frames: of each video one probe frame, then a second of each, up to so many.

    Reads times only, no pictures. Blank frames are neither asked nor answered.

    Args:
        most: probe frames; `MAX_PROBES` where not said.

    Raises:
        NotEnoughFrames: no probe frame is stored.
    """
    rng = np.random.default_rng(SEED)
    videos = sorted(video.video_id for video in catalogue.videos(VideoStatus.READY))
    probes: dict[str, list[float]] = {}
    frames = 0
    for place in rng.permutation(len(videos)):
        video_id = videos[place]
        try:
            with storage.open(layout.frames(video_id)) as file:
                _, index_qualities = read_frame_times(file, FrameRole.INDEX)
                times, qualities = read_frame_times(file, FrameRole.PROBE)
        except (NotStored, ObjectDamaged) as error:
            log.warning("judging passes over %s: %s", video_id, error)
            continue
        usable = int((index_qualities >= BLANK_QUALITY).sum())
        if not usable:
            continue
        if probes and frames + usable > MAX_GALLERY:
            break
        frames += usable
        probes[video_id] = rng.permutation(times[qualities >= BLANK_QUALITY]).tolist()
    if not any(probes.values()):
        raise NotEnoughFrames(
            f"no usable probe frame of {len(videos)} videos is stored, so no model could be judged: "
            "set FRAMESEARCH_PROBE_SHARE above 0 and ingest more or longer videos"
        )
    # A long video must not be all that counts: everybody's first before anybody's second.
    turns = sorted((turn, order) for order, times in enumerate(probes.values()) for turn in range(len(times)))
    chosen: list[list[float]] = [[] for _ in probes]
    ordered = list(probes.values())
    for turn, order in turns[: MAX_PROBES if most is None else most]:
        chosen[order].append(ordered[order][turn])
    return Plan(tuple(probes), tuple(tuple(sorted(times)) for times in chosen))


def examine(plan: Plan, storage: Storage, encoders: Sequence[Encoder]) -> Exam:
    """Embed gallery and queries with every encoder, reading and distorting each frame once.

    Memory: 12.5 kB and the embeddings a gallery frame.

    Raises:
        NotEnoughFrames: the frames that were planned with can't be read any more.
    """
    started = time.monotonic()
    video_ids = plan.video_ids
    video, timestamps_s, thumbnails = [], [], []
    gallery = _Embedded(encoders)
    for number, video_id in enumerate(video_ids):
        try:
            with storage.open(layout.frames(video_id)) as file:
                for frame in read_frames(file, FrameRole.INDEX):
                    if frame.quality >= BLANK_QUALITY:
                        rgb = decode_jpeg(frame.jpeg)
                        gallery.add(rgb)
                        video.append(number)
                        timestamps_s.append(frame.timestamp_s)
                        thumbnails.append(look(rgb))
        except (NotStored, ObjectDamaged, ImageUnreadable) as error:  # what was read of it is still good
            log.warning("judging leaves the rest of %s out: %s", video_id, error)
    probes: list[Probe] = []
    seen = set(video)
    queries = _Embedded(encoders)
    for number, video_id in enumerate(video_ids):
        times = plan.probes_s[number]
        if not times or number not in seen:
            continue
        try:
            with storage.open(layout.frames(video_id)) as file:
                frames = read_frames_at(file, times)
            read = [(time_s, decode_jpeg(frames[time_s].jpeg)) for time_s in times if time_s in frames]
        except (NotStored, ObjectDamaged, ImageUnreadable) as error:
            log.warning("judging leaves the probe frames of %s out: %s", video_id, error)
            continue
        for timestamp_s, rgb in read:
            probes.append(Probe(number, timestamp_s, rgb))
            for name in DISTORTIONS:
                queries.add(query_picture(probes[-1], name, video_id))
    if not probes:
        raise NotEnoughFrames("the stored probe frames can't be read: ingest their videos again, then train again")
    log.info(
        "judged on %d queries of %d probe frames against %d frames of %d videos, %d encoders, %.1f s",
        *(len(probes) * len(DISTORTIONS), len(probes), len(video), len(video_ids), len(encoders)),
        time.monotonic() - started,
    )
    return Exam(
        video_ids,
        np.array(video, np.int32),
        np.array(timestamps_s),
        np.stack(thumbnails),
        tuple(probes),
        gallery.vectors(),
        queries.vectors(),
    )


def query_picture(probe: Probe, transform: str, video_id: str) -> np.ndarray:
    """What is asked: the probe frame under the transform, always distorted the same way."""
    return distorted(probe.rgb, transform, f"{video_id}|{probe.timestamp_s:.3f}")


class _Embedded:
    """Embeds pictures with several encoders, a batch in memory at a time."""

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self._encoders = encoders
        self._waiting: list[np.ndarray] = []
        self._done: list[list[np.ndarray]] = [[] for _ in encoders]

    def add(self, rgb: np.ndarray) -> None:
        self._waiting.append(rgb)
        if len(self._waiting) == BATCH:
            self._flush()

    def _flush(self) -> None:
        for encoder, done in zip(self._encoders, self._done, strict=True):
            done.append(encoder.embed(self._waiting))
        self._waiting.clear()

    def vectors(self) -> tuple[np.ndarray, ...]:
        self._flush()
        return tuple(np.concatenate(done) for done in self._done)


def mark(exam: Exam, encoder: int) -> Marks:
    """Mark the answers of one encoder of the exam."""
    gallery, queries = exam.gallery_embeddings[encoder], exam.query_embeddings[encoder]
    kinds = len(DISTORTIONS)
    asked_video = np.repeat([probe.video for probe in exam.probes], kinds)
    asked_time = np.repeat([probe.timestamp_s for probe in exam.probes], kinds)
    ranks = min(RANKS, len(gallery))
    answers = np.empty((len(queries), ranks), np.int64)
    score, foreign_score = np.empty(len(queries), np.float32), np.full(len(queries), np.nan, np.float32)
    for number in range(len(queries)):
        similarities = gallery @ queries[number]
        best = np.argpartition(-similarities, ranks - 1)[:ranks]
        answers[number] = best[np.argsort(-similarities[best], kind="stable")]
        score[number] = similarities[answers[number, 0]]
        elsewhere = exam.video != asked_video[number]
        if elsewhere.any():
            foreign_score[number] = similarities[elsewhere].max()
    in_video = exam.video[answers] == asked_video[:, None]
    errors_s = np.abs(exam.timestamps_s[answers] - asked_time[:, None])
    late_s = np.where(in_video, errors_s, np.inf)
    strict = on_time(late_s)
    same = np.stack(
        [
            looks_alike(exam.thumbnails[answers[number]], look(exam.probes[number // kinds].rgb))
            for number in range(len(queries))
        ]
    )
    right = is_right(late_s, same)
    first = right[:, 0]
    metrics = {
        "r1": float(first.mean()),
        "r1_strict": float(strict[:, 0].mean()),
        "r5": float(right.any(axis=1).mean()),
        "video1": float((in_video[:, 0] | same[:, 0]).mean()),
        "time_error_s": float(np.median(errors_s[:, 0][in_video[:, 0]])) if in_video[:, 0].any() else float("nan"),
    }
    # Distractors: every query again, as if its video were not in the catalogue; whatever is answered is wrong.
    distractors = foreign_score[~np.isnan(foreign_score)]
    scores = np.concatenate([score, distractors])
    truths = np.concatenate([first, np.zeros(len(distractors), bool)])
    pooled = pooled_precision(scores, truths, len(queries))
    metrics["micro_ap"], metrics["recall_at_p90"] = pooled.average, pooled.recall
    by_transform = first.reshape(-1, kinds)
    metrics |= {f"r1/{name}": float(by_transform[:, k].mean()) for k, name in enumerate(DISTORTIONS)}
    return Marks(by_transform, answers, metrics)


def compare(challenger: np.ndarray, champion: np.ndarray, confidence: float) -> Comparison:
    """Bootstrap the difference over probe frames: queries of one frame are not independent of each other.

    Args:
        challenger, champion: bool (probes, queries a probe), whose first answer was right.
    """
    differences = challenger.mean(axis=1) - champion.mean(axis=1)  # (probes,)
    rng = np.random.default_rng(SEED)
    means = differences[rng.integers(0, len(differences), (RESAMPLES, len(differences)))].mean(axis=1)
    low, high = np.quantile(means, [1 - confidence, confidence])
    return Comparison(float(differences.mean()), float(low), float(high))
