"""How framesearch uses yt-dlp: the options that listing and downloading share."""

import logging
from typing import Any

from framesearch.settings import Settings
from framesearch.sources.addresses import is_loopback

log = logging.getLogger(__name__)


class _Quiet:
    """Hands yt-dlp's messages to logging; errors arrive as exceptions anyway."""

    def debug(self, message: str) -> None:
        log.debug("%s", message)

    info = warning = error = debug


def session_options(url: str, settings: Settings) -> dict[str, Any]:
    """The options of a `yt_dlp.YoutubeDL` that is to read this address."""
    polite = {} if is_loopback(url) else {"sleep_interval_requests": settings.request_pause_s}
    return polite | {
        "logger": _Quiet(),
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "cachedir": str(settings.home / "cache" / "yt-dlp"),
        "cookiefile": str(settings.cookies_file) if settings.cookies_file else None,
        "proxy": settings.proxy or None,
        "socket_timeout": settings.socket_timeout_s,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 2,
        "geo_bypass": False,  # else yt-dlp tries again with a made-up X-Forwarded-For
        "enable_file_urls": False,  # a hostile feed must not read this machine's files
    }
