"""The stored frames of the library, which every system answers from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.footage import fingerprint
from benchmarks.accuracy.homes import Library
from framesearch.backends import open_storage
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.images.sameness import look
from framesearch.records import FrameRole
from framesearch.store import layout, tables

MOVING, STILL = 3.0, 1.5  # stored frames a second: at least, at most


@dataclass(frozen=True, slots=True)
class Gallery:
    """The index frames of the library's videos that are not blank, video by video in time order.

    Attributes:
        files, video_ids: of the videos, in the same order.
        video: int32 (N,), index into `video_ids`.
        timestamps_s: float64 (N,).
        thumbnails: uint8 (N, 112, 112), grey, to tell what looks the same.
        hours: of all the videos together.
        digest: equal digests, equal frames.
    """

    library: Library
    files: tuple[Path, ...]
    video_ids: tuple[str, ...]
    video: np.ndarray
    timestamps_s: np.ndarray
    thumbnails: np.ndarray
    hours: float
    digest: str

    def __len__(self) -> int:
        return len(self.video)

    def rows_of(self, number: int) -> range:
        """The rows of one video."""
        first, stop = np.searchsorted(self.video, [number, number + 1])
        return range(int(first), int(stop))

    def frames_an_hour(self, *, least: float = 0.0, most: float = math.inf) -> float:
        """Stored frames an hour of those videos that store between so many a second; NaN where none does."""
        frames, seconds = 0, 0.0
        for number, file in enumerate(self.files):
            count, lasts_s = len(self.rows_of(number)), self.library.videos[file].duration_s or 0.0
            if lasts_s > 0 and least <= count / lasts_s <= most:
                frames, seconds = frames + count, seconds + lasts_s
        return 3600 * frames / seconds if seconds else math.nan

    def row_at(self, video_id: str, timestamp_s: float) -> int | None:
        """The frame of a video nearest to a time; None for a video that is not in the gallery."""
        if video_id not in self.video_ids:
            return None
        rows = self.rows_of(self.video_ids.index(video_id))
        if not rows:
            return None
        return rows.start + int(np.abs(self.timestamps_s[rows.start : rows.stop] - timestamp_s).argmin())

    def pictures(self, number: int) -> list[np.ndarray]:
        """The frames of one video, RGB uint8, in row order."""
        return [rgb for _, rgb in _usable_frames(self.library, self.video_ids[number])]


def read_gallery(library: Library) -> Gallery:
    """Read the stored frames once; 12.5 kB a frame stay in memory."""
    files = tuple(library.videos)
    video_ids = tuple(library.videos[file].video_id for file in files)
    video: list[int] = []
    timestamps_s: list[float] = []
    thumbnails: list[np.ndarray] = []
    for number, video_id in enumerate(video_ids):
        for timestamp_s, rgb in _usable_frames(library, video_id):
            video.append(number)
            timestamps_s.append(timestamp_s)
            thumbnails.append(look(rgb))
    looks = np.stack(thumbnails)
    seconds = sum(record.duration_s or 0.0 for record in library.videos.values())
    return Gallery(
        library,
        files,
        video_ids,
        np.array(video, np.int32),
        np.array(timestamps_s),
        looks,
        seconds / 3600,
        fingerprint(video_ids, timestamps_s, looks.sum(axis=(1, 2)).tolist()),
    )


def _usable_frames(library: Library, video_id: str) -> Iterator[tuple[float, np.ndarray]]:
    with open_storage(library.settings).open(layout.frames(video_id)) as file:
        for frame in tables.read_frames(file, FrameRole.INDEX):
            if frame.quality >= BLANK_QUALITY:
                yield frame.timestamp_s, decode_jpeg(frame.jpeg)
