"""Deleting what storage holds of videos that left the catalogue: their files were replaced."""

import logging
from collections.abc import Collection

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import NotStored, ObjectDamaged
from framesearch.index.pointer import stored_index_ids
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)


def outdated_bundles(removed: Collection[str], current: str | None, storage: Storage) -> list[str]:
    """Bundles older than the published one that hold removed videos: a roll-back to them would show what is gone."""
    if current is None or not removed:
        return []
    return [id_ for id_ in stored_index_ids(storage) if id_ < current and _holds(id_, removed, storage)]


def _holds(index_id: str, removed: Collection[str], storage: Storage) -> bool:
    try:
        return not _videos_of(index_id, storage).isdisjoint(removed)
    except (NotStored, ObjectDamaged) as error:
        log.warning("index %s can't be rolled back to: %s", index_id, error)
        return False


def clear_removed(catalogue: Catalogue, storage: Storage, current: str | None) -> list[str]:
    """Delete frames, features and embeddings of removed videos that the published index no longer holds.

    Safe to repeat, and to be stopped at any point.

    Returns:
        The storage paths that were deleted.
    """
    removed = set(catalogue.removed_videos())
    if removed and current is not None:
        try:
            removed -= _videos_of(current, storage)
        except (NotStored, ObjectDamaged) as error:
            log.warning("the frames of replaced videos stay until the index can be read: %s", error)
            return []
    return clear_videos(removed, storage) if removed else []


def clear_videos(video_ids: Collection[str], storage: Storage) -> list[str]:
    """Delete frames, features and embeddings of videos; returns the paths. The frames go first: without them a video
    is neither embedded nor trained on."""
    wanted = set(video_ids)
    gone = [
        path
        for prefix in (layout.FRAMES, layout.FEATURES, layout.EMBEDDINGS)
        for path in storage.list(prefix)
        if layout.video_id_of(path) in wanted
    ]
    for path in gone:
        storage.delete(path)
    if gone:
        log.info("%d objects of replaced videos deleted", len(gone))
    return gone


def _videos_of(index_id: str, storage: Storage) -> set[str]:
    """The ids of a bundle's videos.

    Raises:
        NotStored, ObjectDamaged: they can't be read.
    """
    with storage.open(layout.bundle(index_id) + layout.BUNDLE_VIDEOS) as file:
        return set(tables.read_columns(file)["video_id"])
