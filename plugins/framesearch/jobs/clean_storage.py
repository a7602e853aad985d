"""Deleting what no roll-back needs."""

import logging

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import FramesearchError
from framesearch.index.bundle import delete_bundle
from framesearch.index.card import read_card
from framesearch.index.codebook import codebook_digest
from framesearch.index.pointer import current_index_id, is_index_id, stored_index_ids
from framesearch.jobs.remove_videos import clear_removed, outdated_bundles
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.store.storage import Storage
from framesearch.system import locks

log = logging.getLogger(__name__)


def clean(storage: Storage, catalogue: Catalogue, settings: Settings) -> list[str]:
    """Delete what no roll-back needs: bundles beyond the newest `bundles_kept` and the published one, bundles that a
    dead build left incomplete, embeddings of model versions that neither a kept bundle nor the champion uses, local
    features of codebooks that are no longer used, and what is left of videos whose files were replaced: older bundles
    that hold them, and their frames. The files of locks that killed processes left go as well.

    Whoever calls holds the lock `locks.INDEX`: no bundle is being written.

    Returns:
        The storage prefixes that were deleted.
    """
    locks.sweep(settings)
    current, _ = current_index_id(storage)
    stored = stored_index_ids(storage)
    outdated = outdated_bundles(catalogue.removed_videos(), current, storage)
    kept = {*stored[-settings.bundles_kept :], *([current] if current else [])}.difference(outdated)
    bundles = [index_id for index_id in stored if index_id not in kept] + _incomplete(storage, set(stored))
    embeddings = _unused_embeddings(storage, kept, settings)
    for index_id in bundles:
        delete_bundle(storage, index_id)
    for prefix in embeddings:
        storage.delete(prefix)
    features = _unused_features(storage, current)
    for path in features:
        storage.delete(path)
    gone = [layout.bundle(index_id) for index_id in bundles] + embeddings + features
    if gone:
        log.info("storage cleaned: %s", ", ".join(gone))
    return gone + clear_removed(catalogue, storage, current)


def _incomplete(storage: Storage, complete: set[str]) -> list[str]:
    folders = {
        path.removeprefix(layout.INDEX).partition("/")[0] for path in storage.list(layout.INDEX) if path.count("/") > 1
    }
    return sorted(folder for folder in folders - complete if is_index_id(folder))


def _unused_features(storage: Storage, current: str | None) -> list[str]:
    """Local features of other codebooks than the published index's."""
    try:
        if current is None or read_card(storage, current).codebook != codebook_digest():
            return []  # the index is still to be built anew
    except FramesearchError as error:
        log.warning("local features are not cleaned this time: %s", error)
        return []
    return [path for path in storage.list(layout.FEATURES) if not layout.has_codebook(path, codebook_digest())]


def _unused_embeddings(storage: Storage, kept: set[str], settings: Settings) -> list[str]:
    versions = {
        path.removeprefix(layout.EMBEDDINGS).partition("/")[0].removeprefix("v")
        for path in storage.list(layout.EMBEDDINGS)
    }
    try:
        unused = versions - {read_card(storage, index_id).model_version for index_id in kept}
        if not unused or not kept:
            return []
        from framesearch.models.registry import (
            Registry,  # loads mlflow, which takes seconds: only when there is a question
        )

        champion = Registry(settings).champion().version
    except FramesearchError as error:
        log.warning("embeddings are not cleaned this time: %s", error)
        return []
    return [layout.embeddings_of(version) for version in sorted(unused - {champion})]
