"""Playlists of sites: anything yt-dlp lists.

Nothing here trusts what a site or its extractor says: ids become safe names, values of any type are expected, and an
entry or a page that fails costs no other.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from framesearch.errors import FramesearchError, PlaylistUnavailable, PlaylistUnreachable
from framesearch.records import ListedVideo, Reason
from framesearch.settings import Settings
from framesearch.sources.entries import UnusableEntry, entry_name, listed_entry, listed_video, text
from framesearch.sources.passed_over import PassedOver
from framesearch.sources.session import Session, site_session
from framesearch.sources.site_errors import ANYTHING, Failure
from framesearch.text import safe_text

log = logging.getLogger(__name__)

_CHECK = "Check the address; a private one needs FRAMESEARCH_COOKIES_FILE"
_ADVICE = {Reason.FORBIDDEN: "If that is meant, name the host in FRAMESEARCH_PRIVATE_HOSTS"}

NESTING = 3  # a channel lists tabs, which list playlists, which list videos
_HOPS = 10  # from one address to the next, before one is a playlist or video
_PLAYLISTS = ("playlist", "multi_video")


@dataclass(frozen=True, slots=True)
class SiteListing:
    """A playlist as its site lists it.

    Attributes:
        complete: False where something kept it from being read to its end.
        note: what was left out and why, in words; None where nothing was.
    """

    title: str
    videos: list[ListedVideo]
    complete: bool = True
    note: str | None = None


def list_site(url: str, settings: Settings, limit: int | None) -> SiteListing:
    """Read a playlist, at most so many videos of it.

    Raises:
        PlaylistUnavailable, PlaylistUnreachable: nothing of it could be read.
    """
    options: dict[str, Any] = {"extract_flat": "in_playlist", "lazy_playlist": True}
    if limit is not None:
        options["playlistend"] = limit + 1
    with site_session(url, settings, playlists=[url], time_setting="listing_minutes", **options) as session:
        try:
            info = _resolve(session, url)
            if info.get("_type", "video") not in _PLAYLISTS:
                video = listed_video(info, text(info.get("webpage_url")) or url)
                return SiteListing(video.title, [video])
        except ANYTHING as error:
            raise _playlist_error(url, session.failure(error)) from error
        return _Reading(url, session, settings, limit).listing(info)


def _resolve(session: Session, url: str, ie_key: str | None = None) -> dict[str, Any]:
    """What an address stands for, redirections followed, its entries not yet read."""
    for _ in range(_HOPS):
        info = session.ydl.extract_info(url, download=False, process=False, ie_key=ie_key)
        if info is None or info.get("_type") not in ("url", "url_transparent"):
            break
        url, ie_key = info["url"], info.get("ie_key")
    return info or {}


class _Reading:
    """One reading of a playlist, entry by entry."""

    def __init__(self, url: str, session: Session, settings: Settings, limit: int | None) -> None:
        self._url, self._session, self._limit = url, session, limit
        self._max_entries = settings.max_playlist_videos
        self._videos: dict[str, ListedVideo] = {}
        self._passed_over = PassedOver()
        self._entries_read = 0
        self._complete = True
        self._broken: list[Failure] = []  # parts that could not be read
        self._notes: list[str] = []

    def listing(self, info: Mapping[str, Any]) -> SiteListing:
        for video in self._flatten(info, NESTING):
            if self._limit is not None and len(self._videos) >= self._limit and video.video_id not in self._videos:
                self._complete = False
                break
            self._videos.setdefault(video.video_id, video)
        if not self._videos and self._broken:
            raise _playlist_error(self._url, self._broken[0])
        note = "; ".join(filter(None, [*self._notes, self._passed_over.note()])) or None
        return SiteListing(text(info.get("title")) or self._url, list(self._videos.values()), self._complete, note)

    def _flatten(self, playlist: Mapping[str, Any], depth: int) -> Iterator[ListedVideo]:
        """The videos of a playlist and of the playlists it lists, in order."""
        for entry in self._entries(playlist):
            try:
                nested = self._nested(entry)
                video = listed_entry(entry) if nested is None else None
            except UnusableEntry as error:
                self._passed_over.add(error.kind, entry_name(entry))
            except ANYTHING as error:
                self._passed_over.add("entry that can't be read", entry_name(entry))
                log.warning("an entry of %s is passed over: %s", self._url, self._session.failure(error).told)
            else:
                if video is not None:
                    yield video
                elif nested is not None and depth:
                    yield from self._flatten(nested, depth - 1)
                elif nested is not None:
                    self._passed_over.add("playlist that is nested too deeply", entry_name(entry))

    def _entries(self, playlist: Mapping[str, Any]) -> Iterator[Any]:
        """The entries of a playlist as far as they can be had."""
        entries = playlist.get("entries")
        if entries is None:
            return
        try:
            if isinstance(entries, str | bytes | Mapping):
                raise TypeError(f"its entries are of type {type(entries).__name__}")
            following = iter(entries)
        except ANYTHING as error:
            self._break_off(playlist, error)
            return
        while True:
            if self._entries_read >= self._max_entries:
                self._stop(f"only {self._max_entries} entries are read, see FRAMESEARCH_MAX_PLAYLIST_VIDEOS")
                return
            try:
                entry = next(following)
            except StopIteration:
                return
            except ANYTHING as error:
                self._break_off(playlist, error)
                return
            if cut_short := self._session.cut_short():
                self._broken.append(cut_short)
                self._stop(f"the listing breaks off after {self._entries_read} entries: {cut_short.told}")
                return
            self._entries_read += 1
            yield entry

    def _nested(self, entry: Any) -> Mapping[str, Any] | None:
        """What an entry lists that is a playlist itself, such as the tab of a channel; None for a video."""
        if not entry:
            raise UnusableEntry("empty entry")
        if not isinstance(entry, Mapping):
            raise UnusableEntry("entry that can't be read")
        if entry.get("_type") in _PLAYLISTS:
            return entry
        if not _lists_videos(self._session.ydl, entry):
            return None
        try:
            return _resolve(self._session, entry["url"], entry["ie_key"])
        except ANYTHING as error:
            self._break_off(entry, error)
            return {}

    def _break_off(self, playlist: Mapping[str, Any], error: BaseException) -> None:
        """Note that a part of the listing is missing. One that is gone or private for good leaves it complete."""
        failure = self._session.failure(error)
        self._broken.append(failure)
        name = entry_name(playlist)
        log.warning("a part of playlist %s can't be listed: %s: %s", self._url, name, failure.told)
        told = f"{name} breaks off after {self._entries_read} entries ({failure.reason}): {failure.told}"
        if failure.transient:
            self._stop(told)
        else:
            self._passed_over.add("nested playlist", name)

    def _stop(self, note: str) -> None:
        self._complete = False
        if note not in self._notes:
            self._notes.append(safe_text(note))


def _lists_videos(ydl: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a playlist itself, such as the tab of a channel."""
    if entry.get("_type") not in ("url", "url_transparent") or not entry.get("ie_key"):
        return False
    # Of YouTube's tabs and playlists yt-dlp itself does not say so.
    return entry["ie_key"] == "YoutubeTab" or (
        ydl.get_info_extractor(entry["ie_key"]).is_single_video(entry["url"]) is False
    )


def _playlist_error(url: str, failure: Failure) -> FramesearchError:
    shown = safe_text(url)
    if failure.transient:
        return PlaylistUnreachable(
            f"playlist {shown} could not be listed this time ({failure.reason}): {failure.told}. "
            "It is tried again later"
        )
    return PlaylistUnavailable(
        f"playlist {shown} can't be listed ({failure.reason}): {failure.told}. {_ADVICE.get(failure.reason, _CHECK)}"
    )
