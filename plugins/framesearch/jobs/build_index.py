"""From embeddings to an index bundle: built, checked and stored, not yet published (see `publish_index`).

A new bundle starts from the published one and adds only the videos that are missing, so that adding a video costs about
the same however large the catalogue is.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import (
    IndexIncompatible,
    NoIndex,
    NothingToIndex,
    NotStored,
    ObjectDamaged,
)
from framesearch.index.bundle import Bundle, IndexedVideo, delete_bundle, open_bundle, open_folder, store, write_parts
from framesearch.index.card import Calibration, Card, read_card, write_card
from framesearch.index.codebook import codebook_digest
from framesearch.index.pointer import built_at, current_index_id, new_index_id, stored_index_ids
from framesearch.index.vectors import TRAINING_ROWS, FrameIndex, type_for
from framesearch.jobs.check_index import check
from framesearch.jobs.local_features import local_features
from framesearch.models.encoder import Encoder
from framesearch.records import IndexBuild
from framesearch.search.calibration import calibrate
from framesearch.settings import Settings
from framesearch.store import layout, tables
from framesearch.store.storage import Storage
from framesearch.store.tables import FEATURE, JPEG_PLACE

log = logging.getLogger(__name__)

RETRAIN_ROWS = 2.0  # a quantiser is fitted anew when the index has grown by this factor
FITTED_ROWS = 20_000  # and with every build while it has seen fewer: new footage may lie outside of what it knows
RECALIBRATE_ROWS = 1.2  # and scores are measured anew by this one
CALIBRATION_S = 60.0  # at most, of a build


# ---- build


def current_build(storage: Storage, catalogue: Catalogue) -> IndexBuild | None:
    """The published index, None before the first.

    Raises:
        IndexIncompatible: the pointer or the card is damaged.
    """
    index_id, _ = current_index_id(storage)
    if index_id is None:
        return None
    noted = next((build for build in catalogue.index_builds() if build.index_id == index_id), None)
    return noted or _build_of(read_card(storage, index_id), published_at=datetime.now(UTC))


def _build_of(card: Card, published_at: datetime | None = None) -> IndexBuild:
    return IndexBuild(card.index_id, card.model_version, card.rows, card.videos, built_at(card.index_id), published_at)


def build_index(
    model_version: str, encoder_file: Path, catalogue: Catalogue, storage: Storage, settings: Settings
) -> IndexBuild:
    """Build a bundle of every video embedded by this model version, check it, and store it: not yet published.

    It starts from the published bundle where that has the same encoder and an index type that still fits, and adds
    what is missing. Videos gone upstream stay searchable. Those whose files were replaced leave: then it starts anew,
    since rows can't be taken out. A bundle that an earlier build stored and did not come to publish is the build's
    where it holds everything, and deleted where it does not. Whoever calls holds the lock `locks.INDEX`: nobody else is
    about to publish.

    Returns:
        The new build, its `published_at` None; or the published one, its `published_at` set, where that already holds
        everything: then there is nothing to publish.

    Raises:
        NothingToIndex: no video of the catalogue is embedded by this model version.
        IndexIncompatible: the bundle failed its own check; nothing was stored.
        StorageFull: nothing was stored that a later build minds.
    """
    started = time.monotonic()
    encoder = Encoder(encoder_file)
    base_id, base = _base(storage, model_version, encoder.digest)
    listed = {
        video.video_id: IndexedVideo(video.video_id, video.title, video.url, video.duration_s)
        for video in catalogue.videos()
    }
    embedded = {layout.video_id_of(path) for path in storage.list(layout.embeddings_of(model_version))}
    source = _Embedded(model_version, encoder.dimension, storage)
    wanted = [id_ for id_ in listed if id_ in embedded]
    removed = set(catalogue.removed_videos())

    def missing(bundle: Bundle | None) -> dict[str, int]:
        held = set() if bundle is None else {video.video_id for video in bundle.videos}
        return source.readable([id_ for id_ in wanted if id_ not in held])

    def up_to_date(bundle: Bundle) -> bool:
        changed = any(id_ in removed or listed.get(id_, video) != video for id_, video in _by_id(bundle).items())
        return not changed and not missing(bundle)

    if base is not None and up_to_date(base):
        log.info("index %s already holds all %d videos", base.card.index_id, len(base.videos))
        return _build_of(base.card, published_at=_published_at(base.card.index_id, catalogue))
    for index_id in unpublished(storage, catalogue):
        left = _left(storage, index_id, base_id, model_version, encoder.digest)
        if left is not None and up_to_date(left):
            log.info("index %s was built before and not published: it holds all %d videos", index_id, len(left.videos))
            return _noted(_build_of(left.card), catalogue)
        discard(index_id, storage, catalogue)
    added = missing(base)
    known = {} if base is None else _by_id(base)
    if replaced := removed.intersection(known):
        log.info("%d videos of index %s were replaced: built from scratch", len(replaced), base_id)
        added = source.readable([id_ for id_ in known if id_ not in replaced]) | added
        base = None
    with storage.scratch() as folder:
        card = _write(folder, encoder_file, base, base_id, added, known | listed, source)
        bundle = open_folder(folder, card.index_id, threads=1)  # as the page does: small batches gain nothing from more
        check(bundle, storage)
        card = replace(card, calibration=_calibration(bundle, base, storage, settings))
        write_card(folder, card)
        store(folder, card.index_id, storage)
    build = _noted(_build_of(card), catalogue)
    log.info(
        "index %s built: %d rows of %d videos, %d of them new, %s, model v%s, %.1f s",
        card.index_id, card.rows, card.videos, len(added), card.index_type, model_version, time.monotonic() - started,
    )  # fmt: skip
    return build


def _base(storage: Storage, model_version: str, encoder_digest: str) -> tuple[str | None, Bundle | None]:
    """The published bundle's id, and the bundle itself where a new one can start from it."""
    index_id: str | None = None
    try:
        index_id, _ = current_index_id(storage)
        if index_id is None:
            return None, None
        card = read_card(storage, index_id)
        if card.model_version != model_version or card.encoder_digest != encoder_digest:
            return index_id, None
        return index_id, open_bundle(storage, index_id, to_extend=True)
    except (IndexIncompatible, NoIndex) as error:
        log.warning("the published index can't be extended, building from scratch: %s", error)
        return index_id, None


def _by_id(bundle: Bundle) -> dict[str, IndexedVideo]:
    return {video.video_id: video for video in bundle.videos}


def unpublished(storage: Storage, catalogue: Catalogue) -> list[str]:
    """The bundles, newest first, of builds that did not come to publish them: killed, or overtaken by another."""
    try:
        current, _ = current_index_id(storage)
    except IndexIncompatible:
        return []  # nobody knows which of them was published
    noted = {build.index_id: build.published_at for build in catalogue.index_builds()}
    newest_first = reversed(stored_index_ids(storage))
    unknown = [index_id for index_id in newest_first if noted.get(index_id) is None and index_id != current]
    # One older than the published bundle that the catalogue does not know may be from before the catalogue.
    return [index_id for index_id in unknown if index_id in noted or current is None or index_id > current]


def discard(index_id: str, storage: Storage, catalogue: Catalogue) -> None:
    """Delete a bundle that was never published, and what the catalogue notes of it. Safe to repeat."""
    catalogue.forget_index_build(index_id)
    delete_bundle(storage, index_id)
    log.info("index %s is deleted: it was never published, and another holds more", index_id)


def _left(
    storage: Storage, index_id: str, base_id: str | None, model_version: str, encoder_digest: str
) -> Bundle | None:
    """An unpublished bundle that may be published now, as far as its card says."""
    try:
        card = read_card(storage, index_id)
        of_today = (card.base, card.model_version, card.encoder_digest) == (base_id, model_version, encoder_digest)
        return open_bundle(storage, index_id) if of_today else None
    except (IndexIncompatible, NoIndex) as error:
        log.warning("%s", error)
        return None


def _noted(build: IndexBuild, catalogue: Catalogue) -> IndexBuild:
    if all(known.index_id != build.index_id for known in catalogue.index_builds()):
        catalogue.add_index_build(build)
    return build


def _published_at(index_id: str, catalogue: Catalogue) -> datetime:
    noted = (build.published_at for build in catalogue.index_builds() if build.index_id == index_id)
    return next((time for time in noted if time is not None), built_at(index_id))


class _Embedded:
    """The stored embeddings of one model version."""

    def __init__(self, model_version: str, dimension: int, storage: Storage) -> None:
        self.model_version = model_version
        self._dimension = dimension
        self._storage = storage

    def of(self, video_id: str) -> tables.Embeddings:
        """Embeddings of a video.

        Raises:
            NotStored, ObjectDamaged: it has none that can be used.
        """
        with self._storage.open(layout.embeddings(self.model_version, video_id)) as file:
            embeddings = tables.read_embeddings(file)
            if embeddings.vectors.shape[1] != self._dimension:
                raise ObjectDamaged(f"{file} has {embeddings.vectors.shape[1]} dimensions, not {self._dimension}")
        return embeddings

    def features_of(self, video_id: str, embeddings: tables.Embeddings) -> tables.LocalFeatures:
        """The local features of each embedded frame; none where the frames they are found in can't be read.

        Such a video is found by its embeddings alone.
        """
        try:
            stored = local_features(video_id, self._storage)
        except (NotStored, ObjectDamaged) as error:
            log.warning("video %s is indexed without local features: %s", video_id, error)
            nothing = np.empty(0)
            stored = tables.LocalFeatures(nothing, nothing, nothing.astype(np.float32), [], np.empty(0, JPEG_PLACE))
        return stored.at(embeddings.timestamps_s)

    def readable(self, video_ids: Sequence[str]) -> dict[str, int]:
        """Rows by video. Embeddings that can't be read are deleted, so that the next run makes them again."""
        rows = {}
        for video_id in video_ids:
            try:
                rows[video_id] = len(self.of(video_id).timestamps_s)
            except (NotStored, ObjectDamaged) as error:
                log.warning("video %s is left out of this index and embedded again next time: %s", video_id, error)
                self._storage.delete(layout.embeddings(self.model_version, video_id))
        return rows

    def sample(self, rows: dict[str, int]) -> np.ndarray:
        """At most `TRAINING_ROWS` vectors, drawn evenly from these videos: float32 (N, D)."""
        rng = np.random.default_rng(0)
        share = min(1.0, TRAINING_ROWS / max(1, sum(rows.values())))
        parts = [np.empty((0, self._dimension), np.float32)]
        for video_id, count in rows.items():
            chosen = np.sort(rng.permutation(count)[: -int(-count * share // 1)])
            parts.append(self.of(video_id).vectors[chosen])
        return np.concatenate(parts)


def _write(
    folder: Path,
    encoder_file: Path,
    base: Bundle | None,
    base_id: str | None,
    added: dict[str, int],
    known: dict[str, IndexedVideo],
    source: _Embedded,
) -> Card:
    """Write a bundle's parts and its first card, not calibrated yet, to a folder."""
    rows = (0 if base is None else base.card.rows) + sum(added.values())
    if rows == 0:
        raise NothingToIndex(
            f"no frame is embedded by model v{source.model_version}: ingest a playlist, then embed its videos"
        )
    index_type = type_for(rows)
    if base is not None and not _extends(base.card, index_type, rows):
        log.info("index of %d rows becomes %s, was %s: built from scratch", rows, index_type, base.card.index_type)
        added = source.readable([video.video_id for video in base.videos]) | added
        base = None
    if base is None:
        index, trained_rows = FrameIndex.train(index_type, source.sample(added)), sum(added.values())
        videos: list[IndexedVideo] = []
        video_of_row = [np.empty(0, np.int32)]
        timestamps_s, until_s = [np.empty(0, np.float64)], [np.empty(0, np.float64)]
        features, counts, aspects = [np.empty(0, FEATURE)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        jpegs = [np.empty(0, JPEG_PLACE)]
    else:
        held = base.gallery
        index, trained_rows = held.index, base.card.trained_rows
        videos = [known[video.video_id] for video in base.videos]  # with today's titles
        video_of_row, timestamps_s, until_s = [held.video_of_row], [held.timestamps_s], [held.until_s]
        features, counts, aspects = [held.local.features], [np.diff(held.local.starts)], [held.aspects]
        jpegs = [held.jpegs]
    for video_id in added:
        embeddings = source.of(video_id)
        index.add([embeddings.vectors])
        video_of_row.append(np.full(len(embeddings.timestamps_s), len(videos), np.int32))
        timestamps_s.append(embeddings.timestamps_s)
        own = source.features_of(video_id, embeddings)
        until_s.append(own.until_s)
        features.append(np.concatenate([np.empty(0, FEATURE), *own.features]))
        counts.append(np.array([len(found) for found in own.features], np.int64))
        aspects.append(own.aspects)
        jpegs.append(own.jpegs)
        videos.append(known[video_id])
    parts = write_parts(
        folder,
        index=index,
        features=features,
        counts=np.concatenate(counts),
        aspects=np.concatenate(aspects),
        video_of_row=np.concatenate(video_of_row),
        timestamps_s=np.concatenate(timestamps_s),
        until_s=np.concatenate(until_s),
        jpegs=np.concatenate(jpegs),
        videos=videos,
        encoder_file=encoder_file,
    )
    now = datetime.now(UTC)
    card = Card(
        index_id=new_index_id(now),
        model_version=source.model_version,
        encoder_digest=parts[layout.BUNDLE_ENCODER]["sha256"],
        rows=len(index),
        videos=len(videos),
        dimension=index.dimension,
        index_type=index_type,
        trained_rows=trained_rows,
        base=base_id,
        built_at=now.isoformat(timespec="seconds"),
        framesearch=version("framesearch"),
        codebook=codebook_digest(),
        parts=parts,
    )
    write_card(folder, card)
    return card


def _extends(card: Card, index_type: str, rows: int) -> bool:
    """Whether vectors can be added to this index and it still fits."""
    fits = card.trained_rows >= FITTED_ROWS and rows <= RETRAIN_ROWS * card.trained_rows
    return card.index_type == index_type and fits


def _calibration(bundle: Bundle, base: Bundle | None, storage: Storage, settings: Settings) -> Calibration:
    """What was measured for the base where little has changed since, else measured now."""
    card = bundle.card
    if base is not None and base.card.videos > 1 and base.card.index_type == card.index_type:
        before = base.card.calibration
        if before.rows and card.rows <= RECALIBRATE_ROWS * before.rows and base.card.weights == card.weights:
            return before
    budget_s = min(CALIBRATION_S, 5 + card.rows / 50)
    return calibrate(
        bundle.gallery,
        bundle.encoder,
        storage,
        precision=settings.found_precision,
        budget_s=budget_s,
        weights=card.weights,
    )
