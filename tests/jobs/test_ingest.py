"""Taking in playlists: frames whole or not at all, every failure noted, the next run continues."""

import errno
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from generated_videos import draw_video, read_clock
from ingest_line import Line
from local_feed import LocalFeed
from yt_dlp_plugins.extractor.shapes import RELEASE

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import PlaylistUnavailable, StorageFull, VideoNotYet
from framesearch.images.pixels import BLANK_QUALITY, decode_jpeg
from framesearch.records import FrameRole, ListedVideo, PlaylistListing, VideoStatus
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.store.folder import FolderStorage


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Drawn once: six seconds of two moving shots, and a second film."""
    folder = tmp_path_factory.mktemp("clips")
    one = draw_video(folder / "one.mp4", duration_s=6, clock=True)
    other = draw_video(folder / "other.mp4", duration_s=3, seed=1)
    return {"one.mp4": one.read_bytes(), "other.mp4": other.read_bytes()}


@pytest.fixture
def folder(tmp_path: Path, clips: dict[str, bytes]) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, content in clips.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def line(fresh_catalogue: Catalogue, fresh_storage: FolderStorage, fresh_settings: Settings) -> Line:
    return Line(fresh_catalogue, fresh_storage, fresh_settings)


# ---- the frames that are stored


def test_frames_are_stored_with_the_times_that_they_show(line: Line, folder: Path):
    line.discover(folder)
    assert line.extract_all() == []
    for frame in line.frames("one"):
        assert read_clock(decode_jpeg(frame.jpeg)) == pytest.approx(frame.timestamp_s, abs=0.001)


def test_the_catalogue_counts_what_is_stored(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    video = line.by_title("one")
    assert video.status is VideoStatus.READY
    assert video.duration_s == pytest.approx(6, abs=0.05)
    assert video.index_frames == len(line.frames("one", FrameRole.INDEX)) >= 6
    assert video.probe_frames == len(line.frames("one", FrameRole.PROBE)) >= 1


def test_probe_frames_lie_between_index_frames(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    index = [frame.timestamp_s for frame in line.frames("one", FrameRole.INDEX)]
    for probe in line.frames("one", FrameRole.PROBE):
        assert min(abs(probe.timestamp_s - time_s) for time_s in index) > 0.03  # a frame of 25 a second apart


def test_frames_have_the_set_height_and_are_known_as_not_blank(line: Line, folder: Path):
    line.settings = line.settings.model_copy(update={"frame_height": 90})
    line.discover(folder)
    line.extract_all()
    for frame in line.frames("one"):
        assert decode_jpeg(frame.jpeg).shape == (90, 160, 3)
        assert BLANK_QUALITY < frame.quality <= 1


def test_the_same_video_gives_the_same_frames(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    before = line.frames("one")
    line.storage.delete(layout.frames(line.by_title("one").video_id))
    line.extract(line.by_title("one").video_id)
    assert line.frames("one") == before


# ---- once, and again


def test_a_second_run_finds_nothing_to_do(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    assert line.discover(folder).new == ()
    assert line.catalogue.due_videos(datetime.now(UTC)) == []


def test_a_new_file_is_the_only_work_of_the_next_run(line: Line, folder: Path, clips: dict[str, bytes]):
    line.discover(folder)
    line.extract_all()
    (folder / "added.mp4").write_bytes(clips["other.mp4"])
    (new,) = line.discover(folder).new
    assert line.catalogue.due_videos(datetime.now(UTC)) == [new]


def test_a_vanished_video_keeps_its_frames_and_is_marked(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    (folder / "one.mp4").unlink()
    line.discover(folder)
    video = line.by_title("one")
    assert video.status is VideoStatus.READY
    assert video.vanished_at is not None
    assert line.frames("one")


def test_a_video_in_two_playlists_is_taken_in_once(line: Line, folder: Path):
    line.discover(folder)
    assert line.discover(folder / "one.mp4").new == ()
    assert len(line.catalogue.videos()) == 2


def test_stored_frames_are_not_fetched_again_after_a_crash_before_the_catalogue_was_told(line: Line, folder: Path):
    line.discover(folder)
    line.extract_all()
    (folder / "one.mp4").unlink()  # so that fetching it again would fail
    video = line.by_title("one")
    line.catalogue.mark_failed(video.video_id, "unknown", "killed", datetime.now(UTC), datetime.now(UTC))
    counts = line.extract(video.video_id)
    assert (counts.index_frames, counts.probe_frames) == (video.index_frames, video.probe_frames)
    assert line.by_title("one").status is VideoStatus.READY


def test_a_limited_listing_takes_in_the_first_and_marks_nothing_as_gone(line: Line, folder: Path):
    line.discover(folder)
    diff = line.discover(folder, limit=1)
    assert (diff.new, diff.vanished) == ((), ())


# ---- what fails costs nothing else


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mp4", lambda one: b"", "corrupt"),
        ("text.mp4", lambda one: b"no video at all\n" * 100, "corrupt"),
        ("truncated.mp4", lambda one: one[: len(one) // 3], "corrupt"),
    ],
)
def test_a_bad_file_is_named_and_costs_no_other(line: Line, folder: Path, clips, name: str, content, reason: str):
    (folder / name).write_bytes(content(clips["one.mp4"]))
    os.utime(folder / name, (1e9, 1e9))  # long ago: nobody is writing it any more
    line.discover(folder)
    (error,) = line.extract_all()
    assert name in str(error)
    video = line.by_title(Path(name).stem)
    assert (video.status, video.reason, video.detail) == (VideoStatus.UNAVAILABLE, reason, str(error))
    assert not line.storage.exists(layout.frames(video.video_id))
    assert len(line.catalogue.videos(VideoStatus.READY)) == 2
    assert line.left_in_scratch() == []


def test_sound_only_is_no_video(line: Line, folder: Path):
    draw_video(folder / "film.mp4", duration_s=1, audio_s=1)
    import av

    with av.open(str(folder / "sound.mp4"), "w") as target, av.open(str(folder / "film.mp4")) as film:
        sound = target.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(film.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = sound
                target.mux(packet)
    line.discover(folder)
    line.extract_all()
    assert line.by_title("sound").reason == "no_video_stream"


def test_too_long_a_video_is_refused_by_the_setting_that_allows_it(line: Line, folder: Path):
    line.settings = line.settings.model_copy(update={"max_video_hours": 4 / 3600})
    line.discover(folder)
    (error,) = line.extract_all()
    assert "FRAMESEARCH_MAX_VIDEO_HOURS" in str(error)
    assert line.by_title("one").reason == "too_long"


def test_a_playlist_that_fails_is_noted_and_keeps_its_videos(line: Line, folder: Path):
    line.discover(folder)
    folder.rename(folder.with_name("moved"))
    with pytest.raises(PlaylistUnavailable):
        line.discover(folder)
    (playlist,) = line.catalogue.playlists()
    assert str(folder) in (playlist.error or "")
    assert all(video.vanished_at is None for video in line.catalogue.videos())


def test_a_full_disk_keeps_nothing_half_and_the_next_run_goes_on(line: Line, folder: Path, monkeypatch):
    line.discover(folder)
    video_id = line.by_title("one").video_id
    with monkeypatch.context() as full:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(os, "link", refuse)  # the disk is what is stood in for
        with pytest.raises(StorageFull, match="FRAMESEARCH_HOME"):
            line.extract(video_id)
    video = line.catalogue.video(video_id)
    assert (video.status, video.reason) == (VideoStatus.FAILED, "storage_full")
    assert line.storage.list(layout.FRAMES) == []
    assert line.left_in_scratch() == []
    line.extract(video_id)
    assert line.catalogue.video(video_id).status is VideoStatus.READY


# ---- trying again


def test_a_passing_failure_is_tried_again_with_growing_pauses_up_to_the_limit(line: Line, folder: Path):
    line.settings = line.settings.model_copy(update={"max_attempts": 3, "retry_after_minutes": 60})
    with LocalFeed(folder) as feed:
        feed.faults["/one.mp4"] = 503
        line.discover(feed.url)
        pauses = []
        for _ in range(3):
            before = datetime.now(UTC)
            with pytest.raises(VideoNotYet):
                line.extract(line.by_title("one").video_id)
            due = line.by_title("one").next_attempt_at
            pauses.append(None if due is None else round((due - before) / timedelta(hours=1)))
    assert pauses == [1, 2, None]
    assert line.by_title("one").attempts == 3
    assert line.by_title("one").video_id not in line.catalogue.due_videos(datetime.now(UTC) + timedelta(days=9))


def test_a_feed_is_taken_in_as_soon_as_its_server_recovers(line: Line, folder: Path):
    line.settings = line.settings.model_copy(update={"retry_after_minutes": 0})
    with LocalFeed(folder) as feed:
        feed.faults["/one.mp4"] = "drop"
        line.discover(feed.url)
        assert [error.reason for error in line.extract_all()] == ["network"]
        assert line.left_in_scratch() == []
        del feed.faults["/one.mp4"]
        assert line.extract_all() == []
    assert len(line.catalogue.videos(VideoStatus.READY)) == 2


def test_a_video_that_is_gone_is_not_tried_again(line: Line, folder: Path):
    with LocalFeed(folder) as feed:
        feed.faults["/one.mp4"] = 404
        line.discover(feed.url)
        line.extract_all()
    assert line.by_title("one").status is VideoStatus.UNAVAILABLE
    assert line.catalogue.due_videos(datetime.now(UTC) + timedelta(days=99)) == []


def test_an_upcoming_video_is_tried_when_it_begins_however_often_it_was_asked_for(line: Line, folder: Path):
    line.settings = line.settings.model_copy(update={"max_attempts": 1})
    with LocalFeed(folder) as feed:
        upcoming = ListedVideo("later", f"{feed.address}/site/watch/upcoming-1", "Later")
        line.catalogue.record_listing(PlaylistListing("a playlist", "A playlist", [upcoming]), datetime.now(UTC))
        with pytest.raises(VideoNotYet):
            line.extract("later")
    due = line.catalogue.video("later").next_attempt_at
    assert due == datetime.fromtimestamp(RELEASE, UTC)


def test_two_workers_at_the_same_video_store_it_once(line: Line, folder: Path):
    line.discover(folder)
    video_id = line.by_title("one").video_id
    workers = [threading.Thread(target=line.extract, args=(video_id,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert line.storage.list(layout.FRAMES) == [layout.frames(video_id)]
    assert line.by_title("one").status is VideoStatus.READY
