"""The catalogue in a SQL database through SQLAlchemy Core: SQLite in WAL mode for one machine."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framesearch.catalogue.listing import chunks, record
from framesearch.catalogue.schema import index_builds, memberships, playlists, removed_videos, videos
from framesearch.catalogue.upgrade import upgrade
from framesearch.errors import NoVideo
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

_OWN = ("ordinal", "listed_id", "version", "stamp")  # columns that are the catalogue's own business
_VIDEO_FIELDS = [column for column in videos.c if column.name not in _OWN] + [videos.c.version, videos.c.stamp]


class SqlCatalogue:
    """See `contract.Catalogue`."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        options: dict[str, Any] = {}
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": 60}
        self._engine = sa.create_engine(parsed, **options)
        if parsed.get_backend_name() == "sqlite":
            sa.event.listen(self._engine, "connect", _configure_sqlite)
            sa.event.listen(self._engine, "begin", _begin_immediate)
        upgrade(self._engine)

    def record_listing(self, listing: PlaylistListing, now: datetime) -> ListingDiff:
        told = {"title": listing.title, "listed_at": now, "error": None, "note": listing.note}
        with self._engine.begin() as connection:
            self._touch_playlist(connection, listing.url, now, **told)
            return record(connection, listing, now)

    def file_versions(self) -> dict[str, FileVersion]:
        query = sa.select(videos.c.listed_id, videos.c.version, videos.c.stamp).where(videos.c.version.is_not(None))
        with self._engine.begin() as connection:
            return {row.listed_id: FileVersion(row.version, row.stamp) for row in connection.execute(query)}

    def removed_videos(self) -> list[str]:
        query = sa.select(removed_videos.c.video_id).order_by(removed_videos.c.removed_at, removed_videos.c.video_id)
        with self._engine.begin() as connection:
            return list(connection.scalars(query))

    def record_playlist_error(self, url: str, error: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            self._touch_playlist(connection, url, now, error=error)

    @staticmethod
    def _touch_playlist(connection: sa.Connection, url: str, now: datetime, **values: Any) -> None:
        if connection.execute(sa.update(playlists).where(playlists.c.url == url).values(**values)).rowcount == 0:
            connection.execute(sa.insert(playlists).values(url=url, added_at=now, **{"title": url, **values}))

    def playlists(self) -> list[Playlist]:
        count = (
            sa.select(sa.func.count())
            .where(memberships.c.playlist_url == playlists.c.url)
            .scalar_subquery()
            .label("videos")
        )
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(*playlists.c, count).order_by(playlists.c.added_at, playlists.c.url))
            return [Playlist(**row._mapping) for row in rows]

    def videos(self, status: VideoStatus | None = None, playlist: str | None = None) -> list[Video]:
        query = sa.select(*_VIDEO_FIELDS).order_by(videos.c.ordinal)
        if status is not None:
            query = query.where(videos.c.status == status)
        if playlist is not None:
            query = query.where(videos.c.video_id.in_(_members_of([playlist])))
        with self._engine.begin() as connection:
            return [_video(row) for row in connection.execute(query)]

    def video(self, video_id: str) -> Video:
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(*_VIDEO_FIELDS).where(videos.c.video_id == video_id)).one_or_none()
        if row is None:
            raise NoVideo(f"the catalogue holds no video {video_id!r}: `framesearch status` lists what it holds")
        return _video(row)

    def playlists_of(self, video_id: str) -> list[str]:
        query = sa.select(memberships.c.playlist_url).where(memberships.c.video_id == video_id)
        with self._engine.begin() as connection:
            return sorted(connection.scalars(query))

    def titles(self, video_ids: Sequence[str]) -> dict[str, str]:
        titles: dict[str, str] = {}
        with self._engine.begin() as connection:
            for chunk in chunks(list(video_ids)):
                rows = connection.execute(
                    sa.select(videos.c.video_id, videos.c.title).where(videos.c.video_id.in_(chunk))
                )
                titles.update({row.video_id: row.title for row in rows})
        return titles

    def due_videos(
        self, now: datetime, *, playlists: Sequence[str] = (), limit: int | None = None, force: bool = False
    ) -> list[str]:
        due = videos.c.status == VideoStatus.DISCOVERED
        if force:
            due |= videos.c.status.in_([VideoStatus.FAILED, VideoStatus.UNAVAILABLE])
        else:
            due |= (videos.c.status == VideoStatus.FAILED) & (videos.c.next_attempt_at <= now)
        query = sa.select(videos.c.video_id).where(due, videos.c.vanished_at.is_(None)).order_by(videos.c.ordinal)
        if playlists:
            query = query.where(videos.c.video_id.in_(_members_of(playlists)))
        with self._engine.begin() as connection:
            return list(connection.scalars(query.limit(limit)))

    def mark_ready(self, video_id: str, counts: FrameCounts, now: datetime) -> None:
        self._update_video(
            video_id,
            status=VideoStatus.READY,
            reason=None,
            detail=counts.shortfall,
            next_attempt_at=None,
            ready_at=now,
            duration_s=counts.duration_s,
            index_frames=counts.index_frames,
            probe_frames=counts.probe_frames,
        )

    def mark_unavailable(self, video_id: str, reason: str, detail: str, now: datetime) -> None:
        self._update_video(
            video_id,
            status=VideoStatus.UNAVAILABLE,
            reason=reason,
            detail=detail,
            attempts=videos.c.attempts + 1,
            next_attempt_at=None,
        )

    def mark_failed(
        self, video_id: str, reason: str, detail: str, now: datetime, next_attempt_at: datetime | None
    ) -> None:
        self._update_video(
            video_id,
            status=VideoStatus.FAILED,
            reason=reason,
            detail=detail,
            attempts=videos.c.attempts + 1,
            next_attempt_at=next_attempt_at,
        )

    def _update_video(self, video_id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            updated = connection.execute(sa.update(videos).where(videos.c.video_id == video_id).values(**values))
            if updated.rowcount == 0:
                raise NoVideo(f"the catalogue holds no video {video_id!r}: list its playlist first")

    def add_index_build(self, build: IndexBuild) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                sa.insert(index_builds).values(
                    index_id=build.index_id,
                    model_version=build.model_version,
                    rows=build.rows,
                    videos=build.videos,
                    built_at=build.built_at,
                    published_at=build.published_at,
                )
            )

    def forget_index_build(self, index_id: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.delete(index_builds).where(index_builds.c.index_id == index_id))

    def mark_published(self, index_id: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(index_builds).where(index_builds.c.index_id == index_id).values(published_at=now)
            )

    def index_builds(self) -> list[IndexBuild]:
        query = sa.select(index_builds).order_by(index_builds.c.built_at.desc(), index_builds.c.index_id.desc())
        with self._engine.begin() as connection:
            return [IndexBuild(**row._mapping) for row in connection.execute(query)]


def _members_of(playlists: Sequence[str]) -> sa.Select[Any]:
    return sa.select(memberships.c.video_id).where(memberships.c.playlist_url.in_(playlists))


def _video(row: sa.Row[Any]) -> Video:
    fields = dict(row._mapping)
    content, stamp = fields.pop("version"), fields.pop("stamp")
    version = None if content is None else FileVersion(content, stamp)
    return Video(**{**fields, "status": VideoStatus(row.status), "version": version})


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, see `_begin_immediate`
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: sa.Connection) -> None:
    # A deferred transaction that reads, then writes, fails at once where another wrote in between; this one waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
