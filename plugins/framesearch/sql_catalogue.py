"""The catalogue in a SQL database through SQLAlchemy Core: SQLite in WAL mode for one machine."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from framesearch.errors import NoVideo
from framesearch.records import (
    FrameCounts,
    IndexBuild,
    ListingDiff,
    Playlist,
    PlaylistListing,
    Video,
    VideoStatus,
)


class _Utc(sa.TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, on databases with and without time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


_metadata = sa.MetaData()

_playlists = sa.Table(
    "playlists",
    _metadata,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("added_at", _Utc, nullable=False),
    sa.Column("listed_at", _Utc),
    sa.Column("error", sa.Text),
)
_videos = sa.Table(
    "videos",
    _metadata,
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=True),  # order of discovery
    sa.Column("video_id", sa.Text, nullable=False, unique=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("duration_s", sa.Float),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("discovered_at", _Utc, nullable=False),
    sa.Column("next_attempt_at", _Utc),
    sa.Column("ready_at", _Utc),
    sa.Column("vanished_at", _Utc),
    sa.Column("index_frames", sa.Integer, nullable=False, default=0),
    sa.Column("probe_frames", sa.Integer, nullable=False, default=0),
)
_memberships = sa.Table(
    "playlist_videos",
    _metadata,
    sa.Column("playlist_url", sa.ForeignKey(_playlists.c.url), primary_key=True),
    sa.Column("video_id", sa.ForeignKey(_videos.c.video_id), primary_key=True, index=True),
)
_index_builds = sa.Table(
    "index_builds",
    _metadata,
    sa.Column("index_id", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("videos", sa.Integer, nullable=False),
    sa.Column("built_at", _Utc, nullable=False),
    sa.Column("published_at", _Utc),
)

_VIDEO_FIELDS = [column for column in _videos.c if column.name != "ordinal"]
_CHUNK = 500  # ids a statement: below every database's limit of bound parameters


class SqlCatalogue:
    """See `catalogue.Catalogue`."""

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
        with self._engine.begin() as connection:
            _metadata.create_all(connection)

    def record_listing(self, listing: PlaylistListing, now: datetime) -> ListingDiff:
        listed = {video.video_id: video for video in listing.videos}  # a playlist may name a video twice
        with self._engine.begin() as connection:
            self._touch_playlist(connection, listing.url, now, title=listing.title, listed_at=now, error=None)
            known = self._videos_by_id(connection, list(listed))
            members = set(
                connection.scalars(sa.select(_memberships.c.video_id).where(_memberships.c.playlist_url == listing.url))
            )
            new = [video for video_id, video in listed.items() if video_id not in known]
            if new:
                connection.execute(
                    sa.insert(_videos),
                    [
                        {
                            "video_id": video.video_id,
                            "url": video.url,
                            "title": video.title,
                            "duration_s": video.duration_s,
                            "status": VideoStatus.DISCOVERED,
                            "discovered_at": now,
                            "attempts": 0,
                            "index_frames": 0,
                            "probe_frames": 0,
                        }
                        for video in new
                    ],
                )
            for video_id, row in known.items():
                video = listed[video_id]
                if (row.title, row.url) != (video.title, video.url) or row.vanished_at is not None:
                    connection.execute(
                        sa.update(_videos)
                        .where(_videos.c.video_id == video_id)
                        .values(title=video.title, url=video.url, vanished_at=None)
                    )
            joined = [video_id for video_id in listed if video_id not in members]
            if joined:
                connection.execute(
                    sa.insert(_memberships),
                    [{"playlist_url": listing.url, "video_id": video_id} for video_id in joined],
                )
            vanished = self._leave(connection, listing.url, members - set(listed), now) if listing.complete else ()
            returned = tuple(video_id for video_id, row in known.items() if row.vanished_at is not None)
            return ListingDiff(tuple(video.video_id for video in new), vanished, returned)

    def _leave(self, connection: sa.Connection, url: str, gone: set[str], now: datetime) -> tuple[str, ...]:
        """Take videos out of a playlist; mark as vanished those that no other playlist lists."""
        vanished: list[str] = []
        for chunk in _chunks(sorted(gone)):
            connection.execute(
                sa.delete(_memberships).where(_memberships.c.playlist_url == url, _memberships.c.video_id.in_(chunk))
            )
            elsewhere = set(
                connection.scalars(sa.select(_memberships.c.video_id).where(_memberships.c.video_id.in_(chunk)))
            )
            nowhere = [video_id for video_id in chunk if video_id not in elsewhere]
            connection.execute(sa.update(_videos).where(_videos.c.video_id.in_(nowhere)).values(vanished_at=now))
            vanished += nowhere
        return tuple(vanished)

    def _videos_by_id(self, connection: sa.Connection, video_ids: list[str]) -> dict[str, sa.Row[Any]]:
        found: dict[str, sa.Row[Any]] = {}
        for chunk in _chunks(video_ids):
            rows = connection.execute(sa.select(_videos).where(_videos.c.video_id.in_(chunk)))
            found.update({row.video_id: row for row in rows})
        return {video_id: found[video_id] for video_id in video_ids if video_id in found}

    def record_playlist_error(self, url: str, error: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            self._touch_playlist(connection, url, now, error=error)

    @staticmethod
    def _touch_playlist(connection: sa.Connection, url: str, now: datetime, **values: Any) -> None:
        if connection.execute(sa.update(_playlists).where(_playlists.c.url == url).values(**values)).rowcount == 0:
            connection.execute(sa.insert(_playlists).values(url=url, added_at=now, **{"title": url, **values}))

    def playlists(self) -> list[Playlist]:
        count = (
            sa.select(sa.func.count())
            .where(_memberships.c.playlist_url == _playlists.c.url)
            .scalar_subquery()
            .label("videos")
        )
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(*_playlists.c, count).order_by(_playlists.c.added_at, _playlists.c.url))
            return [Playlist(**row._mapping) for row in rows]

    def videos(self, status: VideoStatus | None = None, playlist: str | None = None) -> list[Video]:
        query = sa.select(*_VIDEO_FIELDS).order_by(_videos.c.ordinal)
        if status is not None:
            query = query.where(_videos.c.status == status)
        if playlist is not None:
            query = query.where(_videos.c.video_id.in_(_members_of([playlist])))
        with self._engine.begin() as connection:
            return [_video(row) for row in connection.execute(query)]

    def video(self, video_id: str) -> Video:
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(*_VIDEO_FIELDS).where(_videos.c.video_id == video_id)).one_or_none()
        if row is None:
            raise NoVideo(f"the catalogue holds no video {video_id!r}: `framesearch status` lists what it holds")
        return _video(row)

    def titles(self, video_ids: Sequence[str]) -> dict[str, str]:
        titles: dict[str, str] = {}
        with self._engine.begin() as connection:
            for chunk in _chunks(list(video_ids)):
                rows = connection.execute(
                    sa.select(_videos.c.video_id, _videos.c.title).where(_videos.c.video_id.in_(chunk))
                )
                titles.update({row.video_id: row.title for row in rows})
        return titles

    def due_videos(
        self, now: datetime, *, playlists: Sequence[str] = (), limit: int | None = None, force: bool = False
    ) -> list[str]:
        due = _videos.c.status == VideoStatus.DISCOVERED
        if force:
            due |= _videos.c.status.in_([VideoStatus.FAILED, VideoStatus.UNAVAILABLE])
        else:
            due |= (_videos.c.status == VideoStatus.FAILED) & (_videos.c.next_attempt_at <= now)
        query = sa.select(_videos.c.video_id).where(due, _videos.c.vanished_at.is_(None)).order_by(_videos.c.ordinal)
        if playlists:
            query = query.where(_videos.c.video_id.in_(_members_of(playlists)))
        with self._engine.begin() as connection:
            return list(connection.scalars(query.limit(limit)))

    def mark_ready(self, video_id: str, counts: FrameCounts, now: datetime) -> None:
        self._update_video(
            video_id,
            status=VideoStatus.READY,
            reason=None,
            detail=None,
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
            attempts=_videos.c.attempts + 1,
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
            attempts=_videos.c.attempts + 1,
            next_attempt_at=next_attempt_at,
        )

    def _update_video(self, video_id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            updated = connection.execute(sa.update(_videos).where(_videos.c.video_id == video_id).values(**values))
            if updated.rowcount == 0:
                raise NoVideo(f"the catalogue holds no video {video_id!r}: list its playlist first")

    def add_index_build(self, build: IndexBuild) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                sa.insert(_index_builds).values(
                    index_id=build.index_id,
                    model_version=build.model_version,
                    rows=build.rows,
                    videos=build.videos,
                    built_at=build.built_at,
                    published_at=build.published_at,
                )
            )

    def mark_published(self, index_id: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(_index_builds).where(_index_builds.c.index_id == index_id).values(published_at=now)
            )

    def index_builds(self) -> list[IndexBuild]:
        query = sa.select(_index_builds).order_by(_index_builds.c.built_at.desc(), _index_builds.c.index_id.desc())
        with self._engine.begin() as connection:
            return [IndexBuild(**row._mapping) for row in connection.execute(query)]


def _members_of(playlists: Sequence[str]) -> sa.Select[Any]:
    return sa.select(_memberships.c.video_id).where(_memberships.c.playlist_url.in_(playlists))


def _video(row: sa.Row[Any]) -> Video:
    return Video(**{**row._mapping, "status": VideoStatus(row.status)})


def _chunks(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, see `_begin_immediate`
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: sa.Connection) -> None:
    # A deferred transaction that reads, then writes, fails at once where another wrote in between; this one waits.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
