"""One use of yt-dlp: the options that listing and downloading share, and the bounds of everything it does."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framesearch.records import Reason
from framesearch.settings import Settings
from framesearch.sources.addresses import is_loopback
from framesearch.sources.reach import Reach
from framesearch.sources.site_errors import Failure, failure
from framesearch.sources.watchdog import SLOW_WINDOWS, Watchdog

if TYPE_CHECKING:
    from framesearch.sources.transport import Bounds

log = logging.getLogger(__name__)

_NOWHERE = "/nonexistent"  # where no program is


class _Quiet:
    """Hands yt-dlp's messages to logging; errors arrive as exceptions anyway."""

    def debug(self, message: str) -> None:
        log.debug("%s", message)

    info = warning = error = debug


@dataclass(frozen=True, slots=True)
class Session:
    """yt-dlp at work on one address.

    Attributes:
        ydl: a `yt_dlp.YoutubeDL`.
    """

    ydl: Any
    _bounds: "Bounds"
    _time_setting: str

    def extend(self, seconds: float) -> None:
        """Allow so much more time."""
        self._bounds.watchdog.extend(seconds)

    def cut_short(self) -> Failure | None:
        """Why the session was ended before its time; None where it was not. What came last may then lack its end."""
        watchdog = self._bounds.watchdog
        if watchdog.verdict is None:
            return None
        limit = "FRAMESEARCH_MIN_DOWNLOAD_KB_PER_S" if watchdog.too_slow else self._time_setting
        return Failure(Reason.NETWORK, True, f"it {watchdog.verdict}, see {limit}")

    def failure(self, error: BaseException) -> Failure:
        """What an error of this session means: what ended it, what was refused, or what the site said."""
        return self.cut_short() or failure(error, self._bounds.refusals)


@contextlib.contextmanager
def site_session(
    url: str,
    settings: Settings,
    *,
    playlists: Iterable[str],
    time_setting: str,
    **options: Any,
) -> Iterator[Session]:
    """Use yt-dlp on an address.

    Args:
        playlists: addresses of the playlists on whose behalf: what lies at their own host and port may be fetched,
            even where that is no public address.
        time_setting: name of the setting that says how many minutes everything may take.
        options: of yt-dlp, beside those that are always set.
    """
    from yt_dlp.postprocessor import FFmpegPostProcessor

    from framesearch.sources.transport import BoundedYoutubeDL, Bounds

    window_s = SLOW_WINDOWS * settings.socket_timeout_s
    minutes = getattr(settings, time_setting)
    with Watchdog(minutes * 60, settings.min_download_kb_per_s * 1000, window_s) as watchdog:
        bounds = Bounds(Reach(playlists, settings.private_hosts), watchdog, int(settings.max_feed_mb * 1_000_000))
        ydl = BoundedYoutubeDL(_options(url, settings) | options, bounds)
        # yt-dlp's question whether there is an ffmpeg knows nothing of the options.
        hidden = FFmpegPostProcessor._ffmpeg_location.set(_NOWHERE)
        try:
            yield Session(ydl, bounds, f"FRAMESEARCH_{time_setting.upper()}")
        finally:
            FFmpegPostProcessor._ffmpeg_location.reset(hidden)
            ydl.close()


def _options(url: str, settings: Settings) -> dict[str, Any]:
    polite = {} if is_loopback(url) else {"sleep_interval_requests": settings.request_pause_s}
    return polite | {
        "logger": _Quiet(),
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "cachedir": str(settings.home / "cache" / "yt-dlp"),
        "cookiefile": str(settings.cookies_file) if settings.cookies_file else None,
        # Nothing of this machine lies behind a proxy. None: that of the environment (HTTPS_PROXY, ...).
        "proxy": "" if is_loopback(url) else settings.proxy or None,
        "socket_timeout": settings.socket_timeout_s,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 2,
        "geo_bypass": False,  # else yt-dlp tries again with a made-up X-Forwarded-For
        "enable_file_urls": False,  # a hostile feed must not read this machine's files
        # Other programs would open whatever addresses they are given: everything is fetched by yt-dlp itself.
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": _NOWHERE,
    }
