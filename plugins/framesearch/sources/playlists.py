"""Reading a playlist whole, wherever it lies."""

import logging
from collections.abc import Iterable, Mapping

from framesearch.errors import PlaylistUnavailable
from framesearch.records import FileVersion, ListedVideo, PlaylistListing
from framesearch.settings import Settings
from framesearch.sources.addresses import local_path, normalise, readable
from framesearch.sources.files import list_files
from framesearch.sources.sites import list_site
from framesearch.text import safe_text

log = logging.getLogger(__name__)


def list_playlist(
    url: str, settings: Settings, limit: int | None = None, known: Mapping[str, FileVersion] | None = None
) -> PlaylistListing:
    """Read a playlist whole, without downloading anything of its videos.

    Args:
        limit: read at most so many videos; the listing is then not complete.
        known: versions of local files as they were listed before, by id: those that stayed are not read again.

    Raises:
        PlaylistUnavailable: it does not exist, is private or empty, or holds no video.
        PlaylistUnreachable: it could not be read this time.
    """
    url = normalise(url)
    path, complete = local_path(url), True
    if path is not None:
        found = list_files(path, known or {}, follow_links=settings.follow_links)
        title, note = safe_text(path.name or path), found.note
        listed: Iterable[ListedVideo] = found.videos
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
        told = f" ({note})" if note else ""
        raise PlaylistUnavailable(
            f"playlist {readable(url)} holds no video{told}: check that it is the right one, and not empty"
        )
    log.info("playlist %s: %d videos listed%s", readable(url), len(videos), f", {note}" if note else "")
    return PlaylistListing(url, title, tuple(videos.values()), complete, note)
