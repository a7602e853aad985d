"""Extractors that raise anything, values of any type: one member never costs the others."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import odd_values
import pytest
from generated_videos import draw_video
from local_feed import LocalFeed
from yt_dlp.utils import ExtractorError

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import PlaylistUnavailable, PlaylistUnreachable, VideoNotYet, VideoUnavailable
from framesearch.jobs.ingest import discover
from framesearch.jobs.run_all import run_line
from framesearch.records import ListedVideo, PlaylistListing
from framesearch.settings import Settings
from framesearch.sources.downloads import download
from framesearch.sources.playlists import list_playlist

HOSTILE = "a\ud800\x1b[31m\n\u202eb"  # a lone surrogate, an escape sequence, a line break, a reversal of order

ERRORS = {
    "attribute": lambda: AttributeError("'NoneType' object has no attribute 'get'"),
    "type": lambda: TypeError("unsupported operand"),
    "recursion": lambda: RecursionError("maximum recursion depth exceeded"),
    "key": lambda: KeyError("videoId"),
    "exit": lambda: SystemExit(2),
    "silent": lambda: AssertionError(),
    "hostile": lambda: ExtractorError(HOSTILE, expected=True),
}


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFeed]:
    folder = tmp_path_factory.mktemp("videos")
    draw_video(folder / "clip.mp4", duration_s=2)
    with LocalFeed(folder) as feed:
        yield feed


@pytest.fixture(autouse=True)
def errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odd_values, "ERRORS", ERRORS)
    for table in ("ENTRIES", "INFOS"):
        monkeypatch.setattr(odd_values, table, {})


def list_odd(feed: LocalFeed, settings: Settings, entries: object) -> PlaylistListing:
    odd_values.ENTRIES["list"] = entries
    return list_playlist(f"{feed.address}/odd/list/list", settings)


def entry(feed: LocalFeed, name: object, **values: object) -> dict[str, Any]:
    watch = f"{feed.address}/site/watch/ok-{name}"
    return {"_type": "url", "ie_key": "ShapeVideo", "id": f"ok-{name}", "title": "T", "url": watch} | values


def listed(listing: PlaylistListing) -> dict[str, ListedVideo]:
    """Videos by the last part of their addresses."""
    return {video.url.rpartition("-")[2]: video for video in listing.videos}


# ---- extractors that raise


@pytest.mark.parametrize("error", ERRORS)
def test_a_playlist_whose_extractor_raises_is_noted_and_the_other_is_ingested(
    feed: LocalFeed, fresh_settings: Settings, fresh_catalogue: Catalogue, error: str
):
    broken = f"{feed.address}/odd/raises/{error}"
    with pytest.raises((PlaylistUnreachable, PlaylistUnavailable)) as refused:
        discover(broken, fresh_catalogue, fresh_settings)
    assert type(ERRORS[error]()).__name__ in str(refused.value) or error in ("key", "hostile")  # yt-dlp's own words
    assert str(refused.value).isprintable()
    discover(feed.url, fresh_catalogue, fresh_settings)
    noted = {playlist.url: playlist.error for playlist in fresh_catalogue.playlists()}
    assert (broken in noted[broken], noted[feed.url]) == (True, None)
    assert [video.title for video in fresh_catalogue.videos()] == ["clip"]


def test_a_run_of_the_whole_line_goes_on_with_the_other_playlist(feed: LocalFeed, fresh_settings: Settings):
    class Unseen:
        def advance(self, note: str = "") -> None: ...

        def say(self, note: str) -> None: ...

    @contextmanager
    def step(name: str, total: int | None):
        yield Unseen()

    broken = f"{feed.address}/odd/raises/attribute"
    report = run_line([broken, feed.url], fresh_settings, step)
    assert (report.listed, report.extracted) == (1, 1)
    assert any(broken in problem and "AttributeError" in problem for problem in report.problems)


@pytest.mark.parametrize("error", ERRORS)
def test_a_video_whose_extractor_raises_is_tried_again(feed, fresh_settings: Settings, tmp_path: Path, error: str):
    url = f"{feed.address}/odd/raises/{error}"
    with pytest.raises(VideoNotYet) as refused:
        download(url, tmp_path, fresh_settings)
    assert (refused.value.reason, url in str(refused.value)) == ("unknown", True)
    assert str(refused.value).isprintable()
    assert str(refused.value).encode()


@pytest.mark.parametrize("error", ["type", "exit"])
def test_a_listing_that_breaks_off_is_a_part_of_which_nothing_vanishes(
    feed: LocalFeed, fresh_settings: Settings, fresh_catalogue: Catalogue, monkeypatch, error: str
):
    entries = [entry(feed, number) for number in range(150)]
    url = f"{feed.address}/odd/breaks/{error}"
    odd_values.ENTRIES[error] = entries
    first = discover(url, fresh_catalogue, fresh_settings)
    odd_values.ENTRIES[error] = entries[:100]
    second = discover(url, fresh_catalogue, fresh_settings)
    assert (len(first.new), second.new, second.vanished) == (150, (), ())
    (playlist,) = fresh_catalogue.playlists()
    assert playlist.error is None
    assert "breaks off after 100 entries" in playlist.note
    assert type(ERRORS[error]()).__name__ in playlist.note


def test_a_nested_playlist_that_raises_costs_only_itself(feed: LocalFeed, fresh_settings: Settings):
    tabs = [
        {"_type": "url", "ie_key": "ShapeList", "url": f"{feed.address}/site/list/2", "title": "Videos"},
        {"_type": "url", "ie_key": "ShapeList", "url": f"{feed.address}/site/list/uncounted", "title": "Shorts"},
        entry(feed, "after"),
    ]
    listing = list_odd(feed, fresh_settings, tabs)
    assert list(listed(listing)) == ["0", "1", "after"]
    assert not listing.complete
    assert "Shorts" in listing.note
    assert "TypeError" in listing.note


# ---- values of any type


def test_a_length_of_any_type_is_seconds_or_nothing(feed: LocalFeed, fresh_settings: Settings):
    lengths = [("12:34", 754.0), ("1:02:03", 3723.0), ("PT90S", 90.0), (12, 12.0), (0.5, 0.5)]
    for odd in (None, math.nan, math.inf, -1, 0, [3], {}, True, "soon", b"12", 10**400, "9" * 5000):
        lengths.append((odd, None))
    entries = [entry(feed, number, duration=length) for number, (length, _) in enumerate(lengths)]
    videos = list_odd(feed, fresh_settings, entries).videos
    assert [video.duration_s for video in videos] == [seconds for _, seconds in lengths]


def test_a_title_of_any_type_is_safe_text(feed: LocalFeed, fresh_settings: Settings):
    titles: list[tuple[object, str]] = [(7, "7"), (2.5, "2.5"), (b"caf\xc3\xa9", "café")]
    titles += [(b"\xff", "\N{REPLACEMENT CHARACTER}"), (HOSTILE, "a\N{REPLACEMENT CHARACTER}[31m b")]
    for odd in (None, {"a": 1}, ["a"], True, "", "\n\x00"):
        titles.append((odd, f"ok-{len(titles)}"))
    entries = [entry(feed, number, title=title) for number, (title, _) in enumerate(titles)]
    assert [video.title for video in list_odd(feed, fresh_settings, entries).videos] == [shown for _, shown in titles]


def test_an_id_of_any_type_is_a_safe_key_of_its_own(feed: LocalFeed, fresh_settings: Settings):
    ids = [7, b"x", None, {"a": 1}, [1], "\ud800", "../../etc", "a\nb", "", "x" * 5000, "\x00"]
    entries = [entry(feed, number, id=id_) for number, id_ in enumerate(ids)]
    videos = list_odd(feed, fresh_settings, entries).videos
    assert len(videos) == len(ids)
    assert videos == list_odd(feed, fresh_settings, entries).videos
    for video in videos:
        assert video.video_id.isascii()
        assert video.video_id.replace("-", "").replace("_", "").isalnum()
        assert len(video.video_id) < 120


def test_an_entry_that_is_no_video_is_named_and_the_others_are_listed(feed: LocalFeed, fresh_settings: Settings):
    web = f"{feed.address}/a"
    no_videos: list[tuple[object, str]] = [
        (None, "1 empty entry"),
        (7, "7"),
        ("text", "text"),
        ([1], "[1]"),
        ({"title": "no address"}, "no address"),
        ({"title": "of bytes", "url": b"http://a/b"}, "of bytes"),
        ({"title": "a file", "url": "file:///etc/passwd"}, "a file"),
        ({"title": "an ftp", "url": "ftp://127.0.0.1/a.mp4"}, "an ftp"),
        ({"title": "some data", "url": "data:video/mp4;base64,AAAA"}, "some data"),
        ({"title": "several", "url": "concat:/etc/passwd|/etc/hosts"}, "several"),
        ({"title": "a camera", "url": "rtmp://127.0.0.1/live"}, "a camera"),
        ({"title": "half", "url": "http://[::1/a.mp4"}, "half"),
        ({"title": "no text", "url": "http://127.0.0.1/\ud800"}, "no text"),
        ({"title": "smuggled", "url": f"{web}#__youtubedl_smuggle=[1"}, "smuggled"),
        ({"title": "wrong key", "_type": "url", "ie_key": "NoSuch", "url": web}, "wrong key"),
        ({"title": "key of a list", "_type": "url", "ie_key": ["a"], "url": web}, "key of a list"),
        ({"_type": "playlist", "title": "a number inside", "entries": 7}, "a number inside"),
        ({"_type": "playlist", "title": "text inside", "entries": "text"}, "text inside"),
    ]
    for odd, told in no_videos:
        listing = list_odd(feed, fresh_settings, [entry(feed, "one"), odd, entry(feed, "two")])
        assert list(listed(listing)) == ["one", "two"], told
        assert told in str(listing.note)
    together = list_odd(feed, fresh_settings, [entry(feed, "one"), *(odd for odd, _ in no_videos), entry(feed, "two")])
    assert list(listed(together)) == ["one", "two"]
    assert len(str(together.note)) < 1500


def test_an_address_is_stored_as_one_printable_line(feed: LocalFeed, fresh_settings: Settings):
    (video,) = list_odd(feed, fresh_settings, [{"id": "a", "url": f"{feed.address}/a\u202e b\x1b.mp4"}]).videos
    assert video.url.isascii()
    assert video.url.isprintable()


def test_a_playlist_without_usable_entries_is_named(feed: LocalFeed, fresh_settings: Settings):
    for entries in (None, 7, "text", {"a": 1}, b"x", [], [None]):
        with pytest.raises((PlaylistUnavailable, PlaylistUnreachable), match="/odd/list/list"):
            list_odd(feed, fresh_settings, entries)


def test_an_extractor_that_gives_no_video_is_named(feed: LocalFeed, fresh_settings: Settings, tmp_path: Path):
    for info in (None, 7, "text", [], {}, {"_type": "url"}, {"_type": ["a"]}, {"_type": "url", "url": 7}):
        odd_values.INFOS["odd"] = info
        with pytest.raises((VideoNotYet, VideoUnavailable), match="/odd/info/odd"):
            download(f"{feed.address}/odd/info/odd", tmp_path, fresh_settings)


def test_a_video_of_odd_values_is_fetched_or_refused_by_name(feed, fresh_settings: Settings, tmp_path: Path):
    clip = {"id": "odd", "title": "t", "url": f"{feed.address}/clip.mp4", "ext": "mp4"}
    odd: dict[str, list[object]] = {
        "duration": ["12:34", None, math.nan, -1, [3]],
        "title": [7, b"x", {"a": 1}, HOSTILE],
        "upload_date": [7, "soon", ["x"]],
        "timestamp": ["x", 10**400, math.nan],
        "thumbnails": [7, [7]],
        "description": [7, b"\xff"],
    }
    fetched = 0
    url = f"{feed.address}/odd/info/odd"
    for field, values in odd.items():
        for value in values:
            odd_values.INFOS["odd"] = clip | {field: value}
            try:
                file = download(url, tmp_path, fresh_settings)
                assert file.read_bytes() == (feed.folder / "clip.mp4").read_bytes()
                fetched += 1
            except VideoNotYet as refused:
                assert url in str(refused)
    assert fetched >= 10


def test_an_upcoming_video_with_an_odd_date_is_still_upcoming(feed, fresh_settings: Settings, tmp_path: Path):
    clip = {"id": "odd", "title": "t", "url": f"{feed.address}/clip.mp4", "ext": "mp4"}
    odd_values.INFOS["odd"] = clip | {"live_status": "is_upcoming", "release_timestamp": 10**30}
    with pytest.raises(VideoNotYet) as refused:
        download(f"{feed.address}/odd/info/odd", tmp_path, fresh_settings)
    assert (refused.value.reason, refused.value.retry_at) == ("upcoming", None)
