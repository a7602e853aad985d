"""Probe frames: stored apart, never indexed, so that each is a fair query with a known answer."""

import logging
from collections.abc import Iterator

import numpy as np

from framesearch.errors import FramesearchError
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.index.gallery import Gallery
from framesearch.records import FrameRole
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)


def probe_frames(
    gallery: Gallery, storage: Storage, rng: np.random.Generator, most: int
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Up to `most` probe frames (video, timestamp_s, picture), evenly from videos in random order."""
    each = max(1, -(-most // max(1, len(gallery.video_ids))))
    chosen: list[tuple[int, float]] = []
    for video in rng.permutation(len(gallery.video_ids))[: 2 * most]:
        if len(chosen) >= most:
            break
        try:
            with storage.open(layout.frames(gallery.video_ids[video])) as file:
                times, qualities = tables.read_frame_times(file, FrameRole.PROBE)
        except FramesearchError as error:
            log.debug("probe frames of %s are passed over: %s", gallery.video_ids[video], error)
            continue
        times = times[qualities >= BLANK_QUALITY]
        picked = rng.permutation(len(times))[:each]
        chosen += [(int(video), float(times[place])) for place in sorted(picked)]
    for place in rng.permutation(len(chosen)):  # so that a spent budget leaves a fair sample
        video, timestamp_s = chosen[place]
        try:
            with storage.open(layout.frames(gallery.video_ids[video])) as file:
                frame = tables.read_frames_at(file, [timestamp_s])[timestamp_s]
            yield video, timestamp_s, decode_jpeg(frame.jpeg)
        except (FramesearchError, KeyError) as error:
            log.debug("probe frames of %s are passed over: %s", gallery.video_ids[video], error)
