"""Folders of strangers' files: every video is listed, no member costs the others, nothing is left out silently."""

import errno
import multiprocessing
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from generated_videos import draw_video

from framesearch.errors import PlaylistUnavailable
from framesearch.records import PlaylistListing
from framesearch.settings import Settings
from framesearch.sources import files
from framesearch.sources.addresses import file_address, local_path, normalise, readable
from framesearch.sources.file_kinds import is_video
from framesearch.sources.file_versions import file_version, served_file
from framesearch.sources.files import list_files
from framesearch.sources.playlists import list_playlist
from framesearch.video import VideoFile

NOT_TEXT = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return draw_video(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=1).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, clip: bytes) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, clip: bytes) -> Path:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.mp4").write_bytes(clip)
    return elsewhere


def listed(folder: Path, settings: Settings | None = None) -> PlaylistListing:
    return list_playlist(str(folder), settings or Settings())


def titles(listing: PlaylistListing) -> list[str]:
    return [video.title for video in listing.videos]


# ---- which files are videos


@pytest.mark.parametrize("suffix", "3g2 m2t divx dv qt rmvb mpe wtv mod tod trp dav MP4 vob insv bin whatever".split())
def test_a_video_is_listed_whatever_its_suffix(folder: Path, suffix: str) -> None:
    (folder / "clip.mp4").rename(folder / f"clip.{suffix}")
    listing = listed(folder)
    assert (titles(listing), listing.note) == (["clip"], None)


def test_a_video_is_listed_without_a_suffix_or_with_that_of_a_text(folder: Path, clip: bytes) -> None:
    (folder / "film").write_bytes(clip)
    (folder / "trailer.txt").write_bytes(clip)
    assert titles(listed(folder)) == ["clip", "film", "trailer"]


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("mp4", "mpeg4"), ("mov", "mpeg4"), ("3g2", "mpeg4"), ("ismv", "mpeg4"), ("matroska", "mpeg4")),
        *(("webm", "libvpx"), ("mpegts", "mpeg2video"), ("mpeg", "mpeg1video"), ("vob", "mpeg2video")),
        *(("avi", "mpeg4"), ("flv", "flv"), ("asf", "wmv2"), ("ogg", "libvpx"), ("ivf", "libvpx"), ("nut", "mpeg4")),
        *(("mxf", "mpeg2video"), ("gxf", "mpeg2video"), ("wtv", "mpeg2video"), ("dv", "dvvideo"), ("swf", "flv")),
        *(("mpeg1video", "mpeg1video"), ("mpeg2video", "mpeg2video"), ("m4v", "mpeg4"), ("yuv4mpegpipe", "rawvideo")),
    ],
)
def test_what_the_reader_opens_is_known_by_its_content(tmp_path: Path, container: str, codec: str) -> None:
    file = write_stream(tmp_path / "film", container, codec)
    with VideoFile(file, height=90, max_hours=1) as video:
        assert sum(1 for _ in video.frames()) > 0
    assert is_video(file.read_bytes()[:4096])


def write_stream(path: Path, container: str, codec: str) -> Path:
    import av

    with av.open(str(path), "w", format=container) as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame(720, 576, "yuv420p")
            for place, plane in enumerate(frame.planes):
                plane.update(bytes([60 + 20 * number + 7 * place]) * plane.buffer_size)
            frame.pts = number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("packet", [192, 204])
def test_a_transport_stream_with_packets_of_other_sizes_is_a_video(packet: int) -> None:
    head = b"".join(b"\0" * (packet - 188) + b"\x47" + bytes(187) for _ in range(22))
    assert is_video(head[:4096])


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"\0", b"plain text\n" * 9, b"be a free moov mdat", NOT_TEXT, b"\0" * 4096, b"PK\x03\x04" + NOT_TEXT),
        *(b"\0\0\0\x18ftypheic" + NOT_TEXT, b"\0\0\0\x18ftypM4A " + NOT_TEXT, b"RIFF\0\0\0\0WAVE" + NOT_TEXT),
        *(b"OggS\0\x02" + b"\0" * 22 + b"OpusHead" + NOT_TEXT, b"\xff\xd8\xff\xe0" + NOT_TEXT),
    ],
)
def test_what_is_no_video_is_not_taken_for_one(head: bytes) -> None:
    assert not is_video(head)


def test_what_is_passed_over_is_counted_by_kind_and_named_where_it_matters(folder: Path) -> None:
    for name in (
        "a.jpg",
        "b.PNG",
        "c.heic",
        "notes.txt",
        "readme",
        "film.srt",
        "song.mp3",
        "photos.zip",
        ".hidden.mp4",
    ):
        (folder / name).write_bytes(b"words\n")
    for name in ("film.mp4.part", "mystery.xyz"):
        (folder / name).write_bytes(NOT_TEXT)
    (folder / ".thumbnails").mkdir()
    listing = listed(folder)
    assert titles(listing) == ["clip"]
    assert listing.note == (
        "1 file that is still being downloaded: film.mp4.part; 1 file that is no known kind of video: mystery.xyz; "
        "3 pictures, 2 texts, 1 hidden folder, 1 hidden file, 1 subtitle file, 1 archive, 1 sound file"
    )


def test_what_has_no_telling_name_is_counted_by_what_it_holds(folder: Path) -> None:
    heads = {
        "photo": b"\xff\xd8\xff\xe0",
        "song.ogg": b"OggS\0\2",
        "bundle": b"PK\x03\x04",
        "words": b"",
        "dump": b"\0",
    }
    for name, head in heads.items():
        (folder / name).write_bytes(head + (NOT_TEXT if head else b"some words"))
    assert (
        listed(folder).note == "1 file that is no known kind of video: dump; 1 archive, 1 picture, 1 sound file, 1 text"
    )


def test_a_source_file_that_shares_its_suffix_with_video_is_a_text(folder: Path, clip: bytes) -> None:
    (folder / "index.ts").write_text("export const answer = 42;\n")
    (folder / "film.ts").write_bytes(NOT_TEXT)  # half a recording: it is tried again
    listing = listed(folder)
    assert (titles(listing), listing.note) == (["clip", "film"], "1 text")


def test_a_folder_without_videos_tells_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(PlaylistUnavailable, match=r"holds no video file.*1 picture"):
        listed(tmp_path)


# ---- members that can't be read


def as_nobody(task: Callable[[], Any]) -> Any:
    """What a task returns that runs without the rights of root, to whom every file is open."""
    if os.geteuid() != 0:
        return task()

    def run(sender: Any) -> None:
        os.setgid(65534)
        os.setuid(65534)
        sender.send(task())

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=run, args=(sender,))
    child.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        child.join()


@pytest.fixture
def open_folder(clip: bytes) -> Iterator[Path]:
    """A folder that everybody may reach, with one video."""
    folder = Path(tempfile.mkdtemp(prefix="framesearch-folder-"))
    folder.chmod(0o755)
    (folder / "clip.mp4").write_bytes(clip)
    (folder / "clip.mp4").chmod(0o644)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_and_a_file_that_cannot_be_read_are_named_and_cost_no_other(open_folder: Path, clip: bytes) -> None:
    closed = open_folder / "lost+found"
    closed.mkdir()
    (closed / "film.mp4").write_bytes(clip)
    closed.chmod(0o000)
    (open_folder / "private.mp4").write_bytes(clip)
    (open_folder / "private.mp4").chmod(0o000)
    try:
        found = as_nobody(lambda: list_files(open_folder, {}))
    finally:
        closed.chmod(0o755)
    assert [video.title for video in found.videos] == ["clip"]
    assert found.note == "1 folder that can't be read: lost+found; 1 file that can't be read: private.mp4"


def test_a_playlist_folder_that_cannot_be_read_is_refused_by_its_own_name(open_folder: Path) -> None:
    open_folder.chmod(0o000)

    def refusal() -> str:
        try:
            list_files(open_folder, {})
        except PlaylistUnavailable as error:
            return str(error)
        return ""

    assert as_nobody(refusal) == f"{open_folder} can't be read: {os.strerror(errno.EACCES)}"


def test_links_that_lead_nowhere_or_round_in_circles_are_named(folder: Path) -> None:
    (folder / "dangling.mp4").symlink_to(folder / "gone.mp4")
    (folder / "one.mp4").symlink_to(folder / "two.mp4")
    (folder / "two.mp4").symlink_to(folder / "one.mp4")
    (folder / "self").symlink_to(folder)
    listing = listed(folder)
    assert titles(listing) == ["clip"]
    assert listing.note == "2 circular links: one.mp4, two.mp4; 1 link that leads nowhere: dangling.mp4"


def test_pipes_sockets_and_devices_are_named_and_never_waited_for(folder: Path, monkeypatch) -> None:
    os.mkfifo(folder / "pipe.mp4")
    (folder / "zero.mp4").symlink_to("/dev/zero")
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.mp4")
        listing = list_playlist(str(folder), Settings(follow_links=True))
    assert titles(listing) == ["clip"]
    assert listing.note == "3 special files: pipe.mp4, socket.mp4, zero.mp4"


@pytest.mark.parametrize("name", ["pipe.mp4", "loop.mp4", "a\0b.mp4"])
def test_a_named_file_that_is_none_is_refused(folder: Path, name: str) -> None:
    if name.startswith("pipe"):
        os.mkfifo(folder / name)
    if name.startswith("loop"):
        (folder / name).symlink_to(folder / name)
    with pytest.raises((PlaylistUnavailable, ValueError)):
        listed(folder / name)


def test_a_file_that_is_swapped_for_a_pipe_is_not_waited_for(folder: Path) -> None:
    file = folder / "clip.mp4"
    file.unlink()
    os.mkfifo(file)
    assert served_file(file) is None
    with pytest.raises(OSError, match="not a regular file"):
        file_version(file)


# ---- names that are no text


def test_a_name_that_is_not_utf_8_is_listed_with_replacements_and_leads_back_to_its_file(folder: Path) -> None:
    raw = folder / os.fsdecode(b"caf\xe9 %41.mp4")
    (folder / "clip.mp4").rename(raw)
    (video,) = listed(folder).videos
    assert video.title == "caf� %41"
    for text in (video.video_id, video.url, video.title):
        text.encode()
    assert local_path(video.url) == raw
    assert normalise(video.url) == video.url
    assert readable(video.url) == f"{folder}/caf� %41.mp4"
    assert titles(listed(raw)) == ["caf� %41"]


def test_a_folder_whose_name_is_not_utf_8_is_a_playlist_of_its_own(tmp_path: Path, clip: bytes) -> None:
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip)
    listing = listed(folder)
    listing.url.encode()
    assert listing.title == "�t�"
    assert titles(list_playlist(listing.url, Settings())) == ["clip"]


ODD = ["file://[bad/a.mp4", "/films/\0", "x" * 5000, "~nobody-at-all/x", "file://", "\ud800/a", "https://a/\udcff", ""]


@pytest.mark.parametrize("url", ODD)
def test_no_address_is_too_odd_to_get_a_name(url: str) -> None:
    name = normalise(url)
    name.encode()
    readable(name).encode()


# ---- links out of the folder


def test_a_link_out_of_the_folder_is_refused_by_name(folder: Path, elsewhere: Path) -> None:
    (folder / "file.mp4").symlink_to(elsewhere / "secret.mp4")
    (folder / "films").symlink_to(elsewhere)
    listing = listed(folder)
    assert titles(listing) == ["clip"]
    assert listing.note == "2 links out of the folder: file.mp4, films"


def test_a_link_out_of_the_folder_is_followed_where_the_setting_allows_it(folder: Path, elsewhere: Path) -> None:
    (folder / "films").symlink_to(elsewhere)
    listing = listed(folder, Settings(follow_links=True))
    assert (titles(listing), listing.note) == (["clip", "secret"], None)
    assert listing.videos[1].url == str(elsewhere / "secret.mp4")


def test_a_link_within_the_folder_lists_its_file_once(folder: Path, clip: bytes) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "film.mp4").write_bytes(clip)
    (folder / "also.mp4").symlink_to(folder / "sub" / "film.mp4")
    (folder / "again").symlink_to(folder / "sub")
    assert [video.url for video in listed(folder).videos] == [str(folder / "clip.mp4"), str(folder / "sub/film.mp4")]


def test_a_playlist_may_itself_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert listed(tmp_path / "link") == listed(folder)


def test_a_listed_file_is_served_only_while_its_path_leads_to_no_other_place(folder: Path, elsewhere: Path) -> None:
    file = folder / "clip.mp4"
    assert served_file(file) == file
    file.unlink()
    file.symlink_to(elsewhere / "secret.mp4")
    assert served_file(file) is None
    (folder / "sub").symlink_to(elsewhere)
    assert served_file(folder / "sub" / "secret.mp4") is None


# ---- versions of files


def test_a_file_keeps_its_version_when_it_is_only_touched(folder: Path) -> None:
    file = folder / "clip.mp4"
    before = file_version(file)
    os.utime(file, (1, 1))
    after = file_version(file, before)
    assert after.content == before.content
    assert after.stamp != before.stamp


@pytest.mark.parametrize("place", [0, 50_000, 99_999])
def test_a_file_of_the_same_size_with_other_bytes_has_another_version(tmp_path: Path, place: int) -> None:
    file = tmp_path / "film.mp4"
    content = bytearray(100_000)
    file.write_bytes(content)
    before = file_version(file)
    content[place] ^= 1
    file.write_bytes(content)
    assert file_version(file).content != before.content


def test_a_file_that_grew_has_another_version(tmp_path: Path) -> None:
    file = tmp_path / "film.ts"
    file.write_bytes(b"\0" * 1000)
    before = file_version(file)
    file.write_bytes(b"\0" * 1001)
    assert file_version(file, before).content != before.content


def test_files_that_did_not_change_are_not_opened_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "film.xyz").write_bytes((folder / "clip.mp4").read_bytes())
    first = list_files(folder, {})
    known = {video.video_id: video.version for video in first.videos if video.version}

    def refuse(*_: object) -> int:
        raise AssertionError("it is opened")

    monkeypatch.setattr(os, "open", refuse)
    assert list_files(folder, known) == first


def test_a_large_folder_is_listed_in_order_and_reads_little(folder: Path, clip: bytes) -> None:
    names = [f"{number % 50:02}/{number:05}.mp4" for number in range(2000)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        os.link(folder / "clip.mp4", folder / name)
    listing = listed(folder)
    paths = [Path(video.url).relative_to(folder).as_posix() for video in listing.videos]
    assert paths == [*sorted(names), "clip.mp4"]
    assert len({video.version for video in listing.videos}) == 1


def test_the_id_of_a_file_is_what_it_was_before_files_had_versions() -> None:
    assert files.file_id(Path("/films/A film.mp4")) == "file-A_film-5a84a25c92"
    assert file_address(Path("/films/ünï.mp4")) == "/films/ünï.mp4"
