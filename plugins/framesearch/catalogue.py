"""The catalogue's contract: what is known of playlists, videos and index builds.

One implementation today, `sql_catalogue`; every implementation passes the same contract suite
(tests/test_catalogue.py).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from framesearch.records import FrameCounts, IndexBuild, ListingDiff, Playlist, PlaylistListing, Video, VideoStatus
from framesearch.settings import Settings


class Catalogue(Protocol):
    """Playlists and their videos, and the index builds. Every call is one transaction; times are aware UTC."""

    def record_listing(self, listing: PlaylistListing, now: datetime) -> ListingDiff:
        """Take in one reading of a playlist: add what is new, mark what no playlist lists any more.

        An incomplete listing marks nothing as vanished.
        """

    def record_playlist_error(self, url: str, error: str, now: datetime) -> None:
        """Note that a playlist could not be listed; its videos stay as they are."""

    def playlists(self) -> list[Playlist]:
        """All playlists, oldest first."""

    def videos(self, status: VideoStatus | None = None, playlist: str | None = None) -> list[Video]:
        """Videos in order of discovery, those of one status or one playlist where given."""

    def video(self, video_id: str) -> Video:
        """One video.

        Raises:
            NoVideo: the catalogue does not hold it.
        """

    def titles(self, video_ids: Sequence[str]) -> dict[str, str]:
        """Titles by video id; ids that the catalogue does not hold are left out."""

    def due_videos(
        self, now: datetime, *, playlists: Sequence[str] = (), limit: int | None = None, force: bool = False
    ) -> list[str]:
        """Ids of the videos whose frames are to be extracted now, in order of discovery.

        Those discovered and those failed whose next attempt is due; with `force` also the unavailable ones and those
        given up. Vanished videos are left out. Of the given playlists only, where any are given.
        """

    def mark_ready(self, video_id: str, counts: FrameCounts, now: datetime) -> None:
        """The video's frames are stored."""

    def mark_unavailable(self, video_id: str, reason: str, detail: str, now: datetime) -> None:
        """The video is permanently out of reach."""

    def mark_failed(
        self, video_id: str, reason: str, detail: str, now: datetime, next_attempt_at: datetime | None
    ) -> None:
        """This attempt failed; `next_attempt_at` None gives the video up until forced."""

    def add_index_build(self, build: IndexBuild) -> None:
        """Note an index bundle that was built."""

    def forget_index_build(self, index_id: str) -> None:
        """A bundle that was never published is deleted; nothing where there is no such build."""

    def mark_published(self, index_id: str, now: datetime) -> None:
        """The index pointer moved to this bundle."""

    def index_builds(self) -> list[IndexBuild]:
        """All index builds, newest first."""


def open_catalogue(settings: Settings) -> Catalogue:
    """The catalogue that the settings name, its tables made where missing."""
    from framesearch.sql_catalogue import SqlCatalogue  # an implementation is loaded only where it is used

    return SqlCatalogue(settings.catalogue)
