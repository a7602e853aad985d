"""Reading a playlist whole, wherever it lies."""

import logging
from collections.abc import Iterable
from pathlib import Path

from framesearch.errors import PlaylistUnavailable
from framesearch.records import ListedVideo, PlaylistListing
from framesearch.settings import Settings
from framesearch.sources.addresses import is_local, normalise
from framesearch.sources.files import list_files
from framesearch.sources.sites import list_site

log = logging.getLogger(__name__)


def list_playlist(url: str, settings: Settings, limit: int | None = None) -> PlaylistListing:
    """Read a playlist whole, without downloading anything of its videos.

    Args:
        limit: read at most so many videos; the listing is then not complete.

    Raises:
        PlaylistUnavailable: it does not exist, is private or empty, or holds no video.
        PlaylistUnreachable: it could not be read this time.
    """
    url = normalise(url)
    complete, note = True, None
    if is_local(url):
        title = Path(url).name
        listed: Iterable[ListedVideo] = list_files(Path(url))
    else:
        site = list_site(url, settings, limit)
        title, listed, complete, note = site.title, site.videos, site.complete, site.note
    videos: dict[str, ListedVideo] = {}
    for video in listed:
        if limit is not None and len(videos) >= limit and video.video_id not in videos:
            complete = False
            break
        videos.setdefault(video.video_id, video)
    if not videos:
        raise PlaylistUnavailable(f"playlist {url} holds no video{f' ({note})' if note else ''}: check that it is the right one, and not empty")
    log.info("playlist %s: %d videos listed%s", url, len(videos), f", {note}" if note else "")
    return PlaylistListing(url, title, tuple(videos.values()), complete, note)
