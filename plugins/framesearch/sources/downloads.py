"""Fetching a video, bounded in size and length."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from framesearch.errors import StorageFull, VideoNotYet, VideoUnavailable
from framesearch.records import Reason
from framesearch.settings import Settings
from framesearch.sources.addresses import is_local, is_loopback
from framesearch.sources.session import session_options
from framesearch.sources.site_errors import classify, error_text, is_full

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known


def download(url: str, folder: Path, settings: Settings, progress: Progress | None = None) -> Path:
    """Fetch a video's picture stream into a folder, in the lowest format that suffices. A local file stays in place.

    Raises:
        VideoUnavailable: it can't be had, for good.
        VideoNotYet: it can't be had now.
        StorageFull: no space left for it.
    """
    if is_local(url):
        if not Path(url).is_file():
            raise VideoUnavailable(f"{url} is no longer there: put it back, or ignore this", Reason.DELETED)
        return Path(url)
    import yt_dlp
    from yt_dlp.utils import YoutubeDLError

    height = settings.download_height
    limit = settings.max_download_mb * 1_000_000

    def check(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        if not incomplete:
            _check_wanted(url, info, settings)

    def follow(status: Mapping[str, Any]) -> None:
        done = status.get("downloaded_bytes") or 0
        if done > limit:
            raise VideoUnavailable(
                f"video {url} is larger than {settings.max_download_mb} MB: raise FRAMESEARCH_MAX_DOWNLOAD_MB to "
                "have it",
                Reason.TOO_LONG,
            )
        if progress is not None:
            progress(done, status.get("total_bytes") or status.get("total_bytes_estimate"))

    options = session_options(url, settings) | {
        # No sound. `?` lets formats pass whose height the site does not tell.
        "format": f"bv[vcodec^=avc1][height<={height}]/bv*[height<=?{height}]/wv*",
        "outtmpl": {"default": str(folder / "video.%(ext)s")},
        "match_filter": check,
        "progress_hooks": [follow],
        "fixup": "never",
        "noplaylist": True,
    }
    if not is_loopback(url):
        options |= {
            "sleep_interval": settings.download_pause_s,
            "max_sleep_interval": 2 * settings.download_pause_s,
        }
    try:
        info = yt_dlp.YoutubeDL(options).extract_info(url, download=True)
    except (YoutubeDLError, OSError) as error:
        raise _video_error(url, error, settings) from error
    files = [Path(done["filepath"]) for done in (info or {}).get("requested_downloads") or ()]
    files = [file for file in files if file.is_file()]
    if len(files) != 1:
        raise VideoUnavailable(f"{url} is not one video but {len(files)}: name its parts", Reason.UNSUPPORTED)
    return files[0]


def _check_wanted(url: str, info: Mapping[str, Any], settings: Settings) -> None:
    """Refuse, before anything is downloaded, what is live or too long."""
    if info.get("live_status") == "is_upcoming":
        raise VideoNotYet(f"video {url} has not begun yet", Reason.UPCOMING, _release(info))
    if info.get("is_live") or info.get("live_status") in ("is_live", "post_live"):
        raise VideoNotYet(f"video {url} is live: it is taken in when it is over", Reason.LIVE)
    duration_s = info.get("duration") or 0
    if duration_s > settings.max_video_hours * 3600:
        raise VideoUnavailable(
            f"video {url} is {duration_s / 3600:.1f} hours long: raise FRAMESEARCH_MAX_VIDEO_HOURS to have it",
            Reason.TOO_LONG,
        )


def _release(info: Mapping[str, Any]) -> datetime | None:
    stamp = info.get("release_timestamp")
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)


def _video_error(url: str, error: Exception, settings: Settings) -> Exception:
    if is_full(error):
        return StorageFull(f"no space left to download {url}: free some in {settings.scratch}, then run again")
    reason, passing = classify(error)
    told = f"video {url} can't be had ({reason}): {error_text(error)}"
    if reason is Reason.UPCOMING:
        return VideoNotYet(told, reason, _asked_release(url, settings))
    return VideoNotYet(told, reason) if passing else VideoUnavailable(told, reason)


def _asked_release(url: str, settings: Settings) -> datetime | None:
    """When an upcoming video begins, where the site tells it."""
    import yt_dlp
    from yt_dlp.utils import YoutubeDLError

    try:
        options = session_options(url, settings) | {"ignore_no_formats_error": True}
        return _release(yt_dlp.YoutubeDL(options).extract_info(url, download=False) or {})
    except (YoutubeDLError, OSError):
        return None
