"""Playlists of sites: anything yt-dlp lists.

Nothing here trusts what a site says: ids become safe names, and entries that point at this machine's files are skipped.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

from framesearch.errors import PlaylistUnavailable, PlaylistUnreachable
from framesearch.records import ListedVideo
from framesearch.settings import Settings
from framesearch.sources.session import session_options
from framesearch.sources.site_errors import classify, error_text
from framesearch.sources.video_ids import digest, slug

log = logging.getLogger(__name__)


NESTING = 3  # a channel lists tabs, which list playlists, which list videos


def list_site(url: str, settings: Settings, limit: int | None) -> tuple[str, Iterator[ListedVideo]]:
    """A playlist's title and its videos, read as they are asked for, at most one more than `limit`.

    Raises:
        PlaylistUnavailable, PlaylistUnreachable: also while the videos are read.
    """
    import yt_dlp

    options = session_options(url, settings) | {"extract_flat": "in_playlist", "lazy_playlist": True}
    if limit is not None:
        options["playlistend"] = limit + 1
    site = yt_dlp.YoutubeDL(options)
    with _listing_errors(url):
        info = _resolve(site, url)
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return str(info.get("title") or url), iter([_listed(info, info.get("webpage_url") or url)])
    return str(info.get("title") or url), _guarded(url, _flatten(site, info, NESTING))


def _resolve(site: Any, url: str, ie_key: str | None = None) -> dict[str, Any]:
    """What an address stands for, redirections followed, its entries not yet read."""
    for _ in range(10):
        info = site.extract_info(url, download=False, process=False, ie_key=ie_key)
        if info is None or info.get("_type") not in ("url", "url_transparent"):
            break
        url, ie_key = info["url"], info.get("ie_key")
    return info or {}


def _flatten(site: Any, playlist: Mapping[str, Any], depth: int) -> Iterator[ListedVideo]:
    """The videos of a playlist and of the playlists it lists, in order; dead entries are passed over."""
    for entry in playlist.get("entries") or ():
        if not entry:
            continue
        if entry.get("_type") in ("playlist", "multi_video"):
            nested: Mapping[str, Any] = entry
        elif _lists_videos(site, entry):
            nested = _nested(site, entry) if depth else {}
        else:
            video = _listed_entry(entry)
            if video is not None:
                yield video
            continue
        if depth:
            yield from _flatten(site, nested, depth - 1)


def _lists_videos(site: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a playlist itself, such as the tab of a channel."""
    if entry.get("_type") not in ("url", "url_transparent") or not entry.get("ie_key"):
        return False
    # Of YouTube's tabs and playlists yt-dlp itself does not say so.
    return entry["ie_key"] == "YoutubeTab" or (
        site.get_info_extractor(entry["ie_key"]).is_single_video(entry["url"]) is False
    )


def _nested(site: Any, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A playlist that another one lists; one that is gone or empty costs the others nothing."""
    from yt_dlp.utils import YoutubeDLError

    try:
        return _resolve(site, entry["url"], entry["ie_key"])
    except YoutubeDLError as error:
        if classify(error)[1]:
            raise
        log.warning("a nested playlist is passed over: %s: %s", entry["url"], error_text(error))
        return {}


def _listed_entry(entry: Mapping[str, Any]) -> ListedVideo | None:
    from yt_dlp.utils import unsmuggle_url

    address = entry.get("url") or entry.get("webpage_url")
    if not address:
        log.warning("an entry without an address is passed over: %s", entry.get("id") or entry.get("title"))
        return None
    address, smuggled = unsmuggle_url(address, {})
    if urlsplit(address).scheme not in ("http", "https"):
        log.warning("an entry that is no web address is passed over: %.100s", address)
        return None
    return _listed({"id": smuggled.get("force_videoid"), **entry}, address)


def _listed(info: Mapping[str, Any], address: str) -> ListedVideo:
    extractor = str(info.get("ie_key") or info.get("extractor_key") or "generic").lower()
    name = str(info.get("id") or Path(urlsplit(address).path).stem)
    video_id = f"{slug(extractor)}-{slug(name)}"
    # A generic "id" is the address's last part, or whatever a feed says: only the address is unique.
    if extractor == "generic" or slug(name) != name:
        video_id += f"-{digest(urldefrag(address).url if extractor == 'generic' else name)}"
    duration_s = info.get("duration")
    title = str(info.get("title") or name)
    return ListedVideo(video_id, address, title, None if duration_s is None else float(duration_s))


def _guarded(url: str, videos: Iterable[ListedVideo]) -> Iterator[ListedVideo]:
    """The same videos; errors while the site is asked for more of them are the playlist's."""
    with _listing_errors(url):
        yield from videos


@contextlib.contextmanager
def _listing_errors(url: str) -> Iterator[None]:
    """Turns what yt-dlp raises while listing into the playlist's errors."""
    from yt_dlp.utils import YoutubeDLError

    try:
        yield
    except (YoutubeDLError, OSError) as error:
        reason, passing = classify(error)
        told = error_text(error)
        if passing:
            raise PlaylistUnreachable(
                f"playlist {url} could not be listed this time ({reason}): {told}. It is tried again later"
            ) from error
        raise PlaylistUnavailable(
            f"playlist {url} can't be listed ({reason}): {told}. Check the address; a private one needs "
            "FRAMESEARCH_COOKIES_FILE"
        ) from error
