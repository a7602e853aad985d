"""Stored frames by row of a gallery, as JPEG bytes, read from the storage one by one.

Only the pictures that are asked for are read: a gallery knows where each lies. Rows of bundles that were built before
that was recorded are read through the whole object of their video's frames.
"""

import logging
import zlib
from collections.abc import Iterable

import numpy as np

from framesearch.errors import FramesearchError
from framesearch.index.gallery import Gallery
from framesearch.store import layout, tables
from framesearch.store.storage import Range, Storage

log = logging.getLogger(__name__)


class FrameReader:
    """Reads stored frames; safe to use from threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def jpegs(self, gallery: Gallery, rows: Iterable[int]) -> dict[int, bytes]:
        """The frames of these rows, those that can be had; what is gone or damaged is left out, and logged."""
        by_video: dict[int, list[int]] = {}
        for row in rows:
            by_video.setdefault(int(gallery.video_of_row[row]), []).append(row)
        found: dict[int, bytes] = {}
        for video, own in by_video.items():
            video_id = gallery.video_ids[video]
            try:
                found |= self._placed(gallery, video_id, own)
                # No place is known, or the video was stored anew since the index was built: its times are still right.
                found |= self._timed(gallery, video_id, [row for row in own if row not in found])
            except FramesearchError as error:
                log.warning("frames of video %s can't be read: %s", video_id, error)
        return found

    def _placed(self, gallery: Gallery, video_id: str, rows: list[int]) -> dict[int, bytes]:
        placed = [row for row in rows if gallery.jpegs[row]["size"]]
        ranges = [Range(int(gallery.jpegs[row]["start"]), int(gallery.jpegs[row]["size"])) for row in placed]
        read = self._storage.read(layout.frames(video_id), ranges)
        return {
            row: jpeg for row, jpeg in zip(placed, read, strict=True) if zlib.crc32(jpeg) == gallery.jpegs[row]["crc32"]
        }

    def _timed(self, gallery: Gallery, video_id: str, rows: list[int]) -> dict[int, bytes]:
        by_time = {float(gallery.timestamps_s[row]): row for row in rows}
        if not by_time:
            return {}
        with self._storage.open(layout.frames(video_id)) as file:
            frames = tables.read_frames_at(file, list(by_time))
        return {by_time[time_s]: frame.jpeg for time_s, frame in frames.items()}


def row_at(gallery: Gallery, video_id: str, timestamp_s: float) -> int | None:
    """The row of a video's frame at exactly this time; None where there is none."""
    if video_id not in gallery.video_ids:
        return None
    rows = gallery.rows_of(gallery.video_ids.index(video_id))
    row = rows.start + int(np.searchsorted(gallery.timestamps_s[rows.start : rows.stop], timestamp_s))
    return row if row in rows and gallery.timestamps_s[row] == timestamp_s else None
