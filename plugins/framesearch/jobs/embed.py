"""From stored frames to embeddings and local features, each stored once a video.

Embeddings are one model version's; local features do not depend on the model, and say which pictures stand still.
"""

import logging
import time
from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import ImageUnreadable, ObjectDamaged
from framesearch.images.keypoints import detect
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.images.sameness import identical, look
from framesearch.index.codebook import quantised
from framesearch.models.encoder import BATCH, Encoder
from framesearch.records import FrameRole, VideoStatus
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

FEATURES = 80  # local features of a frame that are kept, 10 bytes each
FEATURE_HEIGHT = 180  # pixels: the scale at which they are looked for


def videos_to_embed(model_version: str, catalogue: Catalogue, storage: Storage) -> list[str]:
    """Ids of the videos whose frames are stored but not yet embedded by this model version, in order of discovery.

    Those whose local features are missing are among them.
    """
    stored = {layout.video_id_of(path) for path in storage.list(layout.FRAMES)}
    embedded = {layout.video_id_of(path) for path in storage.list(layout.embeddings_of(model_version))}
    embedded &= {layout.video_id_of(path) for path in storage.list(layout.FEATURES)}
    ready = (video.video_id for video in catalogue.videos(VideoStatus.READY))
    return [video_id for video_id in ready if video_id in stored and video_id not in embedded]


def embed_video(video_id: str, encoder: Encoder, model_version: str, storage: Storage) -> int:
    """Embed a video's index frames, blank ones left out and pictures that stand still once, and store that once.

    Their local features, which do not depend on the model, are stored before, where they are not yet. Safe to repeat.

    Returns:
        How many frames were embedded.

    Raises:
        NotStored: its frames are not in storage.
        ObjectDamaged: its frames can't be read.
        StorageFull: nothing was stored.
    """
    started = time.monotonic()
    times = local_features(video_id, storage).timestamps_s
    vectors = [np.empty((0, encoder.dimension), np.float32)]
    with storage.open(layout.frames(video_id)) as file, storage.scratch() as scratch:
        for _, pictures in _batches(file, video_id, set(times.tolist())):
            vectors.append(encoder.embed(pictures))
        made = scratch / "embeddings.parquet"
        tables.write_embeddings(made, tables.Embeddings(times, np.concatenate(vectors)))
        storage.create(layout.embeddings(model_version, video_id), made)
    seconds = time.monotonic() - started
    log.info("video %s: %d frames embedded by model v%s in %.1f s", video_id, len(times), model_version, seconds)
    return len(times)


def local_features(video_id: str, storage: Storage) -> tables.LocalFeatures:
    """The local features of a video's index frames, found and stored once. Safe to repeat.

    Blank frames are left out, and of a picture that stands still only the first is taken: it says when the last was.
    They do not depend on the model: where they are stored already, they stay, unless they can't be read.

    Raises:
        NotStored, ObjectDamaged, StorageFull: as `embed_video`.
    """
    if storage.exists(layout.features(video_id)):
        try:
            with storage.open(layout.features(video_id)) as file:
                return tables.read_features(file)
        except ObjectDamaged as error:
            log.warning("the local features of video %s are made again: %s", video_id, error)
            storage.delete(layout.features(video_id))
    with storage.open(layout.frames(video_id)) as file, storage.scratch() as scratch:
        found = _found_features(file, video_id)
        tables.write_features(scratch / "features.parquet", found)
        storage.create(layout.features(video_id), scratch / "features.parquet")
    return found


def _found_features(file: Path, video_id: str) -> tables.LocalFeatures:
    times: list[float] = []
    until: list[float] = []
    aspects: list[float] = []
    features: list[np.ndarray] = []
    shown: np.ndarray | None = None  # how the picture looks that may still be standing
    for frames, pictures in _batches(file, video_id):
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
        np.array(times, np.float64), np.array(until, np.float64), np.array(aspects, np.float32), features
    )


def _batches(
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
