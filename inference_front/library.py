"""What page and routes share: the one finder of this process, and which videos a browser can play."""

import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

from framesearch.images.libraries import configure
from framesearch.index.bundle import IndexedVideo
from framesearch.search.finder import Finder
from framesearch.settings import settings
from framesearch.sources.addresses import is_local, local_path
from framesearch.sources.file_versions import served_file
from framesearch.sources.links import youtube_video
from framesearch.sources.playback import playable_kind

VIDEO_ROUTE = "/library/video/"

_finder: Finder | None = None
_making = threading.Lock()


def finder() -> Finder:
    """The finder that all sessions of this process share."""
    global _finder
    with _making:
        if _finder is None:
            configure()
            _finder = Finder(settings())
        return _finder


def local_file(video: IndexedVideo) -> Path | None:
    """The file of a video that came from a folder, where it is still there and leads nowhere else."""
    path = local_path(video.url)
    return served_file(path) if path is not None else None


def player_address(video: IndexedVideo, page: str) -> str | None:
    """What a player can show in the page: YouTube, a playable file on the web or in a local folder; else None.

    Args:
        page: the address under which the browser sees the page.
    """
    youtube_id = youtube_video(video.url)
    if youtube_id is not None:
        return f"https://www.youtube.com/watch?v={quote(youtube_id, safe='')}"
    if "://" in video.url and not is_local(video.url):
        return video.url if playable_kind(video.url) else None
    path = local_file(video)
    if path is None or playable_kind(str(path)) is None:
        return None
    seen = urlsplit(page)
    return f"{seen.scheme}://{seen.netloc}{VIDEO_ROUTE}{quote(video.video_id, safe='')}"
