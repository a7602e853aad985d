"""What a catalogue does: the contract that every implementation keeps."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from framesearch.records import (
    FileVersion,
    FrameCounts,
    IndexBuild,
    ListingDiff,
    Playlist,
    PlaylistListing,
    Video,
    VideoStatus,
)


class Catalogue(Protocol):
    """Playlists and their videos, and the index builds. Every call is one transaction; times are aware UTC."""

    def record_listing(self, listing: PlaylistListing, now: datetime) -> ListingDiff:
        """Record one reading of a playlist: add what is new, mark what no playlist lists any more.

        An incomplete listing marks nothing as vanished.

        A file whose version differs from the recorded one is another video, with an id of its own: it takes the old
        one's place, which leaves the catalogue for good (see `removed_videos`). A file is due again, too, where
        something of it changed and no frames of it, or not all, are stored. A file that has another name now stays
        the video that it was: its content is that of a video whose own file is gone. A file whose version was never
        recorded, as catalogues of older versions leave it, is taken to be unchanged.
        """

    def file_versions(self) -> Mapping[str, FileVersion]:
        """The recorded version of every file, by the id under which playlists list it."""

    def removed_videos(self) -> list[str]:
        """Ids of the videos that left the catalogue since their files were replaced. None is ever used again."""

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

    def playlists_of(self, video_id: str) -> list[str]:
        """The playlists that list a video."""

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
        """The video's frames are stored; its `detail` says what of it is missing, if anything."""

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
