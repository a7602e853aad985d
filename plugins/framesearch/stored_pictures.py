"""Stored frames by row of an index, as pictures: read many times, decoded once."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from framesearch import layout, tables
from framesearch.bundle import Bundle
from framesearch.errors import FramesearchError
from framesearch.images.pixels import decode_jpeg
from framesearch.storage import Storage

log = logging.getLogger(__name__)

KEPT = 512  # pictures of 180 x 320 pixels: 90 MB


class StoredPictures:
    """Reads stored frames; safe to use from threads. Frames that are gone or damaged are left out, and logged."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[tuple[str, float], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, bundle: Bundle) -> "Callable[[Iterable[int]], dict[int, np.ndarray]]":
        """What `ranking.rank` asks for the frames of this bundle's rows."""
        return lambda rows: self._read(bundle, rows)

    def _read(self, bundle: Bundle, rows: Iterable[int]) -> dict[int, np.ndarray]:
        """The frames of these rows that can be had, RGB uint8 (H, W, 3)."""
        wanted: dict[str, dict[float, int]] = {}
        found: dict[int, np.ndarray] = {}
        for row in rows:
            video_id = bundle.videos[bundle.video_of_row[row]].video_id
            time_s = float(bundle.timestamps_s[row])
            with self._lock:
                rgb = self._kept.get((video_id, time_s))
                if rgb is not None:
                    self._kept.move_to_end((video_id, time_s))
            if rgb is None:
                wanted.setdefault(video_id, {})[time_s] = row
            else:
                found[row] = rgb
        for video_id, times in wanted.items():
            found |= {times[time_s]: rgb for time_s, rgb in self._decoded(video_id, list(times)).items()}
        return found

    def _decoded(self, video_id: str, times: list[float]) -> dict[float, np.ndarray]:
        pictures: dict[float, np.ndarray] = {}
        try:
            with self._storage.open(layout.frames(video_id)) as file:
                for time_s, frame in tables.read_frames_at(file, times).items():
                    pictures[time_s] = decode_jpeg(frame.jpeg)
        except FramesearchError as error:
            log.warning("frames of video %s can't be compared: %s", video_id, error)
        with self._lock:
            for time_s, rgb in pictures.items():
                self._kept[video_id, time_s] = rgb
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return pictures
