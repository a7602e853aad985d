"""Which frames are kept: density that follows the picture's motion, shot starts, and probe frames in between."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from generated_videos import Footage, Scene, draw_video, even_times

from framesearch.images.pixels import thumbnail
from framesearch.records import FrameRole
from framesearch.video import VideoFile
from framesearch.video.sampling import Sampler, ShotDetector

PACE = 4.0


@dataclass(frozen=True)
class Seen:
    """A frame as a sampler sees it, its picture drawn instead of decoded."""

    timestamp_s: float
    rgb: np.ndarray

    @property
    def luma(self) -> np.ndarray:
        return self.rgb[7::15, 10::20].mean(axis=2).astype(np.uint8)

    def thumbnail(self) -> np.ndarray:
        return thumbnail(self.rgb)


def drawn(scenes: list[Scene], fps: float = 25, seed: int = 1) -> list[Seen]:
    footage = Footage((320, 180), seed, scenes)
    length_s = sum(scene.duration_s for scene in scenes)
    return [Seen(time_s, footage.at(time_s)) for time_s in even_times(length_s, fps)]


def chosen(frames: list[Seen], video_id: str = "v", share: float = 0.05) -> tuple[list[float], list[float]]:
    """Times of the index frames and of the probe frames."""
    sampler = Sampler(video_id, candidates_per_second=PACE, probe_share=share)
    kept: dict[FrameRole, list[float]] = {FrameRole.INDEX: [], FrameRole.PROBE: []}
    for frame in frames:
        role = sampler.role(frame)
        if role:
            kept[role].append(frame.timestamp_s)
    return kept[FrameRole.INDEX], kept[FrameRole.PROBE]


@pytest.fixture(scope="module")
def lively() -> list[Seen]:
    return drawn([Scene(12, 1.5)])


@pytest.fixture(scope="module")
def still() -> list[Seen]:
    return drawn([Scene(12, 0)])


# ---- density


def test_what_moves_is_kept_at_every_tick(lively):
    index, _ = chosen(lively)
    assert index == pytest.approx([number / PACE for number in range(48)], abs=0.04)


def test_what_stands_still_is_kept_once_a_second(still):
    index, _ = chosen(still)
    assert index == pytest.approx(range(12), abs=0.04)


def test_a_scene_that_starts_to_move_is_kept_more_densely_from_there():
    index, _ = chosen(drawn([Scene(4, 0), Scene(4, 2)]))
    assert sum(time_s < 4 for time_s in index) == 4
    assert sum(time_s >= 4 for time_s in index) == 16


@pytest.mark.parametrize("fps", [10, 12.5, 23.976, 29.97, 60])
def test_every_second_has_its_frame_whatever_the_frame_rate(fps):
    index, _ = chosen(drawn([Scene(10, 0)], fps=fps))
    assert {int(time_s + 1e-6) for time_s in index} == set(range(10))
    assert max(b - a for a, b in pairwise(index)) <= 1 + 1 / fps + 1e-6


@pytest.mark.parametrize("fps", [1, 2, 4])
def test_sparse_videos_lose_nothing_that_a_second_needs(fps):
    frames = drawn([Scene(20, 1.5)], fps=fps)
    index, probe = chosen(frames)
    assert len(index) + len(probe) == len(frames)
    assert max(b - a for a, b in pairwise(index)) <= 1


def test_the_pace_is_a_setting(lively):
    sampler = Sampler("v", candidates_per_second=2, probe_share=0)
    assert sum(sampler.role(frame) is FrameRole.INDEX for frame in lively) == 24


# ---- shots


def test_the_first_frame_of_every_shot_is_kept():
    lengths = [1.36, 0.6, 2.08, 0.44, 3.12]
    frames = drawn([Scene(length, motion) for length, motion in zip(lengths, (1, 0, 2, 0, 0.3), strict=True)])
    starts = np.cumsum([0, *lengths[:-1]])
    index, _ = chosen(frames)
    for start in starts:
        assert any(abs(time_s - start) < 1e-6 for time_s in index)


@pytest.mark.parametrize("motion", [0, 1, 3])
def test_motion_and_grain_are_no_cuts(motion):
    detector = ShotDetector()
    assert [detector.starts_shot(frame.luma) for frame in drawn([Scene(6, motion)])].count(True) == 1


def test_a_scene_in_which_every_frame_is_another_is_not_all_cuts():
    frames = [drawn([Scene(0.04, 0)], seed=seed)[0] for seed in range(20)]
    detector = ShotDetector()
    assert [detector.starts_shot(frames[number % 20].luma) for number in range(100)].count(True) < 10


def test_a_fade_is_no_cut_and_a_cut_in_the_dark_is_one():
    frames = drawn([Scene(4, 0.5)])
    detector = ShotDetector()
    faded = [(frame.rgb * max(0.0, 1 - number / 50)).astype(np.uint8) for number, frame in enumerate(frames[:75])]
    assert [detector.starts_shot(Seen(0, rgb).luma) for rgb in faded].count(True) == 1
    dark = [(frame.rgb * 0.2).astype(np.uint8) for frame in drawn([Scene(1, 0.5), Scene(1, 0.5)], seed=8)]
    detector = ShotDetector()
    assert [n for n, rgb in enumerate(dark) if detector.starts_shot(Seen(0, rgb).luma)] == [0, 25]


# ---- probe frames


@pytest.mark.parametrize("motion", [0, 1.5])
def test_probe_frames_lie_in_the_middle_between_ticks(motion):
    index, probe = chosen(drawn([Scene(30, motion)]), share=0.1)
    assert probe
    assert not set(probe) & set(index)
    for time_s in probe:
        assert (time_s * PACE) % 1 == pytest.approx(0.5, abs=0.2)
        assert min(abs(time_s - kept) for kept in index) > 0.05


def test_probe_frames_are_a_fixed_share_spread_over_the_video():
    frames = drawn([Scene(150, 1.5)], fps=8)
    index, probe = chosen(frames, share=0.05)
    assert len(probe) == pytest.approx(0.05 * len(index), rel=0.25)
    thirds = np.histogram(probe, bins=3, range=(0, 150))[0]
    assert thirds.min() >= 5


@pytest.mark.parametrize("motion", [0, 0.4, 1.5])
@pytest.mark.parametrize("video_id", ["a", "b", "c", "d"])
def test_even_a_video_of_a_few_seconds_has_one(motion, video_id):
    _, probe = chosen(drawn([Scene(4, motion)]), video_id)
    assert 1 <= len(probe) <= 3


def test_choices_depend_on_the_video_and_on_nothing_else(lively):
    assert chosen(lively, "one") == chosen(lively, "one")
    assert any(chosen(lively, "one")[1] != chosen(lively, name)[1] for name in ("two", "three", "four"))


def test_no_share_no_probe_frames(lively):
    assert chosen(lively, share=0)[1] == []


def test_probe_frames_take_nothing_from_the_index(lively):
    assert chosen(lively, share=0.3)[0] == chosen(lively, share=0)[0]


# ---- with real decoding


def test_decoded_videos_are_sampled_the_same(tmp_path: Path):
    scenes = [Scene(3, 0), Scene(3, 1.5), Scene(2, 0)]
    draw_video(tmp_path / "a.mp4", scenes=scenes, duration_s=8)
    sampler = Sampler("v", candidates_per_second=PACE, probe_share=0.05)
    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        kept = file.wanted_frames(sampler.role)
        index = [frame.timestamp_s for frame, role in kept if role is FrameRole.INDEX]
    assert [time_s for time_s in index if time_s < 3] == pytest.approx([0, 1, 2], abs=0.04)
    assert sum(3 <= time_s < 6 for time_s in index) == 12
    assert [time_s for time_s in index if time_s >= 6] == pytest.approx([6, 7], abs=0.3)
