"""Whether a new bundle finds the frames that it is made of."""

import logging

import numpy as np

from framesearch.errors import (
    FramesearchError,
    IndexIncompatible,
)
from framesearch.images.pixels import decode_jpeg
from framesearch.index.bundle import Bundle
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

CHECKED_ROWS = 64
CHECKED_SIMILARITY = 0.98  # of a stored frame, embedded again, with its own row: quantisation costs less
CHECKED_SHARE = 0.95


def check(bundle: Bundle, storage: Storage) -> None:
    """Embed a sample of stored frames again with the bundle's own encoder: each must find itself.

    Half of the sample is of the videos added last. Frames that are no longer stored are passed over.

    Raises:
        IndexIncompatible: too few do.
    """
    gallery, rng = bundle.gallery, np.random.default_rng(0)
    videos = np.unique(gallery.video_of_row)
    last = videos[-8:]
    sample = [*last, *rng.permutation(videos[:-8])[:8]]
    each = max(1, CHECKED_ROWS // len(sample))
    rows: list[int] = []
    pictures: list[np.ndarray] = []
    for video in sample:
        own = gallery.rows_of(int(video))
        chosen = {float(gallery.timestamps_s[row]): int(row) for row in own.start + rng.permutation(len(own))[:each]}
        try:
            with storage.open(layout.frames(gallery.video_ids[video])) as file:
                frames = tables.read_frames_at(file, list(chosen))
            pictures += [decode_jpeg(frame.jpeg) for frame in frames.values()]
            rows += [chosen[time] for time in frames]
        except FramesearchError as error:
            log.debug("the check passes over video %s: %s", gallery.video_ids[video], error)
            pictures = pictures[: len(rows)]
    if not rows:
        log.warning("index %s could not be checked: none of its frames is in storage", bundle.card.index_id)
        return
    embedded = bundle.encoder.embed(pictures)
    best, _ = gallery.nearest(embedded, 1)
    own_similarity = (embedded * gallery.vectors(np.array(rows))).sum(axis=1)
    share = float(((best[:, 0] >= CHECKED_SIMILARITY) & (own_similarity >= CHECKED_SIMILARITY)).mean())
    if share < CHECKED_SHARE:
        raise IndexIncompatible(
            f"the new index failed its check and was not kept: only {share:.0%} of {len(rows)} stored frames find "
            f"themselves. Delete {layout.embeddings_of(bundle.card.model_version)} in the storage and build again"
        )
