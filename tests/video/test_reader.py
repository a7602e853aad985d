"""Decoding: every container and codec gives its frames with the times at which a player shows them."""

import gc
import re
import subprocess
import threading
from itertools import pairwise
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from generated_videos import (
    Footage,
    Scene,
    draw_clock,
    draw_video,
    even_times,
    read_clock,
    truncate,
    uneven_times,
    write_audio,
    write_video,
)

from framesearch.errors import VideoUnavailable
from framesearch.images.pixels import encode_jpeg
from framesearch.records import Reason
from framesearch.video import LUMA, VideoFile

EXACT_S = 1e-3


def frames_of(path: Path, height: int = 180, max_hours: float = 1) -> list[tuple[float, np.ndarray]]:
    with VideoFile(path, height=height, max_hours=max_hours) as file:
        return [(frame.timestamp_s, frame.picture()) for frame in file.frames()]


def clocks_of(path: Path, **options) -> list[tuple[float, float]]:
    """For every frame its timestamp and the time that its picture shows."""
    return [(timestamp_s, read_clock(rgb)) for timestamp_s, rgb in frames_of(path, **options)]


def all_of(path: Path) -> tuple[list[float], float, str | None]:
    """When each frame is shown, how long the video is, and what is missing."""
    with VideoFile(path, height=180, max_hours=1) as file:
        times_s = [frame.timestamp_s for frame in file.frames()]
        return times_s, file.duration_s, file.shortfall


def assert_exact(path: Path, times_s: list[float], shift_s: float = 0.0) -> None:
    read = clocks_of(path)
    shown = [time_s for time_s in times_s if time_s + shift_s >= 0]
    assert len(read) == len(shown)
    for (timestamp_s, clock_s), time_s in zip(read, shown, strict=True):
        assert clock_s == pytest.approx(time_s, abs=EXACT_S)
        assert timestamp_s == pytest.approx(time_s + shift_s, abs=EXACT_S)


def refusal(path: Path, **options) -> VideoUnavailable:
    with pytest.raises(VideoUnavailable) as caught:
        frames_of(path, **options)
    assert path.name in str(caught.value)
    return caught.value


# ---- exact times


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.flv", "libx264"),
        ("a.ts", "libx264"),
        ("hevc.mp4", "libx265"),
        ("vp8.webm", "libvpx"),
        ("vp9.webm", "libvpx-vp9"),
        ("av1.mp4", "libsvtav1"),
        ("av1.webm", "libsvtav1"),
        ("a.avi", "mpeg4"),
        ("a.mpg", "mpeg2video"),
    ],
)
def test_constant_frame_rates_are_exact_in_every_container_and_codec(tmp_path, name, codec):
    draw_video(tmp_path / name, duration_s=2.4, codec=codec, clock=True)
    assert_exact(tmp_path / name, even_times(2.4, 25))


@pytest.mark.parametrize("fps", [24000 / 1001, 30000 / 1001, 59.94, 7.5, 1])
def test_odd_frame_rates_do_not_drift(tmp_path, fps):
    draw_video(tmp_path / "a.mp4", duration_s=20 if fps < 10 else 5, fps=fps, clock=True, size=(160, 90))
    assert_exact(tmp_path / "a.mp4", even_times(20 if fps < 10 else 5, fps))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts"])
def test_variable_frame_rates_are_exact(tmp_path, name):
    times = uneven_times(4, seed=3)
    draw_video(tmp_path / name, times_s=times, clock=True, codec="libvpx-vp9" if "webm" in name else "libx264")
    assert_exact(tmp_path / name, times)


def test_reordered_frames_come_in_order_of_presentation(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=2, clock=True, options={"preset": "fast", "bf": "3"})
    assert_exact(tmp_path / "a.mp4", even_times(2, 25))


def test_reordered_frames_of_an_avi_without_presentation_times_are_close(tmp_path):
    draw_video(tmp_path / "a.avi", duration_s=2, clock=True, codec="mpeg4", options={"bf": "2"})
    read = clocks_of(tmp_path / "a.avi")
    assert len(read) >= 45
    assert all(abs(timestamp_s - clock_s) < 0.13 for timestamp_s, clock_s in read)  # the format knows no better


def test_an_edit_list_that_cuts_the_start_off_is_honoured(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=4, clock=True, shift_s=-1.2)
    assert_exact(tmp_path / "a.mp4", even_times(4, 25), shift_s=-1.2)


def test_an_empty_edit_delays_the_picture(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=3, clock=True, shift_s=2.0, audio_s=5)
    assert_exact(tmp_path / "a.mp4", even_times(3, 25), shift_s=2.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.ts", "a.mpg", "a.flv"])
def test_clocks_that_start_anywhere_start_at_zero(tmp_path, name):
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    draw_video(tmp_path / name, duration_s=2, clock=True, codec=codec, shift_s=7.0)
    assert_exact(tmp_path / name, even_times(2, 25))


def test_the_first_frame_stays_where_the_start_is_rounded_up_past_it(tmp_path):
    draw_video(tmp_path / "a.ts", duration_s=2, fps=24, clock=True, shift_s=7 / 24)
    assert_exact(tmp_path / "a.ts", even_times(2, 24))


def test_in_mpeg_ts_the_sound_that_starts_first_is_the_start(tmp_path):
    draw_video(tmp_path / "a.ts", duration_s=2, clock=True, shift_s=1.0, audio_s=3)
    read = clocks_of(tmp_path / "a.ts")
    assert all(timestamp_s - clock_s == pytest.approx(1.0, abs=0.03) for timestamp_s, clock_s in read)


def test_an_mpeg_ts_clock_that_rolls_over_goes_on(tmp_path):
    rollover_s = (1 << 33) / 90_000
    draw_video(tmp_path / "a.ts", duration_s=3, clock=True, shift_s=rollover_s - 1.5)
    assert_exact(tmp_path / "a.ts", even_times(3, 25))


# ---- the right picture, upright, in its colours and proportions


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_videos_come_upright(tmp_path, rotation):
    draw_video(tmp_path / "a.mp4", duration_s=1, clock=True, rotation=rotation)
    assert_exact(tmp_path / "a.mp4", even_times(1, 25))
    assert frames_of(tmp_path / "a.mp4")[0][1].shape == (180, 320, 3)


def test_pictures_shrink_to_the_height_and_never_grow(tmp_path):
    draw_video(tmp_path / "large.mp4", duration_s=0.4, size=(1280, 720), clock=True)
    draw_video(tmp_path / "small.mp4", duration_s=0.4, size=(160, 120), clock=True)
    assert frames_of(tmp_path / "large.mp4")[0][1].shape == (180, 320, 3)
    assert frames_of(tmp_path / "small.mp4")[0][1].shape == (120, 160, 3)
    assert frames_of(tmp_path / "large.mp4", height=90)[0][1].shape == (90, 160, 3)


def test_pixels_that_are_not_square_are_shown_in_their_proportions(tmp_path):
    footage = Footage((320, 240), 4, [Scene(1)])
    options = {"x264-params": "sar=4/3"}
    write_video(tmp_path / "a.mp4", even_times(0.5, 10), footage.at, options=options)
    assert frames_of(tmp_path / "a.mp4")[0][1].shape == (180, 320, 3)


@pytest.mark.parametrize("size", [(320, 180), (1280, 720)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colours_are_those_of_the_picture(tmp_path, size, pix_fmt):
    colours = np.array([[(200, 40, 40), (40, 180, 60), (50, 60, 200)], [(230, 220, 50), (128, 128, 128), (15, 15, 15)]])
    chart = cv2.resize(colours.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    write_video(tmp_path / "a.mkv", even_times(0.4, 10), lambda _: chart, options={"crf": "12"}, pix_fmt=pix_fmt)
    rgb = frames_of(tmp_path / "a.mkv")[0][1]
    centres = rgb[[45, 135]][:, [53, 160, 267]]
    # The writer leaves colours untagged, as SD: what is HD is then taken for BT.709, as players do.
    assert np.abs(centres.astype(int) - colours).max() <= (10 if size == (320, 180) else 45)


def test_tagged_hd_colours_are_exact(tmp_path):
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    source = "color=c=0xC82828:s=1280x720:r=10:d=0.5"
    convert = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    _run(ffmpeg, "-f", "lavfi", "-i", source, "-vf", convert, *tags, "-c:v", "libx264", tmp_path / "a.mp4")
    _run(ffmpeg, "-f", "lavfi", "-i", source, "-vf", convert, "-c:v", "libx264", tmp_path / "untagged.mp4")
    for name in ("a.mp4", "untagged.mp4"):
        assert np.abs(frames_of(tmp_path / name)[0][1].astype(int) - (0xC8, 0x28, 0x28)).max() <= 6


def _run(*command: object) -> None:
    subprocess.run([*map(str, command[:1]), "-v", "error", *map(str, command[1:])], check=True)


def test_a_size_that_changes_midway_is_followed(tmp_path):
    # MPEG-TS holds streams that were only written one after the other.
    draw_video(tmp_path / "a.ts", duration_s=1, size=(320, 180), clock=True)
    draw_video(tmp_path / "b.ts", duration_s=1, size=(640, 360), clock=True, shift_s=1.0)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    read = frames_of(both)
    assert len(read) >= 48
    assert {rgb.shape for _, rgb in read} == {(180, 320, 3)}
    assert [read_clock(rgb) for _, rgb in read[-5:]] == pytest.approx([0.8, 0.84, 0.88, 0.92, 0.96], abs=EXACT_S)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_cover_picture_is_not_the_video(tmp_path, name):
    cover = encode_jpeg(Footage((640, 640), 9, [Scene(1)]).at(0), 80)
    draw_video(tmp_path / name, duration_s=1, clock=True, cover=cover)
    assert_exact(tmp_path / name, even_times(1, 25))


def test_every_frame_carries_its_brightness_without_converting_the_picture(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=2, fps=10, scenes=2)
    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        lumas = [frame.luma for frame in file.frames()]
    assert all(luma.shape == LUMA and luma.dtype == np.uint8 for luma in lumas)
    changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(lumas)]
    assert int(np.argmax(changes)) == 9  # the cut, at one second


def test_a_picture_can_be_had_after_the_next_frame_was_read(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=1, clock=True)
    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        frames = list(file.frames())
    assert read_clock(frames[3].picture()) == pytest.approx(0.12, abs=EXACT_S)


# ---- leaving out what nobody needs

GRID_S = 0.125


def gridded(path: Path, grid_s: float | None) -> list[tuple[float, int]]:
    """Times of the frames that are read, each with its cell of the grid."""
    with VideoFile(path, height=180, max_hours=1, grid_s=grid_s) as file:
        return [(frame.timestamp_s, int(frame.timestamp_s / GRID_S + 1e-6)) for frame in file.frames()]


def first_of_each_cell(frames: list[tuple[float, int]]) -> list[float]:
    firsts: dict[int, float] = {}
    for timestamp_s, cell in frames:
        firsts.setdefault(cell, timestamp_s)
    return list(firsts.values())


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.mp4", {"fps": 25}),
        ("a.mkv", {"fps": 59.94}),
        ("a.ts", {"fps": 30}),
        ("a.mp4", {"times_s": uneven_times(5, seed=1)}),
        ("a.mp4", {"fps": 25, "shift_s": -1.2}),
    ],
)
def test_no_frame_of_the_grid_is_left_out(tmp_path, name, written):
    options = {"preset": "medium", "bf": "5", "b_strategy": "0", "x264-params": "b-pyramid=normal"}
    draw_video(tmp_path / name, duration_s=5, scenes=3, options=options, **written)
    assert_grid_is_whole(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.mp4", {"fps": 25}),
        ("a.webm", {"fps": 59.94}),
        ("a.mkv", {"times_s": uneven_times(5, seed=1)}),
        ("a.mp4", {"fps": 25, "shift_s": -1.2}),
    ],
)
def test_no_frame_of_the_grid_is_left_out_of_av1(tmp_path, name, written):
    draw_video(tmp_path / name, duration_s=5, scenes=3, codec="libsvtav1", size=(160, 90), **written)
    assert_grid_is_whole(tmp_path / name)


def assert_grid_is_whole(path: Path) -> None:
    every, sparse = gridded(path, None), gridded(path, GRID_S)
    assert first_of_each_cell(sparse) == first_of_each_cell(every)
    assert set(sparse) <= set(every)
    assert len(sparse) < 0.9 * len(every)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "libsvtav1")])
def test_what_is_left_out_leaves_the_other_pictures_as_they_are(tmp_path, name, codec):
    draw_video(tmp_path / name, duration_s=4, codec=codec, scenes=2)
    with VideoFile(tmp_path / name, height=180, max_hours=1, grid_s=GRID_S) as file:
        sparse = {frame.timestamp_s: frame.picture() for frame in file.frames()}
    every = dict(frames_of(tmp_path / name))
    assert all(np.array_equal(rgb, every[timestamp_s]) for timestamp_s, rgb in sparse.items())


def test_the_first_frame_of_a_shot_is_never_left_out_as_encoders_put_it(tmp_path):
    scenes = [Scene(length) for length in (0.92, 1.32, 0.6, 1.72)]
    draw_video(tmp_path / "a.mp4", scenes=scenes, duration_s=4.56, options={"preset": "medium", "bf": "3"})
    read = [timestamp_s for timestamp_s, _ in gridded(tmp_path / "a.mp4", GRID_S)]
    for start_s in (0, 0.92, 2.24, 2.84):
        assert min(abs(timestamp_s - start_s) for timestamp_s in read) <= EXACT_S


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")])
def test_other_codecs_are_read_in_full(tmp_path, name, codec):
    draw_video(tmp_path / name, duration_s=2, codec=codec)
    assert gridded(tmp_path / name, GRID_S) == gridded(tmp_path / name, None)


# ---- decoding ahead


def test_only_wanted_frames_are_handed_on_in_order_with_what_was_said_of_them(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=4, clock=True)

    def every_fifth(frame) -> str | None:
        return f"{frame.timestamp_s:.1f}" if round(frame.timestamp_s * 25) % 5 == 0 else None

    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        read = [(read_clock(frame.picture()), said) for frame, said in file.wanted_frames(every_fifth)]
    assert read == [(pytest.approx(number / 5), f"{number / 5:.1f}") for number in range(20)]


def test_errors_of_decoding_ahead_reach_the_reader(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=8, fps=5, container_options={"live": "1"})

    def read(wanted) -> None:
        with VideoFile(tmp_path / "a.mkv", height=180, max_hours=4 / 3600) as file:
            for _ in file.wanted_frames(wanted):
                pass

    for wanted in (lambda _: True, lambda _: None):
        with pytest.raises(VideoUnavailable, match="hours long"):
            read(wanted)
    with pytest.raises(ZeroDivisionError):
        read(lambda _: 1 / 0)


def test_a_reader_who_leaves_early_leaves_no_thread(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=8)
    before = threading.active_count()
    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        for _ in file.wanted_frames(lambda _: True):
            break
    gc.collect()
    assert threading.active_count() == before


# ---- odd and bad files


def test_one_frame_is_a_video(tmp_path):
    draw_video(tmp_path / "a.mp4", times_s=[0.0], clock=True)
    assert clocks_of(tmp_path / "a.mp4") == [(0.0, 0.0)]


def test_how_long_a_video_is_comes_from_its_frames(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=3)
    with VideoFile(tmp_path / "a.mp4", height=180, max_hours=1) as file:
        for _ in file.frames():
            pass
        assert file.duration_s == pytest.approx(3, abs=0.05)


def test_a_file_that_states_no_duration_is_read(tmp_path):
    draw_video(tmp_path / "live.mkv", duration_s=2, clock=True, container_options={"live": "1"})
    assert_exact(tmp_path / "live.mkv", even_times(2, 25))


def test_frames_of_a_bare_stream_without_any_times_are_counted(tmp_path):
    draw_video(tmp_path / "a.h264", duration_s=1, clock=True, container="h264")
    assert_exact(tmp_path / "a.h264", even_times(1, 25))


def test_a_still_picture_under_an_hour_of_sound_is_whole(tmp_path):
    draw_video(tmp_path / "a.mp4", times_s=[0.0, 0.04], clock=True, audio_s=20)
    assert len(frames_of(tmp_path / "a.mp4")) == 2


def test_sound_only_has_no_video_stream(tmp_path):
    assert refusal(write_audio(tmp_path / "a.m4a")).reason == Reason.NO_VIDEO_STREAM
    assert refusal(write_audio(tmp_path / "a.mp4")).reason == Reason.NO_VIDEO_STREAM


def test_zero_bytes_are_corrupt(tmp_path):
    (tmp_path / "a.mp4").touch()
    error = refusal(tmp_path / "a.mp4")
    assert error.reason == Reason.CORRUPT
    assert "0 bytes" in str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.mp4", b"These are my notes. " * 200),
        ("subtitles.mp4", b"1\n00:00:00,000 --> 00:00:04,000\nHello\n" * 20),
        ("noise.mp4", np.random.default_rng(0).bytes(100_000)),
        ("zeros.webm", bytes(100_000)),
        ("list.mp4", b"ffconcat version 1.0\nfile secret.mp4\n"),
        ("hls.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n"),
        ("picture.mp4", encode_jpeg(np.zeros((64, 64, 3), np.uint8), 80)),
    ],
)
def test_what_is_no_video_is_refused_and_opens_no_other_file(tmp_path, name, content):
    draw_video(tmp_path / "secret.mp4", duration_s=0.5)
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name).reason in (Reason.CORRUPT, Reason.NO_VIDEO_STREAM)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.flv"])
def test_a_file_that_was_cut_off_is_read_up_to_there_and_says_so(tmp_path, name):
    # With its index in front, an MP4 can be opened although most of it is missing.
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    draw_video(tmp_path / name, duration_s=20, fps=10, clock=True, container_options=options)
    truncate(tmp_path / name, 0.3)

    read, duration_s, shortfall = all_of(tmp_path / name)

    assert read == pytest.approx(even_times(len(read) / 10, 10))
    assert 20 < len(read) < 100
    assert duration_s == pytest.approx(len(read) / 10, abs=1)
    assert shortfall is not None
    assert re.fullmatch(r"ends after [\d.]+ of 20 s", shortfall)


def test_a_transport_stream_that_was_cut_off_can_not_know(tmp_path):
    draw_video(tmp_path / "a.ts", duration_s=20, fps=10)
    truncate(tmp_path / "a.ts", 0.3)
    read, _, shortfall = all_of(tmp_path / "a.ts")
    assert len(read) > 40
    assert shortfall is None


def test_what_is_missing_is_known_only_when_all_was_read(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=20, fps=10)
    truncate(tmp_path / "a.mkv", 0.3)
    with VideoFile(tmp_path / "a.mkv", height=180, max_hours=1) as file:
        assert file.shortfall is None
        assert any(file.wanted_frames(lambda _: True))
    with VideoFile(tmp_path / "a.mkv", height=180, max_hours=1) as file:
        assert list(file.wanted_frames(lambda _: None)) == []
        assert file.shortfall is not None


def test_several_damaged_stretches_are_named_each_and_then_counted(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=60, fps=10, gop=10)
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    noise = np.random.default_rng(0)
    for share in (0.15, 0.3, 0.45, 0.6, 0.75):
        start = int(share * len(content))
        content[start : start + len(content) // 40] = noise.bytes(len(content) // 40)
    (tmp_path / "a.mkv").write_bytes(content)

    _, _, shortfall = all_of(tmp_path / "a.mkv")

    assert shortfall is not None
    assert shortfall.count(" of 60 s") == 3
    assert re.search(r"; 2 more up to \d+ s$", shortfall)


def test_a_recording_that_follows_and_can_not_be_read_is_not_passed_over_in_silence(tmp_path):
    draw_video(tmp_path / "a.flv", duration_s=1, clock=True)
    whole = (tmp_path / "a.flv").read_bytes()
    header = whole[:13]
    (tmp_path / "a.flv").write_bytes(whole + header + bytes(10_000))

    read, _, shortfall = all_of(tmp_path / "a.flv")

    assert read == pytest.approx(even_times(1, 25), abs=EXACT_S)
    assert shortfall == "1 of the 2 recordings in it can't be read"


def test_a_single_wild_stamp_of_the_sound_makes_a_video_no_longer(tmp_path):
    draw_video(tmp_path / "a.flv", duration_s=4, clock=True, audio_s=4)
    content = bytearray((tmp_path / "a.flv").read_bytes())
    at, sounds = 13, []
    while at + 15 < len(content):  # tags: type, length, time in ms (low 3 bytes, then the high one), stream, content
        if content[at] == 8:
            sounds.append(at)
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")
    content[sounds[len(sounds) // 2] + 7] = 0x30
    (tmp_path / "a.flv").write_bytes(content)

    read, duration_s, _ = all_of(tmp_path / "a.flv")

    assert len(read) == 100
    assert duration_s == pytest.approx(4, abs=0.2)


def test_a_file_without_its_index_is_corrupt(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=2)
    assert refusal(truncate(tmp_path / "a.mp4", 0.5)).reason == Reason.CORRUPT


def test_a_damaged_stretch_costs_only_its_own_frames(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=8, clock=True, gop=10)
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    (tmp_path / "a.mkv").write_bytes(content)
    read = frames_of(tmp_path / "a.mkv")
    assert 150 < len(read) <= 200
    exact = 0
    for timestamp_s, rgb in read:
        try:
            exact += abs(read_clock(rgb) - timestamp_s) <= EXACT_S
        except ValueError:
            continue
    assert exact > 150


def test_a_file_of_damaged_pictures_is_corrupt(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=6, gop=10)
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    rng = np.random.default_rng(0)
    for start in range(2000, len(content) - 3000, 600):
        content[start : start + 500] = rng.bytes(500)
    (tmp_path / "a.mkv").write_bytes(content)
    assert refusal(tmp_path / "a.mkv").reason == Reason.CORRUPT


def test_a_video_that_is_too_long_is_refused_before_it_is_decoded(tmp_path):
    draw_video(tmp_path / "a.mp4", duration_s=8, fps=5)
    error = refusal(tmp_path / "a.mp4", max_hours=4 / 3600)
    assert error.reason == Reason.TOO_LONG
    assert "FRAMESEARCH_MAX_VIDEO_HOURS" in str(error)


def test_a_video_that_hides_how_long_it_is_is_refused_where_it_gets_too_long(tmp_path):
    draw_video(tmp_path / "a.mkv", duration_s=8, fps=5, container_options={"live": "1"})
    assert refusal(tmp_path / "a.mkv", max_hours=4 / 3600).reason == Reason.TOO_LONG


def test_8k_is_read_one_frame_at_a_time(tmp_path):
    picture = cv2.resize(Footage((960, 540), 5, [Scene(1)]).at(0), (7680, 4320))
    write_video(tmp_path / "a.mp4", even_times(0.3, 10), lambda t: draw_clock(picture, t), options={"crf": "35"}, gop=1)
    read = clocks_of(tmp_path / "a.mp4")
    assert [clock_s for _, clock_s in read] == pytest.approx([0.0, 0.1, 0.2])


@pytest.mark.parametrize(
    "name", ['it\'s "quoted".mp4', "Größe – 映画 🎬.mp4", "a b%20c#d?e.mp4", "..hidden...mp4", "-rf.mp4"]
)
def test_names_are_only_names(tmp_path, name):
    draw_video(tmp_path / name, duration_s=0.4, clock=True)
    assert len(frames_of(tmp_path / name)) == 10
