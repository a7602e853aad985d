"""Fetching a video, bounded in size, length, time and in where it may lead."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framesearch.errors import FramesearchError, StorageFull, VideoNotYet, VideoUnavailable
from framesearch.records import Reason
from framesearch.settings import Settings
from framesearch.sources.addresses import is_local, is_loopback
from framesearch.sources.entries import seconds
from framesearch.sources.session import Session, site_session
from framesearch.sources.site_errors import ANYTHING, is_full
from framesearch.text import safe_text

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

# What yt-dlp fetches itself. For others (RTMP, ...) it would start programs that open whatever they are given.
_PROTOCOLS = (
    "http",
    "https",
    "m3u8",
    "m3u8_native",
    "http_dash_segments",
    "http_dash_segments_generator",
    "ism",
    "f4m",
)
_FETCHED = f"[protocol~='^({'|'.join(_PROTOCOLS)})$']"


def download(
    url: str,
    folder: Path,
    settings: Settings,
    progress: Progress | None = None,
    playlists: Iterable[str] | None = None,
) -> Path:
    """Fetch a video's picture stream into a folder, in the lowest format that suffices. A local file stays in place.

    What an earlier attempt left in the folder is fetched anew.

    Args:
        playlists: that list the video: what lies at their own host and port is fetched even where that is no public
            address. None: somebody who may named the address itself.

    Raises:
        VideoUnavailable: it can't be had, for good.
        VideoNotYet: it can't be had now.
        StorageFull: no space left for it.
    """
    if is_local(url):
        if not Path(url).is_file():
            raise VideoUnavailable(f"{url} is no longer there: put it back, or ignore this", Reason.DELETED)
        return Path(url)
    shown = safe_text(url)
    height = settings.download_height
    options: dict[str, Any] = {
        # No sound. `?` lets formats pass whose height the site does not tell. The last one is refused by `check`.
        "format": f"bv[vcodec^=avc1][height<={height}]{_FETCHED}/bv*[height<=?{height}]{_FETCHED}/wv*{_FETCHED}/wv*",
        "outtmpl": {"default": str(folder / "video.%(ext)s")},
        "fixup": "never",
        "noplaylist": True,
        "overwrites": True,
        "continuedl": False,
    }
    if not is_loopback(url):
        options |= {
            "sleep_interval": settings.download_pause_s,
            "max_sleep_interval": 2 * settings.download_pause_s,
        }
    own = [url] if playlists is None else playlists
    with site_session(url, settings, playlists=own, time_setting="download_minutes", **options) as session:
        _bound(session, shown, settings, progress)
        try:
            info = session.ydl.extract_info(url, download=True)
            if cut_short := session.cut_short():  # what looks like the video's end was the session's
                raise VideoNotYet(
                    f"video {shown} can't be had ({cut_short.reason}): {cut_short.told}", cut_short.reason
                )
            return _one_file(shown, info or {})
        except FramesearchError:
            raise
        except ANYTHING as error:
            raise _video_error(session, url, error, settings) from error


def _bound(session: Session, shown: str, settings: Settings, progress: Progress | None) -> None:
    """Have yt-dlp ask, before it fetches a video and as its bytes come, whether to go on."""
    limit = settings.max_download_mb * 1_000_000
    extended = False

    def check(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        nonlocal extended
        if incomplete:
            return
        _check_wanted(shown, info, settings)
        if not extended:
            extended = True
            session.extend(seconds(info.get("duration")) or 0.0)

    def follow(status: Mapping[str, Any]) -> None:
        done = status.get("downloaded_bytes") or 0
        if done > limit:
            raise VideoUnavailable(
                f"video {shown} is larger than {settings.max_download_mb} MB: raise FRAMESEARCH_MAX_DOWNLOAD_MB to "
                "have it",
                Reason.TOO_LONG,
            )
        if progress is not None:
            progress(done, status.get("total_bytes") or status.get("total_bytes_estimate"))

    session.ydl.params["match_filter"] = check
    session.ydl.add_progress_hook(follow)


def _check_wanted(shown: str, info: Mapping[str, Any], settings: Settings) -> None:
    """Refuse, before anything is downloaded, what is live, too long or needs another program."""
    if info.get("live_status") == "is_upcoming":
        raise VideoNotYet(f"video {shown} has not begun yet", Reason.UPCOMING, _release(info))
    if info.get("is_live") or info.get("live_status") in ("is_live", "post_live"):
        raise VideoNotYet(f"video {shown} is live: it is ingested when it is over", Reason.LIVE)
    duration_s = seconds(info.get("duration")) or 0.0
    if duration_s > settings.max_video_hours * 3600:
        raise VideoUnavailable(
            f"video {shown} is {duration_s / 3600:.1f} hours long: raise FRAMESEARCH_MAX_VIDEO_HOURS to have it",
            Reason.TOO_LONG,
        )
    protocol = info.get("protocol")
    if protocol is not None and not set(str(protocol).split("+")) <= set(_PROTOCOLS):
        told = f"video {shown} is only offered over {safe_text(protocol, 40)}, which is not fetched"
        raise VideoUnavailable(told, Reason.FORBIDDEN)


def _one_file(shown: str, info: Mapping[str, Any]) -> Path:
    files = [Path(done["filepath"]) for done in info.get("requested_downloads") or ()]
    files = [file for file in files if file.is_file()]
    if len(files) != 1:
        raise VideoUnavailable(f"{shown} is not one video but {len(files)}: name its parts", Reason.UNSUPPORTED)
    return files[0]


def _release(info: Mapping[str, Any]) -> datetime | None:
    stamp = info.get("release_timestamp")
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(stamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _video_error(session: Session, url: str, error: BaseException, settings: Settings) -> FramesearchError:
    shown = safe_text(url)
    if is_full(error):
        return StorageFull(f"no space left to download {shown}: free some in {settings.scratch}, then run again")
    failure = session.failure(error)
    told = f"video {shown} can't be had ({failure.reason}): {failure.told}"
    if failure.reason is Reason.UPCOMING:
        return VideoNotYet(told, failure.reason, _asked_release(session, url))
    return VideoNotYet(told, failure.reason) if failure.transient else VideoUnavailable(told, failure.reason)


def _asked_release(session: Session, url: str) -> datetime | None:
    """When an upcoming video begins, where the site tells it."""
    session.ydl.params |= {"ignore_no_formats_error": True, "match_filter": None}
    try:
        return _release(session.ydl.extract_info(url, download=False) or {})
    except ANYTHING:
        return None
