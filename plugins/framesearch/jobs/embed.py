"""From stored frames to embeddings and local features, each stored once a video.

Embeddings are one model version's; local features do not depend on the model, and say which pictures stand still.
"""

import logging
import time

import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.index.codebook import codebook_digest
from framesearch.jobs.local_features import index_frames, local_features
from framesearch.models.encoder import Encoder
from framesearch.records import VideoStatus
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)


def videos_to_embed(model_version: str, catalogue: Catalogue, storage: Storage) -> list[str]:
    """Ids of the videos whose frames are stored but not yet embedded by this model version, in order of discovery.

    Those whose local features are missing are among them.
    """
    stored = {layout.video_id_of(path) for path in storage.list(layout.FRAMES)}
    embedded = {layout.video_id_of(path) for path in storage.list(layout.embeddings_of(model_version))}
    codebook = codebook_digest()
    embedded &= {
        layout.video_id_of(path) for path in storage.list(layout.FEATURES) if layout.has_codebook(path, codebook)
    }
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
        for _, pictures in index_frames(file, video_id, set(times.tolist())):
            vectors.append(encoder.embed(pictures))
        made = scratch / "embeddings.parquet"
        tables.write_embeddings(made, tables.Embeddings(times, np.concatenate(vectors)))
        storage.create(layout.embeddings(model_version, video_id), made)
    seconds = time.monotonic() - started
    log.info("video %s: %d frames embedded by model v%s in %.1f s", video_id, len(times), model_version, seconds)
    return len(times)
