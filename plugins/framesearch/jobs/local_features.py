"""The local features of a video's frames: found once, whatever model is champion."""

import logging
from collections.abc import Container, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from framesearch.errors import ImageUnreadable, ObjectDamaged
from framesearch.images.keypoints import detect
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.images.sameness import identical, look
from framesearch.index.codebook import codebook_digest, quantised
from framesearch.models.encoder import BATCH
from framesearch.records import FrameRole
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

FEATURES = 80  # local features of a frame that are kept, 10 bytes each
FEATURE_HEIGHT = 180  # pixels: the scale at which they are looked for


def local_features(video_id: str, storage: Storage) -> tables.LocalFeatures:
    """The local features of a video's index frames, found and stored once. Safe to repeat.

    Blank frames are left out, and of a picture that stands still only the first is taken: it says when the last was.
    They do not depend on the model: where they are stored already, they stay, unless they can't be read.

    Raises:
        NotStored, ObjectDamaged, StorageFull: as `embed_video`.
    """
    path = layout.features(video_id, codebook_digest())
    if storage.exists(path):
        try:
            with storage.open(path) as file:
                stored = tables.read_features(file)
            if stored.jpegs["size"].any() or not len(stored.jpegs):
                return stored
            return _with_places(stored, video_id, path, storage)
        except ObjectDamaged as error:
            log.warning("the local features of video %s are made again: %s", video_id, error)
            storage.delete(path)
    with storage.open(layout.frames(video_id)) as file, storage.scratch() as scratch:
        found = _found_features(file, video_id)
        tables.write_features(scratch / "features.parquet", found)
        storage.create(path, scratch / "features.parquet")
    return found


def _with_places(stored: tables.LocalFeatures, video_id: str, path: str, storage: Storage) -> tables.LocalFeatures:
    """Features stored before places of pictures were: stored again with them, where there still are frames."""
    if not storage.exists(layout.frames(video_id)):
        return stored
    with storage.open(layout.frames(video_id)) as file, storage.scratch() as scratch:
        placed = replace(stored, jpegs=tables.jpeg_places(file, stored.timestamps_s.tolist()))
        tables.write_features(scratch / "features.parquet", placed)
        storage.delete(path)
        storage.create(path, scratch / "features.parquet")
    return placed


def _found_features(file: Path, video_id: str) -> tables.LocalFeatures:
    times: list[float] = []
    until: list[float] = []
    aspects: list[float] = []
    features: list[np.ndarray] = []
    shown: np.ndarray | None = None  # how the picture looks that may still be standing
    for frames, pictures in index_frames(file, video_id):
        for frame, rgb in zip(frames, pictures, strict=True):
            looks = look(rgb)
            if shown is not None and identical(shown, looks):
                until[-1] = frame.timestamp_s
                continue
            shown = looks
            times.append(frame.timestamp_s)
            until.append(frame.timestamp_s)
            aspects.append(rgb.shape[1] / rgb.shape[0])
            features.append(quantised(detect(rgb, height=FEATURE_HEIGHT, most=FEATURES)))
    return tables.LocalFeatures(
        np.array(times, np.float64),
        np.array(until, np.float64),
        np.array(aspects, np.float32),
        features,
        tables.jpeg_places(file, times),
    )


def index_frames(
    file: Path, video_id: str, times: Container[float] | None = None
) -> Iterator[tuple[list[tables.Frame], list[np.ndarray]]]:
    """The index frames that are not blank, those at some times where given, with their pictures, some at a time."""
    shown = (
        frame
        for frame in tables.read_frames(file, FrameRole.INDEX)
        if frame.quality >= BLANK_QUALITY and (times is None or frame.timestamp_s in times)
    )
    while frames := list(islice(shown, BATCH)):
        try:
            yield frames, [decode_jpeg(frame.jpeg) for frame in frames]
        except ImageUnreadable as error:
            raise ObjectDamaged(
                f"the frames of video {video_id} are damaged ({error}): delete {layout.frames(video_id)} "
                "and ingest the video again"
            ) from error
