"""The Parquet tables read back what was written."""

from pathlib import Path

import numpy as np
import pytest

from framesearch.records import FrameRole
from framesearch.tables import (
    ROW_GROUP,
    Embeddings,
    Frame,
    read_embeddings,
    read_frame_times,
    read_frames,
    write_embeddings,
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
