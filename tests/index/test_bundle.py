"""A bundle opens only where its parts belong together."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from index_fixtures import Library
from stored_frames import store_video
from thumbnail_encoder import write_thumbnail_encoder

from framesearch.errors import IndexIncompatible, NoIndex, PointerMoved
from framesearch.index import bundle, card, pointer
from framesearch.store import layout


def folder_of(library: Library, index_id: str):
    return library.storage.root / layout.bundle(index_id)


def current(library: Library) -> str:
    index_id, _ = pointer.current_index_id(library.storage)
    assert index_id is not None
    return index_id


def test_opens_whole(published: Library) -> None:
    opened = bundle.open_bundle(published.storage, current(published))
    assert (opened.card.videos, opened.card.rows) == (4, 74)  # of v3's 24 frames, the two different ones
    assert opened.card.model_version == "1"
    assert opened.card.dimension == opened.encoder.dimension == opened.gallery.index.dimension
    assert [video.video_id for video in opened.videos] == ["v0", "v1", "v2", "v3"]
    assert opened.gallery.rows_of(2) == range(48, 72)
    assert opened.gallery.timestamps_s[opened.gallery.rows_of(2)].tolist() == [k / 2 for k in range(24)]
    assert opened.gallery.timestamps_s[opened.gallery.rows_of(3)].tolist() == [0.0, 6.0]
    assert opened.gallery.until_s[opened.gallery.rows_of(3)].tolist() == [5.5, 11.5]


def test_a_card_survives_its_file(published: Library) -> None:
    stored = card.read_card(published.storage, current(published))
    assert card.Card.from_json(stored.to_json(), stored.index_id) == stored


@pytest.mark.parametrize("part", bundle.PARTS)
def test_refuses_a_damaged_part(published: Library, part: str) -> None:
    file = folder_of(published, current(published)) / part
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(IndexIncompatible, match=rf"{part} of index .* is not what its card says: rebuild"):
        bundle.open_bundle(published.storage, current(published))


@pytest.mark.parametrize("part", bundle.PARTS)
def test_refuses_a_missing_part(published: Library, part: str) -> None:
    (folder_of(published, current(published)) / part).unlink()
    with pytest.raises(IndexIncompatible, match="incomplete"):
        bundle.open_bundle(published.storage, current(published))


def test_without_its_card_it_is_no_bundle(published: Library) -> None:
    (folder_of(published, current(published)) / layout.BUNDLE_CARD).unlink()
    with pytest.raises(NoIndex, match="framesearch index list"):
        bundle.open_bundle(published.storage, current(published))
    assert pointer.stored_index_ids(published.storage) == []


NO_CALIBRATION = json.dumps({"format": card.FORMAT})
EMPTY_CALIBRATION = json.dumps({"format": card.FORMAT, "calibration": {}})


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", NO_CALIBRATION, EMPTY_CALIBRATION, "null"])
def test_refuses_a_damaged_card(published: Library, content: str) -> None:
    (folder_of(published, current(published)) / layout.BUNDLE_CARD).write_text(content)
    with pytest.raises(IndexIncompatible, match="damaged"):
        card.read_card(published.storage, current(published))


def rewrite_card(library: Library, **changes: object) -> None:
    file = folder_of(library, current(library)) / layout.BUNDLE_CARD
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_refuses_a_later_format(published: Library) -> None:
    rewrite_card(published, format=99)
    with pytest.raises(
        IndexIncompatible,
        match=f"format 99, this version reads {card.FORMAT}: rebuild it, by `framesearch run PLAYLIST`",
    ):
        card.read_card(published.storage, current(published))


@pytest.mark.parametrize("wrong", [{"rows": 95}, {"videos": 5}, {"dimension": 12}, {"encoder_digest": "0" * 64}])
def test_refuses_parts_that_disagree(published: Library, wrong: dict) -> None:
    rewrite_card(published, **wrong)
    with pytest.raises(IndexIncompatible, match="its parts disagree"):
        bundle.open_bundle(published.storage, current(published))


def test_refuses_the_parts_of_another_bundle(published: Library, tmp_path) -> None:
    first = current(published)
    store_video(published.catalogue, published.storage, "v9", seed=9)
    second = published.publish().index_id
    shutil.copy(folder_of(published, first) / layout.BUNDLE_ROWS, folder_of(published, second) / layout.BUNDLE_ROWS)
    with pytest.raises(IndexIncompatible):
        bundle.open_bundle(published.storage, second)
    shutil.copy(folder_of(published, first) / layout.BUNDLE_CARD, folder_of(published, second) / layout.BUNDLE_CARD)
    with pytest.raises(IndexIncompatible, match="carries the card of"):
        bundle.open_bundle(published.storage, second)


def test_refuses_an_encoder_it_was_not_made_with(published: Library, tmp_path) -> None:
    other = write_thumbnail_encoder(tmp_path / "other.onnx", side=32)
    shutil.copy(other, folder_of(published, current(published)) / layout.BUNDLE_ENCODER)
    with pytest.raises(IndexIncompatible, match=r"encoder\.onnx of index"):
        bundle.open_bundle(published.storage, current(published))


@pytest.mark.parametrize("index_id", ["", "nope", "../frames", "20260131T120000000000Z-0000"])
def test_unknown_names_are_no_index(published: Library, index_id: str) -> None:
    with pytest.raises(NoIndex):
        bundle.open_bundle(published.storage, index_id)


def test_names_sort_by_time() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    names = [pointer.new_index_id(now + timedelta(milliseconds=k)) for k in range(5)]
    assert names == sorted(names)
    assert pointer.built_at(names[0]) == now


def test_the_pointer_moves_only_from_what_was_read(published: Library) -> None:
    _, generation = pointer.current_index_id(published.storage)
    pointer.move_pointer(published.storage, current(published), generation)
    with pytest.raises(PointerMoved):
        pointer.move_pointer(published.storage, current(published), generation)


@pytest.mark.parametrize("content", ["", "x", "{}", '{"index_id": 3}', '{"index_id": "../x"}', "[]"])
def test_a_damaged_pointer_is_said(published: Library, content: str) -> None:
    (published.storage.root / layout.INDEX_POINTER).write_text(content)
    with pytest.raises(IndexIncompatible, match="framesearch index rollback"):
        pointer.current_index_id(published.storage)


def test_there_is_no_pointer_before_the_first(library: Library) -> None:
    assert pointer.current_index_id(library.storage)[0] is None
