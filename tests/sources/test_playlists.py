"""Playlists through the real yt-dlp: what is listed, what is downloaded, and what every refusal means."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from generated_videos import draw_video
from local_feed import LocalFeed
from yt_dlp import YoutubeDL
from yt_dlp_plugins.extractor.shapes import RELEASE

from framesearch.errors import (
    PlaylistUnavailable,
    PlaylistUnreachable,
    StorageFull,
    VideoNotYet,
    VideoUnavailable,
)
from framesearch.settings import Settings
from framesearch.sources.addresses import normalise
from framesearch.sources.downloads import download
from framesearch.sources.playlists import list_playlist
from framesearch.sources.sites import _lists_videos


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return draw_video(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=2).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, clip: bytes) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip)
    return folder


@pytest.fixture
def feed(folder: Path):
    with LocalFeed(folder) as feed:
        yield feed


def watch(feed: LocalFeed, state: str) -> str:
    return f"{feed.address}/site/watch/{state}"


# ---- folders


def test_a_folder_lists_its_videos_by_path_and_ignores_everything_else(folder: Path, fresh_settings: Settings):
    for name in ["b/clip.mp4", "notes.txt", ".hidden.mp4", "song.mp3"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    listing = list_playlist(str(folder), fresh_settings)
    assert [Path(video.url).relative_to(folder).as_posix() for video in listing.videos] == ["b/clip.mp4", "clip.mp4"]
    assert [video.title for video in listing.videos] == ["clip", "clip"]
    assert len({video.video_id for video in listing.videos}) == 2
    assert listing.complete


@pytest.mark.parametrize("name", ["with space.mp4", 'it\'s "quoted".mp4', "ünï→码.webm", "..mp4", "a..b.MKV", "-x.mov"])
def test_any_file_name_gives_a_safe_key_and_its_own_title(folder: Path, fresh_settings: Settings, name: str):
    (folder / "clip.mp4").rename(folder / name)
    if name.startswith("."):
        with pytest.raises(PlaylistUnavailable):
            list_playlist(str(folder), fresh_settings)
        return
    (video,) = list_playlist(str(folder), fresh_settings).videos
    assert video.title == Path(name).stem
    assert video.video_id.isascii()
    assert not set(video.video_id) & set("/\\\"' .")
    assert download(video.url, folder, fresh_settings) == folder / name


def test_a_file_name_that_is_no_text_is_listed(folder: Path, fresh_settings: Settings):
    (folder / "clip.mp4").rename(folder / os.fsdecode(b"\xff\xfe.mp4"))
    (video,) = list_playlist(str(folder), fresh_settings).videos
    assert video.title.encode()


def test_a_file_keeps_its_key_whatever_else_is_listed(folder: Path, fresh_settings: Settings, clip: bytes):
    before = list_playlist(str(folder), fresh_settings).videos[0].video_id
    (folder / "a.mp4").write_bytes(clip)
    assert before in [video.video_id for video in list_playlist(str(folder), fresh_settings).videos]
    assert list_playlist(str(folder / "clip.mp4"), fresh_settings).videos[0].video_id == before


def test_a_folder_is_one_playlist_however_it_is_written(folder: Path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    written = [str(folder), f"{folder}/", "videos", "./videos/../videos", f"file://{folder}", f" {folder} "]
    assert {normalise(name) for name in written} == {str(folder)}


@pytest.mark.parametrize("url", ["https://a/list?x=1&y=2", "ytsearch5:some words"])
def test_an_address_stays_as_it_is(url: str):
    assert normalise(url) == url


def test_an_address_without_a_scheme_gets_one():
    assert normalise("www.youtube.com/@channel") == "https://www.youtube.com/@channel"


def test_missing_and_empty_folders_are_named(tmp_path: Path, fresh_settings: Settings):
    with pytest.raises(PlaylistUnavailable, match=f"{tmp_path}/gone"):
        list_playlist(str(tmp_path / "gone"), fresh_settings)
    with pytest.raises(PlaylistUnavailable, match="holds no video file"):
        list_playlist(str(tmp_path), fresh_settings)


def test_a_link_to_another_folder_is_not_followed(folder: Path, tmp_path: Path, fresh_settings: Settings, clip: bytes):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.mp4").write_bytes(clip)
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert [video.title for video in list_playlist(str(folder), fresh_settings).videos] == ["clip"]


# ---- feeds and sites


def test_a_feed_is_listed_with_titles_and_grows(feed: LocalFeed, fresh_settings: Settings, clip: bytes):
    first = list_playlist(feed.url, fresh_settings)
    assert (first.title, [video.title for video in first.videos]) == ("A feed", ["clip"])
    (feed.folder / "a new one.mp4").write_bytes(clip)
    second = list_playlist(feed.url, fresh_settings)
    assert [video.title for video in second.videos] == ["a new one", "clip"]
    assert second.videos[1].video_id == first.videos[0].video_id


def test_files_of_one_name_at_two_sites_are_two_videos(folder: Path, fresh_settings: Settings):
    with LocalFeed(folder) as one, LocalFeed(folder) as other:
        ids = {list_playlist(feed.url, fresh_settings).videos[0].video_id for feed in (one, other)}
    assert len(ids) == 2


def test_a_feed_that_names_local_files_is_not_followed(feed: LocalFeed, fresh_settings: Settings, tmp_path: Path):
    (tmp_path / "secret.mp4").write_bytes(b"x")
    hostile = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>'
        f'<item><title>a</title><enclosure url="file://{tmp_path}/secret.mp4"/></item>'
        f'<item><title>b</title><enclosure url="{tmp_path}/secret.mp4"/></item></channel></rss>'
    )
    (feed.folder / "hostile.xml").write_text(hostile)
    with pytest.raises(PlaylistUnavailable):
        list_playlist(f"{feed.address}/hostile.xml", fresh_settings)


def test_a_list_of_ten_thousand_is_read_whole(feed: LocalFeed, fresh_settings: Settings):
    listing = list_playlist(f"{feed.address}/site/list/10000", fresh_settings)
    assert len(listing.videos) == 10_000
    assert (listing.title, listing.complete) == ("List of 10000", True)
    assert listing.videos[-1].video_id == "shapevideo-ok-9999"


def test_a_limit_reads_no_further_and_says_so(feed: LocalFeed, fresh_settings: Settings):
    listing = list_playlist(f"{feed.address}/site/list/10000", fresh_settings, limit=3)
    assert (len(listing.videos), listing.complete) == (3, False)
    assert list_playlist(f"{feed.address}/site/list/3", fresh_settings, limit=3).complete


def test_the_tabs_of_a_channel_are_flattened_and_a_video_counts_once(feed: LocalFeed, fresh_settings: Settings):
    listing = list_playlist(f"{feed.address}/site/channel/4", fresh_settings)
    assert [video.title for video in listing.videos] == [f"Video {number}" for number in range(4)]


@pytest.mark.parametrize(
    "address", ["https://www.youtube.com/@channel/shorts", "https://www.youtube.com/playlist?list=PL0123456789"]
)
def test_the_tabs_of_a_real_channel_are_lists(address: str):
    with YoutubeDL({"quiet": True}) as site:
        assert _lists_videos(site, {"_type": "url", "ie_key": "YoutubeTab", "url": address})
        watch = "https://www.youtube.com/watch?v=abcdefghijk"
        assert not _lists_videos(site, {"_type": "url", "ie_key": "Youtube", "url": watch})


def test_a_single_video_is_a_playlist_of_one(feed: LocalFeed, fresh_settings: Settings):
    (video,) = list_playlist(watch(feed, "ok-1"), fresh_settings).videos
    assert (video.video_id, video.title, video.duration_s) == ("shapevideo-ok-1", "Video ok-1", 3.0)


@pytest.mark.parametrize("name", ["private", "gone", "list0"])
def test_a_playlist_that_is_private_gone_or_empty_is_unavailable(feed, fresh_settings: Settings, name: str):
    with pytest.raises(PlaylistUnavailable, match=f"/site/list/{name}"):
        list_playlist(f"{feed.address}/site/list/{name}", fresh_settings)


@pytest.mark.parametrize("status", [404, 410])
def test_a_feed_that_is_gone_is_unavailable(feed: LocalFeed, fresh_settings: Settings, status: int):
    feed.faults["/feed.xml"] = status
    with pytest.raises(PlaylistUnavailable):
        list_playlist(feed.url, fresh_settings)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_feed_that_refuses_for_now_is_unreachable(feed: LocalFeed, fresh_settings: Settings, status: int):
    feed.faults["/feed.xml"] = status
    with pytest.raises(PlaylistUnreachable):
        list_playlist(feed.url, fresh_settings)


def test_no_network_is_unreachable(folder: Path, fresh_settings: Settings):
    with LocalFeed(folder) as feed:
        url = feed.url
    with pytest.raises(PlaylistUnreachable, match="network"):
        list_playlist(url, fresh_settings)


# ---- downloads


def test_the_lowest_format_that_suffices_is_fetched_without_sound(feed, tmp_path: Path, fresh_settings: Settings, clip):
    file = download(watch(feed, "ok-1"), tmp_path, fresh_settings)
    assert file.read_bytes() == clip
    assert {url for url in feed.requests if "clip" in url or "sound" in url} == {"/clip.mp4?format=avc-360"}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("private-1", "private"),
        ("deleted-1", "deleted"),
        ("terminated-1", "deleted"),
        ("members-1", "members_only"),
        ("age-1", "age_restricted"),
        ("blocked-1", "geo_blocked"),
        ("geo-1", "geo_blocked"),
        ("long-1", "too_long"),
        ("audio-1", "no_video_stream"),
    ],
)
def test_what_stays_out_of_reach_is_unavailable(
    feed, tmp_path: Path, fresh_settings: Settings, state: str, reason: str
):
    with pytest.raises(VideoUnavailable) as refused:
        download(watch(feed, state), tmp_path, fresh_settings)
    assert refused.value.reason == reason
    assert watch(feed, state) in str(refused.value)


@pytest.mark.parametrize(("state", "reason"), [("live-1", "live"), ("robot-1", "rate_limited")])
def test_what_may_pass_is_not_yet(feed, tmp_path: Path, fresh_settings: Settings, state: str, reason: str):
    with pytest.raises(VideoNotYet) as refused:
        download(watch(feed, state), tmp_path, fresh_settings)
    assert refused.value.reason == reason


def test_an_upcoming_video_tells_when_it_begins(feed, tmp_path: Path, fresh_settings: Settings):
    with pytest.raises(VideoNotYet) as refused:
        download(watch(feed, "upcoming-1"), tmp_path, fresh_settings)
    assert (refused.value.reason, refused.value.retry_at) == ("upcoming", datetime.fromtimestamp(RELEASE, UTC))


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        (404, VideoUnavailable, "deleted"),
        (410, VideoUnavailable, "deleted"),
        (403, VideoNotYet, "network"),
        (429, VideoNotYet, "rate_limited"),
        (500, VideoNotYet, "network"),
        ("drop", VideoNotYet, "network"),
    ],
)
def test_what_a_server_answers_decides(feed, tmp_path: Path, fresh_settings: Settings, fault, error, reason: str):
    video = list_playlist(feed.url, fresh_settings).videos[0]
    feed.faults["/clip.mp4"] = fault
    with pytest.raises(error) as refused:
        download(video.url, tmp_path, fresh_settings)
    assert refused.value.reason == reason


def test_a_silent_server_is_not_waited_for_longer_than_the_setting(feed, tmp_path: Path, fresh_settings: Settings):
    video = list_playlist(feed.url, fresh_settings).videos[0]
    feed.faults["/clip.mp4"] = 3.0
    with pytest.raises(VideoNotYet) as refused:
        download(video.url, tmp_path, fresh_settings.model_copy(update={"socket_timeout_s": 0.2}))
    assert refused.value.reason == "network"


def test_a_download_is_bounded_in_size(feed, tmp_path: Path, fresh_settings: Settings):
    (feed.folder / "clip.mp4").write_bytes(b"\0" * 4_000_000)
    with pytest.raises(VideoUnavailable, match="FRAMESEARCH_MAX_DOWNLOAD_MB"):
        download(f"{feed.address}/clip.mp4", tmp_path, fresh_settings.model_copy(update={"max_download_mb": 1}))


def test_a_full_disk_is_said_as_such(feed, fresh_settings: Settings, tmp_path: Path):
    video = list_playlist(feed.url, fresh_settings).videos[0]
    (tmp_path / "video.mp4.part").symlink_to("/dev/full")  # every write to it fails for want of space
    with pytest.raises(StorageFull, match="no space left"):
        download(video.url, tmp_path, fresh_settings)


def test_a_local_file_stays_in_place_and_a_missing_one_is_named(folder: Path, fresh_settings: Settings, tmp_path: Path):
    assert download(str(folder / "clip.mp4"), tmp_path, fresh_settings) == folder / "clip.mp4"
    with pytest.raises(VideoUnavailable, match=r"gone\.mp4"):
        download(str(folder / "gone.mp4"), tmp_path, fresh_settings)
