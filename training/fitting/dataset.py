"""The frames to learn from: the catalogue's index frames, split by blocks of time.

Neighbouring frames look alike, so train and test are split by blocks of time and the frames around a block's edges
are left out. Probe frames are never read here: they are the judge's. Blank frames teach nothing and are left out.
"""

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import ImageUnreadable, NotEnoughFrames, NotStored, ObjectDamaged
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg, resize
from framesearch.records import FrameRole, VideoStatus
from framesearch.store import layout
from framesearch.store.storage import Storage
from framesearch.store.tables import read_frame_times, read_frames

log = logging.getLogger(__name__)

HEIGHT, WIDTH = 144, 256  # of the pictures that views are drawn from: 110 kB each
TEST_SHARE = 0.2  # of the blocks
BLOCK_S = 20.0  # shorter where the catalogue is
BLOCKS_WANTED = 20
MIN_FRAMES = 24  # of index frames: fewer make no batch that could teach anything


@dataclass(frozen=True, slots=True)
class VideoFrames:
    """What one video contributes."""

    video_id: str
    stored: int  # index frames that are not blank
    train: int
    test: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """Frames in memory, at training size.

    Attributes:
        pictures: RGB uint8 (N, 144, 256, 3), what views are drawn from.
        clean: RGB uint8 (N, side, side, 3), the undistorted pictures at the encoder's size.
        video: int32 (N,), index into `videos`.
        timestamps_s: float64 (N,).
        train, test: int64, indices of frames; together fewer than N, see `split`.
        block_s: the length of the blocks that were split.
        catalogue_frames: index frames of all ready videos, as the catalogue counts them.
        digest: of video ids, frame counts, sampling and split: equal digests, equal datasets.
    """

    pictures: np.ndarray
    clean: np.ndarray
    video: np.ndarray
    timestamps_s: np.ndarray
    videos: tuple[VideoFrames, ...]
    train: np.ndarray
    test: np.ndarray
    block_s: float
    catalogue_frames: int
    digest: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to learn from.

    Attributes:
        times_s: of each video's index frames that are not blank, float64, by video id.
        catalogue_frames: index frames of all ready videos, as the catalogue counts them.
    """

    times_s: dict[str, np.ndarray]
    catalogue_frames: int


def survey(catalogue: Catalogue, storage: Storage) -> Survey:
    """Look through the stored frames, without their pictures.

    Raises:
        NotEnoughFrames: fewer than `MIN_FRAMES` index frames that are not blank.
    """
    ready = catalogue.videos(VideoStatus.READY)
    stored: dict[str, np.ndarray] = {}
    for video in ready:
        try:
            with storage.open(layout.frames(video.video_id)) as file:
                times, qualities = read_frame_times(file, FrameRole.INDEX)
        except (NotStored, ObjectDamaged) as error:
            log.warning("training passes over %s: %s", video.video_id, error)
            continue
        if (qualities >= BLANK_QUALITY).any():
            stored[video.video_id] = times[qualities >= BLANK_QUALITY]
    total = sum(map(len, stored.values()))
    if total < MIN_FRAMES:
        raise NotEnoughFrames(
            f"{total} usable frames of {len(stored)} videos are stored, training needs at least {MIN_FRAMES}: "
            "ingest more or longer videos, then train again"
        )
    return Survey(stored, sum(video.index_frames for video in ready))


def load(surveyed: Survey, storage: Storage, *, side: int, max_frames: int, seed: int) -> Dataset:
    """Read at most `max_frames` of the surveyed frames, spread evenly over time.

    Memory: 110 kB and 3 bytes a pixel of the encoder's size a frame; videos are read one after another.

    Raises:
        NotEnoughFrames: the surveyed frames can't be read.
    """
    started = time.monotonic()
    stored = surveyed.times_s
    chosen = spread(stored, max_frames, seed)
    kept = sum(map(len, chosen.values()))
    pictures = np.empty((kept, HEIGHT, WIDTH, 3), np.uint8)
    clean = np.empty((kept, side, side, 3), np.uint8)
    video_ids: list[str] = []
    read_times: list[list[float]] = []
    row = 0
    for video_id, times in chosen.items():
        read: list[float] = []
        try:
            for timestamp_s, rgb in _pictures(storage, video_id, set(times.tolist())):
                pictures[row + len(read)] = resize(rgb, HEIGHT, WIDTH)
                clean[row + len(read)] = resize(rgb, side, side)
                read.append(timestamp_s)
        except (NotStored, ObjectDamaged, ImageUnreadable) as error:  # what was read of it is still good
            log.warning("training leaves the rest of %s out: %s", video_id, error)
        if read:
            row += len(read)
            video_ids.append(video_id)
            read_times.append(read)
    if row < MIN_FRAMES:
        raise NotEnoughFrames(f"only {row} of {kept} stored frames can be read: ingest their videos again")
    pictures, clean = pictures[:row], clean[:row]
    number_of = np.repeat(np.arange(len(video_ids), dtype=np.int32), [len(read) for read in read_times])
    timestamps_s = np.array([timestamp_s for read in read_times for timestamp_s in read])
    block_s = block_length(stored)
    train, test = split(video_ids, number_of, timestamps_s, block_s, seed)
    videos = tuple(
        VideoFrames(
            video_id,
            len(stored[video_id]),
            int((number_of[train] == number).sum()),
            int((number_of[test] == number).sum()),
        )
        for number, video_id in enumerate(video_ids)
    )
    described = "\n".join(
        f"{v.video_id} {v.stored} {v.train} {v.test}" for v in sorted(videos, key=lambda v: v.video_id)
    )
    sampling = f"{seed} {max_frames} {block_s} {HEIGHT}x{WIDTH}"
    digest = hashlib.sha256(f"{sampling}\n{described}".encode()).hexdigest()[:16]
    log.info(
        "dataset %s: %d of %d frames of %d videos, %d to train, %d to test, %.1f s",
        *(digest, row, sum(map(len, stored.values())), len(videos), len(train), len(test), time.monotonic() - started),
    )
    return Dataset(
        pictures, clean, number_of, timestamps_s, videos, train, test, block_s, surveyed.catalogue_frames, digest
    )


def _pictures(storage: Storage, video_id: str, wanted: set[float]) -> Iterator[tuple[float, np.ndarray]]:
    """The index frames of a video at the wanted times, each once: timestamp_s and RGB picture."""
    with storage.open(layout.frames(video_id)) as file:
        for frame in read_frames(file, FrameRole.INDEX):
            if frame.timestamp_s in wanted and frame.quality >= BLANK_QUALITY:
                wanted.discard(frame.timestamp_s)
                yield frame.timestamp_s, decode_jpeg(frame.jpeg)


def spread(stored: dict[str, np.ndarray], max_frames: int, seed: int) -> dict[str, np.ndarray]:
    """At most `max_frames` of all frames, every n-th in time order from a seeded start: each video keeps its share."""
    total = sum(map(len, stored.values()))
    if total <= max_frames:
        return stored
    stride = total / max_frames
    offset = np.random.default_rng(seed).uniform(0, stride)
    picked = np.unique(np.floor(offset + stride * np.arange(max_frames)).astype(np.int64))
    chosen, start = {}, 0
    for video_id, times in stored.items():
        own = picked[(picked >= start) & (picked < start + len(times))] - start
        start += len(times)
        if len(own):
            chosen[video_id] = times[own]
    return chosen


def block_length(stored: dict[str, np.ndarray]) -> float:
    """Seconds a block: 20, less where the catalogue is so short that there would be too few blocks to split."""
    footage_s = sum(float(times[-1] - times[0]) for times in stored.values())
    return float(np.clip(footage_s / BLOCKS_WANTED, 1.0, BLOCK_S))


def split(
    video_ids: Sequence[str], video: np.ndarray, timestamps_s: np.ndarray, block_s: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of train and test frames: a fifth of the blocks is for testing, at least one.

    Blocks are ranked by a hash of video and time, so that a block hardly ever changes sides when videos are added.
    Training frames closer than a twentieth of a block to a test block are left out of both.
    """
    blocks = np.floor(timestamps_s / block_s).astype(np.int64)
    keys = {(int(v), int(b)) for v, b in zip(video, blocks, strict=True)}
    ranked = sorted(keys, key=lambda key: hashlib.sha256(f"{seed}|{video_ids[key[0]]}|{key[1]}".encode()).digest())
    testing = set(ranked[: max(1, round(TEST_SHARE * len(ranked)))]) if len(ranked) > 1 else set()
    guard = block_s / 20

    def tests(times: np.ndarray) -> np.ndarray:
        at = np.floor(times / block_s).astype(np.int64)
        return np.array([(int(v), int(b)) in testing for v, b in zip(video, at, strict=True)], dtype=bool)

    is_test = tests(timestamps_s)
    near_test = tests(timestamps_s - guard) | tests(timestamps_s + guard)
    return np.flatnonzero(~is_test & ~near_test), np.flatnonzero(is_test)


def batches_of(dataset: Dataset, size: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of one training batch, none twice: half random frames, half runs of four frames 3 s apart.

    The runs teach to tell neighbouring moments apart, which is what the answer's second depends on.
    """
    size = min(size, len(dataset.train))
    chosen = dict.fromkeys(rng.choice(dataset.train, size, replace=False)[: size - size // 2].tolist())
    for anchor in rng.permutation(dataset.train):
        if len(chosen) >= size - 3:
            break
        same = dataset.train[dataset.video[dataset.train] == dataset.video[anchor]]
        times = dataset.timestamps_s[same]
        for step in range(4):
            nearest = same[np.abs(times - (dataset.timestamps_s[anchor] + 3.0 * step)).argmin()]
            chosen.setdefault(int(nearest))
    for index in rng.permutation(dataset.train):
        if len(chosen) >= size:
            break
        chosen.setdefault(int(index))
    return np.fromiter(chosen, np.int64)
