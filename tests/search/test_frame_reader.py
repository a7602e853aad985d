"""Stored frames are read one by one, from where the index says they lie."""

import logging

import numpy as np
import pytest
from index_fixtures import Library
from stored_frames import picture, store_video

from framesearch.images.pixels import decode_jpeg
from framesearch.index.bundle import open_bundle
from framesearch.index.codebook import codebook_digest
from framesearch.index.gallery import Gallery
from framesearch.search.frame_reader import FrameReader, row_at
from framesearch.store import layout

ROWS = [5, 0, 30, 47]


@pytest.fixture
def gallery(library: Library) -> Gallery:
    return open_bundle(library.storage, library.publish().index_id).gallery


def like(jpeg: bytes, seed: int, time_s: float) -> bool:
    shown = picture(seed, time_s)
    return bool(np.abs(decode_jpeg(jpeg).astype(int) - shown).mean() < 6)


def test_frames_are_those_of_the_rows(library: Library, gallery: Gallery) -> None:
    found = FrameReader(library.storage).jpegs(gallery, ROWS)
    assert sorted(found) == sorted(ROWS)
    for row, jpeg in found.items():
        assert like(jpeg, int(gallery.video_of_row[row]), float(gallery.timestamps_s[row]))


def test_nothing_but_the_frames_is_read(library: Library, gallery: Gallery) -> None:
    """The rest of the object may be lost: its footer is, without which Parquet reads nothing."""
    whole = FrameReader(library.storage).jpegs(gallery, ROWS)
    for video_id in gallery.video_ids:
        file = library.storage.root / layout.frames(video_id)
        file.write_bytes(file.read_bytes()[:-200] + bytes(200))
    assert FrameReader(library.storage).jpegs(gallery, ROWS) == whole


def test_frames_of_a_video_that_was_stored_anew_are_read_by_their_times(library: Library, gallery: Gallery) -> None:
    library.storage.delete(layout.frames("v0"))
    library.storage.delete(layout.features("v0", codebook_digest()))
    store_video(library.catalogue, library.storage, "v0", seed=9)
    (jpeg,) = FrameReader(library.storage).jpegs(gallery, [5]).values()
    assert like(jpeg, 9, float(gallery.timestamps_s[5]))


def test_rows_of_which_no_place_is_known_are_read_by_their_times(library: Library, gallery: Gallery) -> None:
    placed = FrameReader(library.storage).jpegs(gallery, ROWS)
    gallery.jpegs["size"] = 0
    assert FrameReader(library.storage).jpegs(gallery, ROWS) == placed


def test_frames_that_are_gone_or_damaged_are_left_out_and_logged(
    library: Library, gallery: Gallery, caplog: pytest.LogCaptureFixture
) -> None:
    library.storage.delete(layout.frames("v0"))
    library.damage(layout.frames("v1"))
    with caplog.at_level(logging.WARNING):
        found = FrameReader(library.storage).jpegs(gallery, range(len(gallery)))
    assert {int(gallery.video_of_row[row]) for row in found} == {1, 2}
    assert 0 < len([row for row in gallery.rows_of(1) if row in found]) < len(gallery.rows_of(1))  # its first half
    assert all(row in found for row in gallery.rows_of(2))
    assert "frames of video v0 can't be read" in caplog.text
    assert "frames of video v1 can't be read" in caplog.text


def test_a_row_is_found_by_its_video_and_time(gallery: Gallery) -> None:
    for row in ROWS:
        assert row_at(gallery, gallery.video_ids[gallery.video_of_row[row]], gallery.timestamps_s[row]) == row
    assert row_at(gallery, "v0", 0.1) is None
    assert row_at(gallery, "v0", 1e9) is None
    assert row_at(gallery, "unknown", 0.0) is None
