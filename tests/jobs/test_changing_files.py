"""Files that are replaced, renamed, touched, half there or still being copied: what is found is what they hold now."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from generated_videos import draw_video
from index_fixtures import Library
from ingest_line import Line
from local_feed import LocalFeed

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import VideoNotYet, VideoUnavailable
from framesearch.images.pixels import decode_jpeg
from framesearch.index.pointer import current_index_id, stored_index_ids
from framesearch.jobs import clean_storage
from framesearch.records import VideoStatus
from framesearch.search.finder import Finder
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.store.folder import FolderStorage

LONG_AGO = 1e9  # nobody writes a file any more that has this time


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Three films that look entirely different; the last one as a broadcast."""
    folder = tmp_path_factory.mktemp("films")
    names = ("first.mp4", "second.mp4", "third.ts")
    return {
        name: draw_video(folder / name, duration_s=4, seed=seed, size=(160, 90)).read_bytes()
        for seed, name in enumerate(names)
    }


@pytest.fixture
def folder(tmp_path: Path, films: dict[str, bytes]) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    put(folder / "a.mp4", films["first.mp4"])
    put(folder / "b.mp4", films["second.mp4"])
    return folder


@pytest.fixture
def line(fresh_catalogue: Catalogue, fresh_storage: FolderStorage, fresh_settings: Settings) -> Line:
    return Line(fresh_catalogue, fresh_storage, fresh_settings)


def put(file: Path, content: bytes, changed_at: float = LONG_AGO) -> None:
    file.write_bytes(content)
    os.utime(file, (changed_at, changed_at))


def ids(line: Line) -> dict[str, str]:
    return {video.title: video.video_id for video in line.catalogue.videos()}


def run(line: Line, folder: Path) -> list[Exception]:
    line.discover(folder)
    return line.extract_all()


def jpegs(line: Line, title: str) -> list[bytes]:
    return [frame.jpeg for frame in line.frames(title)]


# ---- what a file holds decides


def test_a_replaced_file_is_indexed_anew(line: Line, folder: Path, films: dict[str, bytes]) -> None:
    run(line, folder)
    before, frames_a, frames_b = ids(line), jpegs(line, "a"), jpegs(line, "b")
    put(folder / "a.mp4", films["second.mp4"], LONG_AGO + 1)
    diff = line.discover(folder)
    assert (diff.new, diff.vanished, len(diff.replaced)) == ((), (), 1)
    assert line.catalogue.due_videos(datetime.now(UTC)) == list(diff.replaced)
    assert line.extract_all() == []
    assert ids(line)["b"] == before["b"]
    assert ids(line)["a"] != before["a"]
    assert jpegs(line, "a")[0] == frames_b[0] != frames_a[0]


def test_a_replaced_file_of_the_same_size_and_age_in_seconds_is_noticed(line: Line, folder: Path) -> None:
    run(line, folder)
    file = folder / "a.mp4"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    put(file, bytes(content), LONG_AGO + 0.25)
    assert len(line.discover(folder).replaced) == 1


def test_a_touched_file_is_not_indexed_again(line: Line, folder: Path) -> None:
    run(line, folder)
    before = line.catalogue.videos()
    for file in folder.iterdir():
        file.touch()
    diff = line.discover(folder)
    assert diff == type(diff)((), (), ())
    assert line.catalogue.due_videos(datetime.now(UTC)) == []
    assert [video.video_id for video in line.catalogue.videos()] == [video.video_id for video in before]


def test_a_renamed_file_keeps_its_frames_under_its_new_name(line: Line, folder: Path) -> None:
    run(line, folder)
    before = ids(line)
    (folder / "sub").mkdir()
    (folder / "a.mp4").rename(folder / "sub" / "renamed.mp4")
    diff = line.discover(folder)
    assert (diff.new, diff.vanished, diff.moved) == ((), (), (before["a"],))
    assert line.by_title("renamed").video_id == before["a"]
    assert line.by_title("renamed").url == str(folder / "sub" / "renamed.mp4")
    assert line.catalogue.due_videos(datetime.now(UTC)) == []
    assert line.discover(folder).moved == ()


def test_recordings_that_rotate_are_renamed_and_only_the_newest_is_indexed(
    line: Line, folder: Path, films: dict[str, bytes]
) -> None:
    run(line, folder)
    before = ids(line)
    (folder / "b.mp4").rename(folder / "c.mp4")
    (folder / "a.mp4").rename(folder / "b.mp4")
    put(folder / "a.mp4", films["third.ts"])
    diff = line.discover(folder)
    assert ids(line) == {"b": before["a"], "c": before["b"], "a": diff.replaced[0]}
    assert line.catalogue.due_videos(datetime.now(UTC)) == list(diff.replaced)
    assert line.extract_all() == []


def test_files_that_swap_names_are_not_indexed_again(line: Line, folder: Path) -> None:
    run(line, folder)
    before = ids(line)
    (folder / "a.mp4").rename(folder / "c")
    (folder / "b.mp4").rename(folder / "a.mp4")
    (folder / "c").rename(folder / "b.mp4")
    line.discover(folder)
    assert ids(line) == {"a": before["b"], "b": before["a"]}
    assert line.catalogue.due_videos(datetime.now(UTC)) == []


def test_a_copy_is_a_video_of_its_own(line: Line, folder: Path) -> None:
    run(line, folder)
    put(folder / "copy.mp4", (folder / "a.mp4").read_bytes())
    diff = line.discover(folder)
    assert (len(diff.new), diff.moved) == (1, ())


# ---- files that are not yet, or not all, there


def test_a_file_that_is_still_being_copied_is_tried_again_on_the_next_run(
    line: Line, folder: Path, films: dict[str, bytes]
) -> None:
    half = films["first.mp4"][: len(films["first.mp4"]) // 2]
    (folder / "copied.mp4").write_bytes(half)
    (error,) = run(line, folder)
    assert "copied.mp4" in str(error)
    assert isinstance(error, VideoNotYet)
    assert line.by_title("copied").reason == "unfinished"
    assert line.by_title("copied").video_id in line.catalogue.due_videos(datetime.now(UTC))
    assert isinstance(run(line, folder)[0], VideoNotYet)  # however often
    (folder / "copied.mp4").write_bytes(films["first.mp4"])
    assert run(line, folder) == []
    assert len(line.catalogue.videos(VideoStatus.READY)) == 3


def test_half_of_a_broadcast_becomes_a_whole_one(line: Line, folder: Path, films: dict[str, bytes]) -> None:
    put(folder / "copied.ts", films["third.ts"][: 188 * (len(films["third.ts"]) // 376)])
    assert run(line, folder) == []
    half = line.by_title("copied")
    put(folder / "copied.ts", films["third.ts"])
    assert run(line, folder) == []
    whole = line.by_title("copied")
    assert half.status is whole.status is VideoStatus.READY
    assert whole.duration_s == pytest.approx(4, abs=0.1)
    assert (half.duration_s or 0) < 3.5
    assert whole.index_frames > half.index_frames


def test_an_old_file_that_cannot_be_read_is_refused_until_it_changes(
    line: Line, folder: Path, films: dict[str, bytes]
) -> None:
    put(folder / "bad.mp4", b"no video at all" * 99)
    assert isinstance(run(line, folder)[0], VideoUnavailable)
    assert line.by_title("bad").status is VideoStatus.UNAVAILABLE
    assert run(line, folder) == []
    put(folder / "bad.mp4", films["first.mp4"], LONG_AGO + 1)
    assert run(line, folder) == []
    assert line.by_title("bad").status is VideoStatus.READY


def test_a_file_that_changed_since_it_was_listed_is_left_to_the_next_run(
    line: Line, folder: Path, films: dict[str, bytes]
) -> None:
    line.discover(folder)
    put(folder / "a.mp4", films["third.ts"], LONG_AGO + 1)
    (error,) = line.extract_all()
    assert "changed since its folder was listed" in str(error)
    assert line.catalogue.videos(VideoStatus.READY) == [line.by_title("b")]
    assert run(line, folder) == []
    assert len(line.catalogue.videos(VideoStatus.READY)) == 2


class Interrupted(FolderStorage):
    """A storage in which something happens just before frames are stored."""

    def create(self, path: str, source: Path) -> bool:
        self.meanwhile()
        return super().create(path, source)


def test_a_file_that_is_replaced_while_its_frames_are_stored_leaves_none_of_them(
    line: Line, folder: Path, films: dict[str, bytes]
) -> None:
    line.discover(folder)
    old = line.by_title("a").video_id
    line.storage = Interrupted(line.settings.home, line.settings.scratch)

    def meanwhile() -> None:
        put(folder / "a.mp4", films["third.ts"], LONG_AGO + 1)
        line.discover(folder)

    line.storage.meanwhile = meanwhile
    with pytest.raises(VideoNotYet, match="was replaced"):
        line.extract(old)
    assert line.storage.list(layout.FRAMES) == []
    line.storage = FolderStorage(line.settings.home, line.settings.scratch)
    assert line.extract_all() == []
    assert line.by_title("a").status is VideoStatus.READY


@pytest.mark.parametrize("swapped_for", ["pipe", "link", "nothing"])
def test_what_takes_the_place_of_a_listed_file_is_neither_waited_for_nor_followed(
    line: Line, folder: Path, tmp_path: Path, films: dict[str, bytes], swapped_for: str
) -> None:
    line.discover(folder)
    (folder / "a.mp4").unlink()
    if swapped_for == "pipe":
        os.mkfifo(folder / "a.mp4")
    if swapped_for == "link":
        put(tmp_path / "secret.mp4", films["first.mp4"])
        (folder / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    (error,) = line.extract_all()
    assert "a.mp4" in str(error)
    assert not line.storage.exists(layout.frames(line.by_title("a").video_id))
    (folder / "a.mp4").unlink(missing_ok=True)
    put(folder / "a.mp4", films["first.mp4"])
    assert run(line, folder) == []


def test_a_file_whose_name_is_no_text_is_indexed_beside_a_fine_one(line: Line, folder: Path) -> None:
    below = folder / os.fsdecode(b"\xe9t\xe9")
    below.mkdir()
    (folder / "a.mp4").rename(below / os.fsdecode(b"caf\xe9 %41?#.mp4"))
    assert run(line, folder) == []
    assert [video.title for video in line.catalogue.videos(VideoStatus.READY)] == ["b", "caf\ufffd %41?#"]
    assert line.frames("caf\ufffd %41?#")
    assert line.discover(folder).new == ()


# ---- whole or partial


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The first third of a film that states its length."""
    film = draw_video(tmp_path_factory.mktemp("film") / "film.mkv", duration_s=24, fps=5, size=(160, 90))
    return film.read_bytes()[: film.stat().st_size // 3]


def test_a_file_that_ends_early_is_indexed_as_far_as_it_goes_and_says_so(
    line: Line, folder: Path, cut_short: bytes
) -> None:
    put(folder / "crashed.mkv", cut_short)
    assert run(line, folder) == []
    video = line.by_title("crashed")
    assert (video.status, video.reason) == (VideoStatus.READY, None)
    assert "of 24" in (video.detail or "")
    assert 3 < (video.duration_s or 0) < 12
    assert line.frames("crashed")[-1].timestamp_s > 3
    assert line.by_title("a").detail is None


def test_what_is_missing_is_still_known_after_a_crash_before_the_catalogue_was_told(
    line: Line, folder: Path, cut_short: bytes
) -> None:
    put(folder / "crashed.mkv", cut_short)
    run(line, folder)
    before = line.by_title("crashed")
    line.catalogue.mark_failed(before.video_id, "unknown", "killed", datetime.now(UTC), datetime.now(UTC))
    line.extract(before.video_id)
    after = line.by_title("crashed")
    assert (after.status, after.detail, after.duration_s) == (before.status, before.detail, before.duration_s)


def test_a_partial_file_that_is_completed_is_whole(line: Line, folder: Path, cut_short: bytes, tmp_path: Path) -> None:
    put(folder / "crashed.mkv", cut_short)
    run(line, folder)
    whole = draw_video(tmp_path / "whole.mkv", duration_s=24, fps=5, size=(160, 90))
    put(folder / "crashed.mkv", whole.read_bytes(), LONG_AGO + 1)
    assert run(line, folder) == []
    assert line.by_title("crashed").detail is None
    assert line.by_title("crashed").duration_s == pytest.approx(24, abs=0.3)


def test_a_download_that_comes_incomplete_is_fetched_once_more_then_taken_as_it_is(
    line: Line, folder: Path, cut_short: bytes
) -> None:
    line.settings = line.settings.model_copy(update={"retry_after_minutes": 0})
    put(folder / "crashed.mkv", cut_short)
    with LocalFeed(folder) as feed:
        line.discover(feed.url)
        (error,) = line.extract_all()
        assert "of 24" in str(error)
        assert isinstance(error, VideoNotYet)
        assert line.by_title("crashed").status is VideoStatus.FAILED
        assert line.extract_all() == []
    assert line.by_title("crashed").status is VideoStatus.READY
    assert "of 24" in (line.by_title("crashed").detail or "")


def test_a_download_that_is_whole_the_second_time_is_whole(
    line: Line, folder: Path, cut_short: bytes, tmp_path: Path
) -> None:
    line.settings = line.settings.model_copy(update={"retry_after_minutes": 0})
    put(folder / "film.mkv", cut_short)
    with LocalFeed(folder) as feed:
        line.discover(feed.url)
        assert len(line.extract_all()) == 1
        whole = draw_video(tmp_path / "whole.mkv", duration_s=24, fps=5, size=(160, 90))
        put(folder / "film.mkv", whole.read_bytes())
        assert line.extract_all() == []
    assert line.by_title("film").detail is None


# ---- whatever goes wrong is the member's alone


def test_an_error_that_nobody_foresaw_is_noted_with_the_playlist(line: Line, folder: Path) -> None:
    with pytest.raises(ValueError, match="null"):
        line.discover("/films/\0")
    line.discover(folder)
    broken, fine = line.catalogue.playlists()
    assert "could not be listed: ValueError" in (broken.error or "")
    assert (fine.error, fine.videos) == (None, 2)


def test_an_error_that_nobody_foresaw_is_noted_with_the_video(line: Line, folder: Path) -> None:
    line.discover(folder)
    line.storage = Interrupted(line.settings.home, line.settings.scratch)
    wrong = iter([RuntimeError("unheard of \x1b[31m"), None])

    def meanwhile() -> None:
        if error := next(wrong):
            raise error

    line.storage.meanwhile = meanwhile
    with pytest.raises(RuntimeError):
        line.extract(line.by_title("a").video_id)
    assert line.extract_all() == []
    video = line.by_title("a")
    assert (video.status, video.reason) == (VideoStatus.FAILED, "unknown")
    assert video.detail == "RuntimeError: unheard of [31m"
    assert video.attempts == 1
    assert line.by_title("b").status is VideoStatus.READY


# ---- nothing of a replaced film is left


def objects_of(library: Library, video_id: str) -> list[str]:
    return [
        path
        for prefix in (layout.FRAMES, layout.FEATURES, layout.EMBEDDINGS)
        for path in library.storage.list(prefix)
        if layout.video_id_of(path) == video_id
    ]


def test_a_replaced_film_leaves_the_index_first_then_the_storage(
    library: Library, folder: Path, films: dict[str, bytes]
) -> None:
    line = Line(library.catalogue, library.storage, library.settings)
    run(line, folder)
    first = library.publish()
    old, jpeg = line.by_title("a").video_id, jpegs(line, "a")[2]
    assert old in library.videos_of(first.index_id)

    put(folder / "a.mp4", films["third.ts"], LONG_AGO + 1)
    assert run(line, folder) == []
    clean_storage.clean(library.storage, library.catalogue, library.settings)
    assert len(objects_of(library, old)) == 3  # the published index still shows them
    finder = Finder(library.settings)
    answer = finder.search(decode_jpeg(jpeg))
    assert answer.matches[0].video_id == old
    assert finder.thumbnail(answer.matches[0])

    second = library.publish()
    assert sorted(library.videos_of(second.index_id)) == sorted(video.video_id for video in library.catalogue.videos())
    deleted = clean_storage.clean(library.storage, library.catalogue, library.settings)
    assert objects_of(library, old) == []
    assert layout.bundle(first.index_id) in deleted  # a roll-back to it would show what is gone
    assert stored_index_ids(library.storage) == [second.index_id]
    finder.refresh()
    assert old not in {match.video_id for match in finder.search(decode_jpeg(jpeg)).matches}
    assert clean_storage.clean(library.storage, library.catalogue, library.settings) == []
    assert library.build().index_id == second.index_id  # there is nothing to be done


def test_a_film_that_was_replaced_by_what_cannot_be_read_leaves_the_index_all_the_same(
    library: Library, folder: Path
) -> None:
    line = Line(library.catalogue, library.storage, library.settings)
    run(line, folder)
    library.publish()
    old = line.by_title("a").video_id
    put(folder / "a.mp4", b"no video at all" * 99, LONG_AGO + 1)
    assert len(run(line, folder)) == 1
    assert old not in library.videos_of(library.publish().index_id)
    clean_storage.clean(library.storage, library.catalogue, library.settings)
    assert objects_of(library, old) == []


def test_frames_of_a_replaced_film_that_was_never_indexed_are_deleted(
    library: Library, folder: Path, films: dict[str, bytes]
) -> None:
    library.publish()
    line = Line(library.catalogue, library.storage, library.settings)
    run(line, folder)
    old = line.by_title("a").video_id
    put(folder / "a.mp4", films["third.ts"], LONG_AGO + 1)
    line.discover(folder)
    assert clean_storage.clean(library.storage, library.catalogue, library.settings) == [layout.frames(old)]


def test_a_renamed_film_keeps_its_rows_and_is_shown_under_its_new_name(library: Library, folder: Path) -> None:
    line = Line(library.catalogue, library.storage, library.settings)
    run(line, folder)
    library.publish()
    (folder / "a.mp4").rename(folder / "renamed.mp4")
    run(line, folder)
    library.publish()
    video = Finder(library.settings).video(line.by_title("renamed").video_id)
    assert video == replace(video, title="renamed", url=str(folder / "renamed.mp4"))


def test_what_can_still_be_rolled_back_to_stays(library: Library, folder: Path) -> None:
    line = Line(library.catalogue, library.storage, library.settings)
    first = library.publish()
    run(line, folder)
    second = library.publish()
    clean_storage.clean(library.storage, library.catalogue, library.settings)
    assert stored_index_ids(library.storage) == [first.index_id, second.index_id]
    assert current_index_id(library.storage)[0] == second.index_id
