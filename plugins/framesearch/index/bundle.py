"""Index bundles: an index, the encoder it was made with, what its rows mean and a card that vouches for it all.

A bundle is self-contained, so that a page can never pair an encoder with the wrong index, and switching bundles is
moving one pointer. Its card is written last and names every other part by size and digest.
"""

import contextlib
import hashlib
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framesearch.errors import EncoderInvalid, IndexIncompatible, NoIndex, NotStored, ObjectDamaged
from framesearch.index.card import Card
from framesearch.index.codebook import codebook_digest
from framesearch.index.gallery import Gallery
from framesearch.index.pointer import is_index_id
from framesearch.index.vectors import FrameIndex
from framesearch.index.visual_words import LocalIndex
from framesearch.models.encoder import Encoder
from framesearch.store import layout, tables
from framesearch.store.storage import Storage
from framesearch.store.tables import FEATURE

PARTS = (layout.BUNDLE_FAISS, layout.BUNDLE_FEATURES, layout.BUNDLE_ROWS, layout.BUNDLE_VIDEOS, layout.BUNDLE_ENCODER)


@dataclass(frozen=True, slots=True)
class IndexedVideo:
    """A video as the bundle knows it: enough to show and link a match without the catalogue."""

    video_id: str
    title: str
    url: str
    duration_s: float | None


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle whose parts belong together.

    Attributes:
        gallery: what is searched.
        encoder: the one that made the gallery's embeddings.
        videos: in the order of `gallery.video_ids`.
    """

    card: Card
    gallery: Gallery
    encoder: Encoder
    videos: tuple[IndexedVideo, ...]


# ---- writing


def write_parts(
    folder: Path,
    *,
    index: FrameIndex,
    features: Sequence[np.ndarray],
    counts: np.ndarray,
    aspects: np.ndarray,
    video_of_row: np.ndarray,
    timestamps_s: np.ndarray,
    until_s: np.ndarray,
    jpegs: np.ndarray,
    videos: Sequence[IndexedVideo],
    encoder_file: Path,
) -> dict[str, dict[str, Any]]:
    """Write all parts but the card to a folder; returns their sizes and digests for the card.

    Args:
        features, counts: FEATURE (any number,) each, in the order of the rows, and how many each row has.
    """
    index.save(folder / layout.BUNDLE_FAISS)
    _write_features(folder / layout.BUNDLE_FEATURES, features)
    tables.write_columns(
        folder / layout.BUNDLE_ROWS,
        {
            "video": video_of_row.astype(np.int32),
            "timestamp_s": timestamps_s.astype(np.float64),
            "until_s": until_s.astype(np.float64),
            "aspect": aspects.astype(np.float32),
            "features": counts.astype(np.int32),
            **tables.jpeg_columns(jpegs),
        },
    )
    tables.write_columns(
        folder / layout.BUNDLE_VIDEOS,
        {
            "video_id": [video.video_id for video in videos],
            "title": [video.title for video in videos],
            "url": [video.url for video in videos],
            "duration_s": np.array([np.nan if v.duration_s is None else v.duration_s for v in videos], np.float64),
        },
    )
    (folder / layout.BUNDLE_ENCODER).write_bytes(encoder_file.read_bytes())
    return {part: _measure(folder / part) for part in PARTS}


def _write_features(path: Path, parts: Sequence[np.ndarray]) -> None:
    """One .npy file of all parts, a part in memory at a time."""
    described = {"descr": FEATURE.descr, "fortran_order": False, "shape": (sum(map(len, parts)),)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, described)
        for part in parts:
            part.tofile(file)


def _measure(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def store(folder: Path, index_id: str, storage: Storage) -> None:
    """Move a written bundle into storage, the card last. The files are consumed."""
    for part in (*PARTS, layout.BUNDLE_CARD):
        storage.create(layout.bundle(index_id) + part, folder / part)


def delete_bundle(storage: Storage, index_id: str) -> None:
    """Delete a bundle, the card first: half deleted it is no bundle any more."""
    storage.delete(layout.bundle(index_id) + layout.BUNDLE_CARD)
    storage.delete(layout.bundle(index_id))


# ---- reading


def open_folder(folder: Path, index_id: str, *, threads: int = 0) -> Bundle:
    """Open a written bundle that is not stored yet; see `open_bundle`."""
    return _open({part: folder / part for part in (*PARTS, layout.BUNDLE_CARD)}, index_id, threads, to_extend=False)


def open_bundle(storage: Storage, index_id: str, *, threads: int = 0, to_extend: bool = False) -> Bundle:
    """Open a stored bundle and check that its parts belong together.

    Args:
        threads: of the encoder for one call; 0 for every core.
        to_extend: load the index so that vectors can be added to it.

    Raises:
        NoIndex: storage holds no bundle of this name.
        IndexIncompatible: a part is missing or damaged, or the parts do not belong together.
    """
    if not is_index_id(index_id) or not storage.exists(layout.bundle(index_id) + layout.BUNDLE_CARD):
        raise NoIndex(f"there is no index {index_id!r}: `framesearch index list` names those there are")
    with contextlib.ExitStack() as opening:
        try:
            files = {
                part: opening.enter_context(storage.open(layout.bundle(index_id) + part))
                for part in (*PARTS, layout.BUNDLE_CARD)
            }
        except NotStored as error:
            raise IndexIncompatible(f"index {index_id} is incomplete ({error}): rebuild the index") from error
        bundle = _open(files, index_id, threads, to_extend=to_extend)
        # Parts are mapped into memory: their files are held for as long as anybody searches the gallery.
        weakref.finalize(bundle.gallery, opening.pop_all().close)
    return bundle


def _open(files: Mapping[str, Path], index_id: str, threads: int, *, to_extend: bool) -> Bundle:
    card = Card.from_json(files[layout.BUNDLE_CARD].read_bytes(), index_id)
    if card.codebook != codebook_digest():
        raise IndexIncompatible(
            f"the local features of index {index_id} were made with another codebook: rebuild it, by "
            "`framesearch run` or `rebuild_index` in Airflow"
        )
    for part in PARTS:  # before anything is parsed: FAISS trusts what it reads
        if _measure(files[part]) != card.parts.get(part):
            raise IndexIncompatible(f"{part} of index {index_id} is not what its card says: rebuild the index")
    try:
        encoder = Encoder(files[layout.BUNDLE_ENCODER], threads)
        rows = tables.read_columns(files[layout.BUNDLE_ROWS])
        listed = tables.read_columns(files[layout.BUNDLE_VIDEOS])
        videos = tuple(
            IndexedVideo(video_id, title, url, None if np.isnan(duration_s) else float(duration_s))
            for video_id, title, url, duration_s in zip(
                listed["video_id"], listed["title"], listed["url"], listed["duration_s"], strict=True
            )
        )
        video_of_row, timestamps_s, aspects = rows["video"], rows["timestamp_s"], rows["aspect"]
        until_s = rows.get("until_s", timestamps_s)  # bundles built before still pictures were one row lack it
        features = np.load(files[layout.BUNDLE_FEATURES], mmap_mode="r", allow_pickle=False)
        if features.dtype != FEATURE or features.ndim != 1 or len(features) != rows["features"].sum():
            raise KeyError(f"{layout.BUNDLE_FEATURES} is not what the rows say")
    except (EncoderInvalid, ObjectDamaged, KeyError, ValueError) as error:
        raise IndexIncompatible(f"index {index_id} is damaged ({error}): rebuild the index") from error
    index = FrameIndex.load(files[layout.BUNDLE_FAISS], card.index_type, to_extend=to_extend)
    facts = {
        "rows": (card.rows, len(index), len(video_of_row), len(timestamps_s), len(until_s), len(aspects)),
        "videos": (card.videos, len(videos)),
        "dimensions": (card.dimension, index.dimension, encoder.dimension),
        "encoders": (card.encoder_digest, encoder.digest),
    }
    for what, values in facts.items():
        if len(set(values)) != 1:
            raise IndexIncompatible(f"index {index_id}: its parts disagree on {what}, {values}: rebuild the index")
    if len(video_of_row) and not (
        (np.diff(video_of_row) >= 0).all() and video_of_row[0] >= 0 and video_of_row[-1] < len(videos)
    ):
        raise IndexIncompatible(f"index {index_id}: its rows name videos it does not hold: rebuild the index")
    local = LocalIndex(np.asarray(features), rows["features"])
    ids = tuple(video.video_id for video in videos)
    jpegs = tables.jpegs_of(rows, len(timestamps_s))
    gallery = Gallery(index, local, ids, video_of_row, timestamps_s, until_s, aspects, jpegs)
    return Bundle(card, gallery, encoder, videos)


# ---- the pointer
