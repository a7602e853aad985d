"""Servers that never end, lie or lead elsewhere: everything ends, and nothing is asked where it does not belong."""

import gzip
import itertools
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

import odd_values
import pytest
from generated_videos import draw_video
from hostile_server import Client, HostileServer

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import PlaylistUnavailable, PlaylistUnreachable, VideoNotYet, VideoUnavailable
from framesearch.jobs.ingest import discover, extract_video
from framesearch.records import VideoStatus
from framesearch.settings import Settings
from framesearch.sources.downloads import download
from framesearch.sources.playlists import list_playlist
from framesearch.store.folder import FolderStorage


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return draw_video(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=2).read_bytes()


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture
def elsewhere(clip: bytes) -> Iterator[HostileServer]:
    """Another service of this machine, which nobody may be led to."""
    with HostileServer() as server:
        for path in ("/secret.mp4", "/secret.ts", "/key", "/feed.xml"):
            server.answers[path] = lambda client: client.answer(clip, "video/mp4")
        yield server


@pytest.fixture
def impatient(fresh_settings: Settings) -> Settings:
    """Settings under which a body must come at 10 kB/s over .9 s, and everything within two seconds."""
    return fresh_settings.model_copy(
        update={"socket_timeout_s": 0.3, "download_minutes": 2 / 60, "listing_minutes": 2 / 60}
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _refused() -> AbstractContextManager[None]:
    return suppress(VideoNotYet, VideoUnavailable)


# ---- downloads have an end


def drip_body(client: Client) -> None:
    client.head(Content_Type="video/mp4", Content_Length=10_000_000)
    client.drip()


def drip_unmeasured(client: Client) -> None:
    client.head(Content_Type="video/mp4")
    client.drip()


def drip_chunks(client: Client) -> None:
    client.head(Content_Type="video/mp4", Transfer_Encoding="chunked")
    client.drip(b"1\r\nx\r\n")


@pytest.mark.parametrize("body", [drip_body, drip_unmeasured, drip_chunks])
def test_a_body_that_drips_is_given_up_for_now(server, impatient: Settings, tmp_path: Path, body):
    server.answers["/a.mp4"] = body
    settings = impatient.model_copy(update={"download_minutes": 10.0})
    with pytest.raises(VideoNotYet, match="FRAMESEARCH_MIN_DOWNLOAD_KB_PER_S") as refused:
        download(f"{server.address}/a.mp4", tmp_path, settings)
    assert refused.value.reason == "network"
    assert "kB a second" in str(refused.value)


def drip_headers(client: Client) -> None:
    client.send(b"HTTP/1.1 200 OK\r\n")
    client.drip(b"X")


def drip_many_headers(client: Client) -> None:
    client.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    client.drip(b"X" * 50)


def send_just_fast_enough(client: Client) -> None:
    client.head(Content_Type="video/mp4", Content_Length=10_000_000)
    client.drip(b"x" * 20_000)


@pytest.mark.parametrize("answer", [drip_headers, drip_many_headers, send_just_fast_enough])
def test_a_download_that_takes_too_long_is_given_up_for_now(server, impatient: Settings, tmp_path: Path, answer):
    server.answers["/a.mp4"] = answer
    with pytest.raises(VideoNotYet, match="FRAMESEARCH_DOWNLOAD_MINUTES") as refused:
        download(f"{server.address}/a.mp4", tmp_path, impatient)
    assert refused.value.reason == "network"


def say_nothing(connection: socket.socket) -> None:
    time.sleep(5)


def drip_handshake(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x03\x3f\xff")  # a TLS record of 16 kB
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.05)


@pytest.mark.parametrize("handshake", [say_nothing, drip_handshake])
@pytest.mark.parametrize("use", ["list", "download"])
def test_a_handshake_that_never_ends_is_given_up(server, impatient: Settings, tmp_path: Path, handshake, use: str):
    server.on_connect = handshake
    url = f"https://127.0.0.1:{server.port}/a.mp4"
    with pytest.raises((VideoNotYet, PlaylistUnreachable), match="network"):
        if use == "list":
            list_playlist(url, impatient)
        else:
            download(url, tmp_path, impatient)


def test_the_time_of_a_download_grows_with_the_videos_length(server, fresh_settings, tmp_path: Path, clip: bytes):
    def for_five_seconds(client: Client) -> None:
        client.head(Content_Type="video/mp4", Content_Length=len(clip))
        step = len(clip) // 50 + 1
        for start in range(0, len(clip), step):
            client.send(clip[start : start + step])
            time.sleep(0.1)

    server.answers["/clip.mp4"] = for_five_seconds
    settings = fresh_settings.model_copy(update={"download_minutes": 3 / 60, "min_download_kb_per_s": 0.0})
    with pytest.raises(VideoNotYet, match="FRAMESEARCH_DOWNLOAD_MINUTES"):
        download(f"{server.address}/clip.mp4", tmp_path, settings)
    url = f"{server.address}/clip.mp4"
    odd_values.INFOS["tells"] = {"id": "tells", "title": "t", "url": url, "ext": "mp4", "duration": 60}
    assert download(f"{server.address}/odd/info/tells", tmp_path, settings).read_bytes() == clip


def endless(client: Client) -> None:
    client.head(Content_Type="video/mp4")
    while True:
        client.send(b"\0" * 65536)


def endless_chunks(client: Client) -> None:
    client.head(Content_Type="video/mp4", Transfer_Encoding="chunked")
    while True:
        client.send(b"10000\r\n" + b"\0" * 65536 + b"\r\n")


def lying(client: Client) -> None:
    client.head(Content_Type="video/mp4", Content_Encoding="gzip", Content_Length=1000)
    endless(client)


def bomb(client: Client) -> None:
    client.head(Content_Type="video/mp4", Content_Encoding="gzip")
    client.send(gzip.compress(bytes(20_000_000)) * 10)


@pytest.mark.parametrize("answer", [endless, endless_chunks, bomb])
def test_an_endless_download_is_bounded_in_size(server, fresh_settings: Settings, tmp_path: Path, answer):
    server.answers["/a.mp4"] = answer
    settings = fresh_settings.model_copy(update={"max_download_mb": 1})
    with pytest.raises(VideoUnavailable, match="FRAMESEARCH_MAX_DOWNLOAD_MB"):
        download(f"{server.address}/a.mp4", tmp_path, settings)
    assert sum(file.stat().st_size for file in tmp_path.glob("video*")) < 6_000_000


def test_what_lies_about_its_length_ends(server, impatient: Settings, tmp_path: Path):
    server.answers["/a.mp4"] = lying
    with pytest.raises((VideoNotYet, VideoUnavailable)):
        download(f"{server.address}/a.mp4", tmp_path, impatient.model_copy(update={"max_download_mb": 1}))


def test_redirects_in_a_circle_end(server, fresh_settings: Settings, tmp_path: Path):
    server.answers["/a.mp4"] = lambda client: client.redirect(f"{server.address}/b.mp4")
    server.answers["/b.mp4"] = lambda client: client.redirect(f"{server.address}/a.mp4")
    with pytest.raises(VideoNotYet, match="redirect"):
        download(f"{server.address}/a.mp4", tmp_path, fresh_settings)
    with pytest.raises(PlaylistUnreachable, match="redirect"):
        list_playlist(f"{server.address}/a.mp4", fresh_settings)
    assert len(server.requests) < 100


def test_the_body_of_a_redirect_is_not_read(server, fresh_settings: Settings, tmp_path: Path, clip: bytes):
    def lead_on(client: Client) -> None:
        client.head("302 Found", Location=f"{server.address}/clip.mp4")
        client.drip(b"\0" * 65536, pause_s=0)

    server.answers["/a.mp4"] = lead_on
    server.answers["/clip.mp4"] = lambda client: client.answer(clip, "video/mp4")
    assert download(f"{server.address}/a.mp4", tmp_path, fresh_settings).read_bytes() == clip


def test_what_an_earlier_attempt_left_is_fetched_anew(server, fresh_settings, tmp_path: Path, clip: bytes):
    def half(client: Client) -> None:  # without saying how long it is
        client.head(Content_Type="video/mp4")
        client.send(clip[: len(clip) // 2])

    server.answers["/a.mp4"] = half
    assert download(f"{server.address}/a.mp4", tmp_path, fresh_settings).read_bytes() == clip[: len(clip) // 2]
    (tmp_path / "video.mp4.part").write_bytes(b"left over")
    server.answers["/a.mp4"] = lambda client: client.answer(clip, "video/mp4")
    assert download(f"{server.address}/a.mp4", tmp_path, fresh_settings).read_bytes() == clip
    assert "range:" not in "".join(client.headers for client in server.clients[-2:]).lower()


# ---- listings have an end


def endless_feed(client: Client) -> None:
    client.head(Content_Type="application/rss+xml")
    client.send(b'<?xml version="1.0"?><rss version="2.0"><channel><title>Endless</title>')
    for number in itertools.count():
        item = f'<item><title>{number}</title><enclosure url="http://films.example.com/{number}.mp4"/></item>'
        client.send(item.encode() * 500)


def bomb_feed(client: Client) -> None:
    client.head(Content_Type="application/rss+xml", Content_Encoding="gzip")
    packed = zlib.compressobj(wbits=31)
    start = packed.compress(b'<?xml version="1.0"?><rss version="2.0"><channel><title>')
    client.send(start + b"".join(packed.compress(b" " * 1_000_000) for _ in range(300)) + packed.flush())


@pytest.mark.parametrize("feed", [endless_feed, bomb_feed])
def test_an_endless_feed_is_refused_and_takes_little_memory(server, fresh_settings: Settings, feed):
    server.answers["/feed.xml"] = feed
    list_playlist(server.feed(f"{server.address}/a.mp4"), fresh_settings)  # imports and caches are not the feed's
    server.answers["/feed.xml"] = feed
    tracemalloc.start()
    try:
        with pytest.raises(PlaylistUnavailable, match="FRAMESEARCH_MAX_FEED_MB"):
            list_playlist(f"{server.address}/feed.xml", fresh_settings.model_copy(update={"max_feed_mb": 2.0}))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_a_feed_that_drips_is_given_up_for_now(server, impatient: Settings):
    def drip(client: Client) -> None:
        client.head(Content_Type="application/rss+xml")
        client.drip(b'<?xml version="1.0"?>')

    server.answers["/feed.xml"] = drip
    with pytest.raises(PlaylistUnreachable, match=r"FRAMESEARCH_(MIN_DOWNLOAD|LISTING)"):
        list_playlist(f"{server.address}/feed.xml", impatient)


def test_of_an_endless_list_a_bounded_part_is_read(server, fresh_settings: Settings):
    settings = fresh_settings.model_copy(update={"max_playlist_videos": 250})
    listing = list_playlist(f"{server.address}/odd/endless/full", settings)
    assert (len(listing.videos), listing.complete) == (250, False)
    assert "FRAMESEARCH_MAX_PLAYLIST_VIDEOS" in listing.note


def test_endless_pages_without_a_video_end(server, impatient: Settings):
    server.answers["/page"] = lambda client: client.answer(b"nothing", "text/html")
    with pytest.raises(PlaylistUnreachable, match="FRAMESEARCH_LISTING_MINUTES"):
        list_playlist(f"{server.address}/odd/endless/empty", impatient)


# ---- nowhere they don't belong


def test_a_redirect_to_another_service_is_refused_by_name(server, elsewhere, fresh_settings, tmp_path: Path):
    target = f"{elsewhere.address}/secret.mp4"
    server.answers["/a.mp4"] = lambda client: client.redirect(target)
    with pytest.raises(VideoUnavailable, match=target) as refused:
        download(f"{server.address}/a.mp4", tmp_path, fresh_settings)
    assert refused.value.reason == "forbidden"
    assert (server.requests, elsewhere.requests) == (["/a.mp4"], [])


def test_a_playlist_that_leads_to_another_service_is_refused(server, elsewhere, fresh_settings: Settings):
    server.answers["/feed.xml"] = lambda client: client.redirect(f"{elsewhere.address}/feed.xml")
    with pytest.raises(PlaylistUnavailable, match=f"{elsewhere.address}.*FRAMESEARCH_PRIVATE_HOSTS"):
        list_playlist(f"{server.address}/feed.xml", fresh_settings)
    assert elsewhere.requests == []


def test_a_feeds_enclosures_elsewhere_are_refused_once_each_and_the_others_ingested(
    server: HostileServer,
    elsewhere: HostileServer,
    fresh_settings: Settings,
    fresh_catalogue: Catalogue,
    fresh_storage: FolderStorage,
    clip: bytes,
):
    server.answers["/clip.mp4"] = lambda client: client.answer(clip, "video/mp4")
    server.answers["/a.mp4"] = lambda client: client.redirect(f"{elsewhere.address}/secret.mp4")
    hosts = (
        "169.254.169.254",
        "localhost",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "10.0.0.1",
    )
    bad = [f"{elsewhere.address}/secret.mp4", f"{server.address}/a.mp4"]
    bad += [f"http://{host}:{elsewhere.port}/secret.mp4" for host in hosts]
    discover(server.feed(f"{server.address}/clip.mp4", *bad), fresh_catalogue, fresh_settings)
    for video_id in (due := fresh_catalogue.due_videos(_now())):
        with _refused():
            extract_video(video_id, fresh_catalogue, fresh_storage, fresh_settings)
    videos = fresh_catalogue.videos()
    assert len(due) == len(videos) == len(bad) + 1
    assert [video.title for video in videos if video.status is VideoStatus.READY] == ["film 0"]
    refused = [video for video in videos if video.status is VideoStatus.UNAVAILABLE]
    assert {video.reason for video in refused} == {"forbidden"}
    assert len(refused) == len(bad)
    assert all(video.url in video.detail for video in refused)
    assert fresh_catalogue.due_videos(_now()) == []
    assert elsewhere.requests == []


def test_what_several_playlists_list_is_fetched_where_one_of_them_lies(
    server, elsewhere, fresh_settings, tmp_path, clip
):
    public, own = "https://films.example.com/feed.xml", f"{elsewhere.address}/feed.xml"
    url = f"{elsewhere.address}/secret.mp4"
    assert download(url, tmp_path, fresh_settings, playlists=[public, own]).read_bytes() == clip
    with pytest.raises(VideoUnavailable):
        download(url, tmp_path, fresh_settings, playlists=[public])
    with pytest.raises(VideoUnavailable):
        download(url, tmp_path, fresh_settings, playlists=[])
    opened = fresh_settings.model_copy(update={"private_hosts": (f"127.0.0.1:{elsewhere.port}",)})
    assert download(url, tmp_path, opened, playlists=[public]).read_bytes() == clip


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "data:video/mp4;base64,AAAA", "rtmp://127.0.0.1/a", "x:y"]
)
def test_a_redirect_to_another_scheme_is_refused(server, fresh_settings: Settings, tmp_path: Path, target: str):
    server.answers["/a.mp4"] = lambda client: client.redirect(target)
    with pytest.raises(VideoUnavailable) as refused:
        download(f"{server.address}/a.mp4", tmp_path, fresh_settings)
    assert refused.value.reason == "forbidden"
    assert target[:20] in str(refused.value)


def manifest(*lines: str) -> bytes:
    ends = ["#EXTINF:2,", "{segment}", "#EXT-X-ENDLIST"]
    return "\n".join(["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2", *lines, *ends, ""]).encode()


MANIFESTS = {
    "segment": manifest("#EXTINF:2,", "/fine.ts").replace(b"{segment}", b"{elsewhere}/secret.ts"),
    "relative scheme": manifest().replace(b"{segment}", b"//{host}/secret.ts"),
    "file": manifest().replace(b"{segment}", b"file:///etc/passwd"),
    "concat": manifest().replace(b"{segment}", b"concat:/etc/passwd"),
    "redirected segment": manifest().replace(b"{segment}", b"/leads-away.ts"),
    "key": manifest('#EXT-X-KEY:METHOD=AES-128,URI="{elsewhere}/key"').replace(b"{segment}", b"/fine.ts"),
    "key file": manifest('#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"').replace(b"{segment}", b"/fine.ts"),
    "map": manifest('#EXT-X-MAP:URI="{elsewhere}/secret.mp4"').replace(b"{segment}", b"/fine.ts"),
    "variant": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=640x360\n{elsewhere}/secret.ts\n",
}


@pytest.fixture
def called_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that yt-dlp would leave downloads to, on the path: each writes its name into this file."""
    called, programs = tmp_path / "called", tmp_path / "bin"
    programs.mkdir()
    for name in ("ffmpeg", "ffprobe", "avconv", "rtmpdump", "aria2c", "curl", "wget", "mplayer"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {called}\necho ffmpeg version 7.1\n')
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return called


@pytest.mark.parametrize("part", MANIFESTS)
def test_what_a_stream_is_made_of_is_refused_elsewhere(
    server, elsewhere, fresh_settings: Settings, tmp_path: Path, called_programs: Path, clip: bytes, part: str
):
    body = MANIFESTS[part].replace(b"{elsewhere}", elsewhere.address.encode())
    body = body.replace(b"{host}", elsewhere.address.removeprefix("http://").encode())
    server.answers["/a.m3u8"] = lambda client: client.answer(body, "application/vnd.apple.mpegurl")
    server.answers["/fine.ts"] = lambda client: client.answer(clip[:1600], "video/mp2t")
    server.answers["/leads-away.ts"] = lambda client: client.redirect(f"{elsewhere.address}/secret.ts")
    with pytest.raises(VideoUnavailable) as refused:
        download(f"{server.address}/a.m3u8", tmp_path, fresh_settings)
    assert refused.value.reason == "forbidden", str(refused.value)
    assert elsewhere.requests == []
    assert not called_programs.exists()
    assert not list(tmp_path.glob("video.mp4"))


def test_a_stream_whose_parts_are_in_place_is_fetched(server, fresh_settings: Settings, tmp_path: Path, clip: bytes):
    body = manifest('#EXT-X-MAP:URI="/start"').replace(b"{segment}", b"/rest")
    server.answers["/a.m3u8"] = lambda client: client.answer(body, "application/vnd.apple.mpegurl")
    server.answers["/start"] = lambda client: client.answer(clip[:5000])
    server.answers["/rest"] = lambda client: client.answer(clip[5000:])
    assert download(f"{server.address}/a.m3u8", tmp_path, fresh_settings).read_bytes() == clip


def test_dash_segments_elsewhere_are_refused(server, elsewhere, fresh_settings, tmp_path: Path, called_programs: Path):
    body = (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="v" bandwidth="1000" codecs="avc1.4d401e" '
        f'width="640" height="360"><BaseURL>{elsewhere.address}/</BaseURL><SegmentList duration="2">'
        '<SegmentURL media="secret.mp4"/></SegmentList></Representation></AdaptationSet></Period></MPD>'
    ).encode()
    server.answers["/a.mpd"] = lambda client: client.answer(body, "application/dash+xml")
    with pytest.raises(VideoUnavailable) as refused:
        download(f"{server.address}/a.mpd", tmp_path, fresh_settings)
    assert refused.value.reason == "forbidden", str(refused.value)
    assert elsewhere.requests == []
    assert not called_programs.exists()


@pytest.mark.parametrize("state", ["rtmp-1", "websocket-1"])
def test_what_only_other_programs_could_fetch_is_refused(
    server, fresh_settings: Settings, tmp_path: Path, called_programs: Path, state: str
):
    with pytest.raises(VideoUnavailable, match="only offered over") as refused:
        download(f"{server.address}/site/watch/{state}", tmp_path, fresh_settings)
    assert refused.value.reason == "forbidden"
    assert not called_programs.exists()


def test_an_encryption_that_only_players_undo_is_named(
    server, fresh_settings: Settings, tmp_path: Path, called_programs: Path
):
    body = manifest('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="/key"').replace(b"{segment}", b"/fine.ts")
    server.answers["/a.m3u8"] = lambda client: client.answer(body, "application/vnd.apple.mpegurl")
    with pytest.raises(VideoUnavailable) as refused:
        download(f"{server.address}/a.m3u8", tmp_path, fresh_settings)
    assert refused.value.reason == "encrypted"
    assert not called_programs.exists()


@pytest.mark.parametrize("kind", ["manifest", "list of files"])
def test_a_list_of_addresses_that_poses_as_a_video_opens_none(
    server, elsewhere, fresh_settings, fresh_catalogue, fresh_storage, clip: bytes, tmp_path: Path, kind: str
):
    (tmp_path / "secret.mp4").write_bytes(clip)
    lists = {
        "manifest": manifest().replace(b"{segment}", f"{elsewhere.address}/secret.ts".encode()),
        "list of files": f"ffconcat version 1.0\nfile {tmp_path}/secret.mp4\n".encode(),
    }
    server.answers["/site/file"] = lambda client: client.answer(lists[kind], "video/mp4")
    discover(server.feed(f"{server.address}/site/file"), fresh_catalogue, fresh_settings)
    (video_id,) = fresh_catalogue.due_videos(_now())
    with _refused():
        extract_video(video_id, fresh_catalogue, fresh_storage, fresh_settings)
    assert fresh_catalogue.video(video_id).status is not VideoStatus.READY
    assert elsewhere.requests == []


def test_a_connection_is_made_to_the_address_that_was_checked(server, fresh_settings, tmp_path, clip, monkeypatch):
    real, asked = socket.getaddrinfo, []

    def rebind(host, port, *arguments, **options):
        if host != "films.example.com":
            return real(host, port, *arguments, **options)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    url = f"http://films.example.com:{server.port}/a.mp4"
    with pytest.raises(VideoUnavailable, match=r"leads to films\.example\.com.*\(127\.0\.0\.1\)"):
        download(url, tmp_path, fresh_settings)
    assert server.requests == []
    asked.clear()
    server.answers["/a.mp4"] = lambda client: client.answer(clip, "video/mp4")
    opened = fresh_settings.model_copy(
        update={"private_hosts": ("films.example.com",), "download_pause_s": 0.0, "request_pause_s": 0.0}
    )
    assert download(url, tmp_path, opened).read_bytes() == clip
    assert len(asked) == len(server.requests)  # looked up once for each connection: nothing changes in between
    assert all(f"Host: films.example.com:{server.port}" in client.headers for client in server.clients)


# ---- proxies


def test_a_proxy_is_asked_for_public_names_and_never_for_private_addresses(server, fresh_settings, tmp_path, clip):
    """What a proxy reaches by name is its own affair; what is written as a private address is refused here."""
    settings = fresh_settings.model_copy(
        update={"proxy": server.address, "download_pause_s": 0.0, "request_pause_s": 0.0}
    )
    server.answers["http://films.example.com/a.mp4"] = lambda client: client.answer(clip, "video/mp4")
    assert download("http://films.example.com/a.mp4", tmp_path, settings).read_bytes() == clip
    asked = list(server.requests)
    for host in ("169.254.169.254", "0x7f.1", "a.localhost", "[::1]"):
        with pytest.raises(VideoUnavailable) as refused:
            download(f"http://{host}/a.mp4", tmp_path, settings, playlists=["http://films.example.com/feed.xml"])
        assert refused.value.reason == "forbidden"
    assert server.requests == asked


def test_the_environments_proxy_is_used_except_for_this_machine(
    server, elsewhere, fresh_settings, tmp_path, clip, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", server.address)
    settings = fresh_settings.model_copy(update={"download_pause_s": 0.0, "request_pause_s": 0.0})
    server.answers["http://films.example.com/a.mp4"] = lambda client: client.answer(clip, "video/mp4")
    assert download("http://films.example.com/a.mp4", tmp_path, settings).read_bytes() == clip
    asked = len(server.requests)
    assert download(f"{elsewhere.address}/secret.mp4", tmp_path, settings).read_bytes() == clip
    assert len(server.requests) == asked


def test_a_page_names_no_proxy(server, elsewhere, fresh_settings: Settings, tmp_path: Path, clip: bytes):
    server.answers["/clip.mp4"] = lambda client: client.answer(clip, "video/mp4")
    # `proxied` gives yt-dlp's own header that asks for a proxy, as a page's smuggled headers can.
    download(f"{server.address}/site/watch/proxied-{elsewhere.port}", tmp_path, fresh_settings)
    assert elsewhere.requests == []
