"""training.fitting.dataset: which frames are learned from, and how they are split."""

import numpy as np
import pytest
from stored_frames import store_video
from training_fixtures import stored_home

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import NotEnoughFrames
from framesearch.records import FrameRole
from framesearch.settings import Settings
from framesearch.store import layout, tables
from training.fitting import dataset


def load(settings: Settings, *, max_frames: int = 6000, seed: int = 1) -> dataset.Dataset:
    storage = open_storage(settings)
    surveyed = dataset.survey(open_catalogue(settings), storage)
    return dataset.load(surveyed, storage, side=64, max_frames=max_frames, seed=seed)


def test_all_index_frames_are_read_and_no_probe_frame(tmp_path):
    settings = stored_home(tmp_path, videos=3)
    loaded = load(settings)
    with open_storage(settings).open(layout.frames("film-0")) as file:
        index_times, _ = tables.read_frame_times(file, FrameRole.INDEX)
        probe_times, _ = tables.read_frame_times(file, FrameRole.PROBE)
    number = [video.video_id for video in loaded.videos].index("film-0")
    mine = loaded.timestamps_s[loaded.video == number]
    assert mine.tolist() == index_times.tolist()
    assert not set(mine) & set(probe_times)
    assert loaded.pictures.shape == (72, dataset.HEIGHT, dataset.WIDTH, 3)
    assert loaded.clean.shape == (72, 64, 64, 3)
    assert loaded.catalogue_frames == 72


def test_train_and_test_share_no_block_and_no_neighbours(tmp_path):
    loaded = load(stored_home(tmp_path, videos=3, seconds=60))
    blocks = list(zip(loaded.video, np.floor(loaded.timestamps_s / loaded.block_s), strict=True))
    train, test = {blocks[i] for i in loaded.train}, {blocks[i] for i in loaded.test}
    assert train and test and not train & test
    for index in loaded.test:
        same = loaded.train[loaded.video[loaded.train] == loaded.video[index]]
        assert np.abs(loaded.timestamps_s[same] - loaded.timestamps_s[index]).min() > loaded.block_s / 20


def test_about_a_fifth_is_for_testing_in_a_catalogue_of_any_length(tmp_path):
    for number, seconds in enumerate((6, 60, 300)):
        loaded = load(stored_home(tmp_path / str(number), videos=2, seconds=seconds))
        share = len(loaded.test) / len(loaded.timestamps_s)
        assert 0.1 <= share <= 0.3
        assert loaded.block_s <= dataset.BLOCK_S


def test_blocks_hardly_change_sides_when_videos_are_added(tmp_path):
    settings = stored_home(tmp_path, videos=3, seconds=300)

    def testing() -> set[tuple[str, float]]:
        loaded = load(settings)
        return {(loaded.videos[loaded.video[i]].video_id, loaded.timestamps_s[i]) for i in loaded.test}

    before = testing()
    store_video(open_catalogue(settings), open_storage(settings), "newcomer", seed=9, seconds=100)
    after = {frame for frame in testing() if frame[0] != "newcomer"}
    assert len(before & after) >= 0.7 * len(before)


def test_the_cap_spreads_the_frames_evenly_over_all_videos(tmp_path):
    settings = stored_home(tmp_path, videos=4, seconds=60)
    loaded = load(settings, max_frames=120)
    assert len(loaded.pictures) == 120
    for number in range(4):
        times = loaded.timestamps_s[loaded.video == number]
        assert len(times) == pytest.approx(30, abs=1)
        assert np.diff(times).max() <= 2.5


def test_the_digest_is_of_what_was_learned_from(tmp_path):
    settings = stored_home(tmp_path, videos=2)
    first = load(settings)
    assert load(settings).digest == first.digest
    assert load(settings, max_frames=30).digest != first.digest
    assert load(settings, seed=2).digest != first.digest
    store_video(open_catalogue(settings), open_storage(settings), "newcomer", seed=9)
    assert load(settings).digest != first.digest


def test_blank_frames_teach_nothing(tmp_path):
    settings = stored_home(tmp_path, videos=2)
    store_video(open_catalogue(settings), open_storage(settings), "black", seed=9, quality=0.0)
    assert {video.video_id for video in load(settings).videos} == {"film-0", "film-1"}


def test_a_damaged_and_a_missing_video_cost_the_others_nothing(tmp_path):
    settings = stored_home(tmp_path, videos=4)
    frames = settings.home / "frames"
    (frames / "film-1.parquet").write_bytes(b"not parquet")
    (frames / "film-2.parquet").unlink()
    assert {video.video_id for video in load(settings).videos} == {"film-0", "film-3"}


def test_too_few_frames_are_said_so(tmp_path):
    settings = stored_home(tmp_path, videos=1, seconds=3)
    with pytest.raises(NotEnoughFrames, match="6 usable frames of 1 videos are stored, training needs at least"):
        load(settings)


def test_a_batch_holds_no_frame_twice_and_runs_of_neighbours(tmp_path):
    loaded = load(stored_home(tmp_path, videos=3, seconds=60))
    batch = dataset.batches_of(loaded, 64, np.random.default_rng(0))
    assert len(batch) == len(set(batch)) == 64
    assert set(batch) <= set(loaded.train)
    gaps = [
        abs(loaded.timestamps_s[a] - loaded.timestamps_s[b])
        for a in batch
        for b in batch
        if a < b and loaded.video[a] == loaded.video[b]
    ]
    assert sum(2.5 <= gap <= 3.5 for gap in gaps) >= 12


def test_a_batch_is_never_larger_than_what_there_is(tmp_path):
    loaded = load(stored_home(tmp_path, videos=2))
    batch = dataset.batches_of(loaded, 96, np.random.default_rng(0))
    assert sorted(batch) == sorted(loaded.train)
