"""What page and routes share: the one finder of this process, and which videos a browser can play."""

import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

from framesearch.bundle import IndexedVideo
from framesearch.lookup import Finder, youtube_video
from framesearch.settings import settings

VIDEO_ROUTE = "/library/video/"

# What current browsers play by themselves; .ts, .mpg, .avi and .mkv they do not.
PLAYABLE = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}

_finder: Finder | None = None
_making = threading.Lock()


def finder() -> Finder:
    """The finder that all sessions of this process share."""
    global _finder
    with _making:
        if _finder is None:
            _finder = Finder(settings())
        return _finder


def local_file(video: IndexedVideo) -> Path | None:
    """The file of a video that came from a folder, where it is still there."""
    if "://" in video.url:
        return None
    try:
        path = Path(video.url)
        return path if path.is_absolute() and path.is_file() else None
    except (OSError, ValueError):
        return None


def player_address(video: IndexedVideo, page: str) -> str | None:
    """What a player can show in the page: YouTube, a playable file on the web or in a local folder; else None.

    Args:
        page: the address under which the browser sees the page.
    """
    youtube_id = youtube_video(video.url)
    if youtube_id is not None:
        return f"https://www.youtube.com/watch?v={quote(youtube_id, safe='')}"
    parts = urlsplit(video.url) if "://" in video.url else None
    if parts is not None:
        playable = parts.scheme in ("http", "https") and Path(parts.path).suffix.lower() in PLAYABLE
        return video.url if playable else None
    path = local_file(video)
    if path is None or path.suffix.lower() not in PLAYABLE:
        return None
    seen = urlsplit(page)
    return f"{seen.scheme}://{seen.netloc}{VIDEO_ROUTE}{quote(video.video_id, safe='')}"
