"""The Parquet tables read back what was written."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from framesearch.records import FrameRole
from framesearch.store.tables import (
    FEATURE,
    JPEG_PLACE,
    ROW_GROUP,
    Embeddings,
    Frame,
    LocalFeatures,
    jpeg_places,
    read_embeddings,
    read_features,
    read_frame_times,
    read_frames,
    write_columns,
    write_embeddings,
    write_features,
    write_frames,
)


def frame(number: int) -> Frame:
    role = FrameRole.PROBE if number % 10 == 5 else FrameRole.INDEX
    return Frame(number / 4, b"jpeg%d" % number, role, quality=0.5)


@pytest.mark.parametrize("count", [0, 1, ROW_GROUP, 3 * ROW_GROUP + 1])
def test_frames_read_back_in_order(tmp_path: Path, count: int):
    frames = [frame(number) for number in range(count)]
    write_frames(tmp_path / "f", iter(frames))
    assert list(read_frames(tmp_path / "f")) == frames


def test_frames_of_one_role_read_back_alone(tmp_path: Path):
    write_frames(tmp_path / "f", map(frame, range(100)))
    probes = list(read_frames(tmp_path / "f", FrameRole.PROBE))
    assert [probe.timestamp_s for probe in probes] == [number / 4 for number in range(5, 100, 10)]
    times, qualities = read_frame_times(tmp_path / "f", FrameRole.PROBE)
    assert times.tolist() == [probe.timestamp_s for probe in probes]
    assert qualities.tolist() == [0.5] * 10


def test_embeddings_read_back_exactly(tmp_path: Path):
    vectors = np.random.default_rng(0).normal(size=(7, 16)).astype(np.float32)
    write_embeddings(tmp_path / "e", Embeddings(np.arange(7) / 3, vectors))
    read = read_embeddings(tmp_path / "e")
    np.testing.assert_array_equal(read.vectors, vectors)
    np.testing.assert_array_equal(read.timestamps_s, np.arange(7) / 3)


def test_a_video_without_a_usable_frame_has_embeddings_of_no_rows(tmp_path: Path):
    write_embeddings(tmp_path / "e", Embeddings(np.empty(0), np.empty((0, 16), np.float32)))
    assert read_embeddings(tmp_path / "e").vectors.shape == (0, 16)


def local_features(frames: int) -> LocalFeatures:
    times = np.arange(frames) * 2.0
    features = [np.frombuffer(bytes(range(n % 3 * FEATURE.itemsize)), FEATURE) for n in range(frames)]
    jpegs = np.array([(100 * n, 50 + n, 7) for n in range(frames)], JPEG_PLACE)
    return LocalFeatures(times, times + 0.5, np.full(frames, 1.5, np.float32), features, jpegs)


def test_local_features_read_back_exactly(tmp_path: Path):
    written = local_features(5)
    write_features(tmp_path / "f", written)
    read = read_features(tmp_path / "f")
    for column in ("timestamps_s", "until_s", "aspects", "jpegs"):
        np.testing.assert_array_equal(getattr(read, column), getattr(written, column))
    assert [one.tobytes() for one in read.features] == [one.tobytes() for one in written.features]


def test_local_features_of_some_frames(tmp_path: Path):
    some = local_features(5).at(np.array([2.0, 3.0, 8.0]))
    assert some.until_s.tolist() == [2.5, 3.0, 8.5]  # a frame without features shows what it shows for its moment
    assert some.aspects.tolist() == [1.5, 0.0, 1.5]
    assert [len(one) for one in some.features] == [1, 0, 1]
    assert some.jpegs["size"].tolist() == [51, 0, 54]


def test_features_stored_before_still_pictures_were_told_are_read(tmp_path: Path):
    columns = {"timestamp_s": np.arange(3.0), "aspect": np.ones(3, np.float32)}
    write_columns(tmp_path / "f", columns | {"features": [b"", b"", b""]})
    assert read_features(tmp_path / "f").until_s.tolist() == [0, 1, 2]
    assert read_features(tmp_path / "f").jpegs["size"].tolist() == [0, 0, 0]


def test_a_frame_can_be_read_alone_from_where_it_lies(tmp_path: Path):
    pictures = [bytes([n % 251]) * (1 + n % 7) for n in range(2 * ROW_GROUP + 3)]  # short ones stand in others, too
    write_frames(tmp_path / "v", (Frame(n / 4, one, FrameRole.INDEX, 0.5) for n, one in enumerate(pictures)))
    stored = (tmp_path / "v").read_bytes()
    asked = [0, 1, ROW_GROUP, 2 * ROW_GROUP + 2]
    for number, (start, size, crc32) in zip(asked, jpeg_places(tmp_path / "v", [n / 4 for n in asked]), strict=True):
        assert stored[start : start + size] == pictures[number]
        assert crc32 == zlib.crc32(pictures[number])
    assert jpeg_places(tmp_path / "v", [0.1])["size"].tolist() == [0]
