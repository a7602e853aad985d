"""Which index bundle is the published one: publish, roll back, and clean what no roll-back needs.

A bundle replaces the one that it was built upon, never another: of two that were built at once, the later one to be
published is built again upon the first.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import IndexIncompatible, NoIndex, PointerMoved
from framesearch.index.bundle import open_bundle
from framesearch.index.pointer import current_index_id, move_pointer, stored_index_ids
from framesearch.jobs.build_index import build_index, discard
from framesearch.records import IndexBuild
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

ATTEMPTS = 3  # others can only publish meanwhile where they do not share our locks, or roll back by hand


def update_index(
    model_version: str, encoder_file: Path, catalogue: Catalogue, storage: Storage, settings: Settings
) -> tuple[IndexBuild, bool]:
    """Build an index of all that is embedded and publish it; where another was published meanwhile, build upon that.

    Whoever calls holds the lock `locks.INDEX`.

    Returns:
        The published build, and whether it is new; otherwise the published one held everything already.

    Raises:
        NothingToIndex, IndexIncompatible, StorageFull: see `build_index`.
        PointerMoved: others published time and again; the published index is theirs, nothing of ours is left.
    """
    for attempt in range(1, ATTEMPTS + 1):
        build = build_index(model_version, encoder_file, catalogue, storage, settings)
        try:
            return build, publish(build.index_id, catalogue, storage)
        except PointerMoved as error:
            if attempt == ATTEMPTS:
                raise
            log.info("%s", error)
    raise AssertionError("unreachable")


def publish(index_id: str, catalogue: Catalogue, storage: Storage) -> bool:
    """Move the pointer to a built bundle, so that pages pick it up. Safe to repeat.

    Returns:
        False where there was nothing to do: it is published, or was and a newer one is.

    Raises:
        NoIndex: storage holds no such bundle.
        IndexIncompatible: the bundle is damaged.
        PointerMoved: another bundle was published since this one was built, which is deleted: build again, the new
            one will hold both.
    """
    try:
        current, generation = current_index_id(storage)
    except IndexIncompatible as error:
        log.warning("%s", error)
        current, generation = None, storage.read_pointer(layout.INDEX_POINTER)[1]
    published_before = any(
        build.index_id == index_id and build.published_at is not None for build in catalogue.index_builds()
    )
    if current == index_id:
        if not published_before:  # whoever moved the pointer was killed before it could note that
            catalogue.mark_published(index_id, datetime.now(UTC))
        log.info("index %s is published already", index_id)
        return False
    if published_before and current is not None and current > index_id:
        log.info("index %s is not published: %s is already", index_id, current)
        return False
    card = open_bundle(storage, index_id).card
    try:
        if current is not None and current != card.base:
            raise PointerMoved(
                f"index {index_id} was built upon {card.base or 'none'}, but {current} is published now: build again"
            )
        move_pointer(storage, index_id, generation)
    except PointerMoved:
        if not published_before:
            discard(index_id, storage, catalogue)
        raise
    catalogue.mark_published(index_id, datetime.now(UTC))
    log.info(
        "index %s published: %d rows of %d videos, model v%s", index_id, card.rows, card.videos, card.model_version
    )
    return True


def roll_back(storage: Storage, catalogue: Catalogue, index_id: str | None = None) -> str:
    """Move the pointer back to the bundle built before the published one, or to any that is still stored.

    Returns:
        The id of the bundle now published.

    Raises:
        NoIndex: there is no such bundle, or none older.
        IndexIncompatible: the bundle is damaged; the pointer stays.
        PointerMoved: somebody published at the same moment.
    """
    generation = storage.read_pointer(layout.INDEX_POINTER)[1]
    if index_id is None:
        current, generation = current_index_id(storage)
        older = [stored for stored in stored_index_ids(storage) if current is not None and stored < current]
        if not older:
            raise NoIndex("there is no older index to go back to: `framesearch index list` names those there are")
        index_id = older[-1]
    card = open_bundle(storage, index_id).card
    move_pointer(storage, index_id, generation)
    catalogue.mark_published(index_id, datetime.now(UTC))
    log.info("index rolled back to %s: %d rows of %d videos", index_id, card.rows, card.videos)
    return index_id
