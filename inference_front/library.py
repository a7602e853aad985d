"""What page and routes share: the one finder of this process, and which videos a browser can play."""

import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

from framesearch.bundle import IndexedVideo
from framesearch.lookup import Finder, youtube_video
from framesearch.playback import playable_kind
from framesearch.settings import settings

VIDEO_ROUTE = "/library/video/"

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
    if playable_kind(video.url) is None:
        return None
    if "://" in video.url:
        return video.url
    if local_file(video) is None:
        return None
    seen = urlsplit(page)
    return f"{seen.scheme}://{seen.netloc}{VIDEO_ROUTE}{quote(video.video_id, safe='')}"
