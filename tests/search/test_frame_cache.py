"""Stored frames by row: decoded once, kept up to a number of bytes, never taken for those of another index."""

import numpy as np
import pytest
from index_fixtures import Library
from stored_frames import HEIGHT, WIDTH, picture, store_video

from framesearch.index.bundle import open_bundle
from framesearch.index.codebook import codebook_digest
from framesearch.index.gallery import Gallery
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader
from framesearch.store import layout

ONE = HEIGHT * WIDTH * 3  # bytes


def published_gallery(library: Library, version: str) -> Gallery:
    return open_bundle(library.storage, library.publish(version).index_id).gallery


def like(rgb: np.ndarray, seed: int, time_s: float) -> bool:
    """Whether a stored frame is the picture, but for what JPEG changes."""
    return bool(np.abs(rgb.astype(float) - picture(seed, time_s)).mean() < 8)


@pytest.fixture
def gallery(library: Library) -> Gallery:
    return published_gallery(library, "1")


def test_rows_are_the_frames_that_the_index_means(library: Library, gallery: Gallery) -> None:
    rows = [5, 0, len(gallery) - 1]
    found = FrameCache(FrameReader(library.storage)).of(gallery)(rows)
    assert sorted(found) == sorted(rows)
    for row in rows:
        assert like(found[row], int(gallery.video_of_row[row]), float(gallery.timestamps_s[row]))


def test_a_picture_is_decoded_once(library: Library, gallery: Gallery) -> None:
    pictures = FrameCache(FrameReader(library.storage))
    first = pictures.of(gallery)(range(4))
    library.storage.delete(layout.frames("v0"))  # gone: whoever read it again would find nothing
    again = pictures.of(gallery)(range(4))
    assert all(again[row] is first[row] for row in range(4))
    assert pictures.kept_bytes == 4 * ONE


def test_those_last_asked_for_are_kept_up_to_so_many_bytes(library: Library, gallery: Gallery) -> None:
    pictures = FrameCache(FrameReader(library.storage), kept_bytes=3 * ONE + ONE // 2)
    assert len(pictures.of(gallery)(range(10))) == 10  # more than are kept: all are there nevertheless
    for row in (2, 3, 4, 2):
        pictures.of(gallery)([row])
    assert pictures.kept_bytes == 3 * ONE
    pictures.of(gallery)([7])  # in place of 3, which was longest not asked for
    library.storage.delete(layout.frames("v0"))
    assert sorted(pictures.of(gallery)(range(10))) == [2, 4, 7]


def test_a_picture_larger_than_all_that_may_be_kept_is_answered_and_not_kept(
    library: Library, gallery: Gallery
) -> None:
    pictures = FrameCache(FrameReader(library.storage), kept_bytes=ONE - 1)
    assert list(pictures.of(gallery)([0])) == [0]
    assert pictures.kept_bytes == 0


def test_a_video_stored_anew_is_not_taken_for_the_old_one(library: Library, gallery: Gallery) -> None:
    pictures = FrameCache(FrameReader(library.storage))
    before = pictures.of(gallery)(range(4))
    library.storage.delete(layout.frames("v0"))
    library.storage.delete(layout.features("v0", codebook_digest()))
    store_video(library.catalogue, library.storage, "v0", seed=9)
    renewed = published_gallery(library, "2")  # of another model: built from scratch
    after = pictures.of(renewed)(range(4))
    for row in range(4):
        time_s = float(renewed.timestamps_s[row])
        assert like(after[row], 9, time_s) and not like(before[row], 9, time_s)
    assert pictures.of(gallery)([0])[0] is before[0]  # for those who still search the old one
