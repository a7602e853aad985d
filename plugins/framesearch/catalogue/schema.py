"""The catalogue's tables as they are now. What leads to them from older ones is in `migrations`.

A change here needs a migration: tests/catalogue/test_migrations.py compares the two.
"""

from datetime import UTC, datetime

import sqlalchemy as sa


class Utc(sa.TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, on databases with and without time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """From the database."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


metadata = sa.MetaData()

playlists = sa.Table(
    "playlists",
    metadata,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("added_at", Utc, nullable=False),
    sa.Column("listed_at", Utc),
    sa.Column("error", sa.Text),
    sa.Column("note", sa.Text),
)
videos = sa.Table(
    "videos",
    metadata,
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=True),  # order of discovery
    sa.Column("video_id", sa.Text, nullable=False, unique=True),
    # What its playlist calls it. A file that was replaced is listed under the same id, but is another video; one that
    # was renamed is the same video under another.
    sa.Column("listed_id", sa.Text, nullable=False, server_default=""),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("duration_s", sa.Float),
    sa.Column("version", sa.Text),
    sa.Column("stamp", sa.Text),
    sa.Column("status", sa.Text, nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("discovered_at", Utc, nullable=False),
    sa.Column("next_attempt_at", Utc),
    sa.Column("ready_at", Utc),
    sa.Column("vanished_at", Utc),
    sa.Column("index_frames", sa.Integer, nullable=False, default=0),
    sa.Column("probe_frames", sa.Integer, nullable=False, default=0),
    sa.Index("videos_listed_id", "listed_id", unique=True),
)
memberships = sa.Table(
    "playlist_videos",
    metadata,
    sa.Column("playlist_url", sa.ForeignKey(playlists.c.url), primary_key=True),
    sa.Column("video_id", sa.ForeignKey(videos.c.video_id), primary_key=True, index=True),
)
removed_videos = sa.Table(
    "removed_videos",
    metadata,
    sa.Column("video_id", sa.Text, primary_key=True),
    sa.Column("removed_at", Utc, nullable=False),
)
index_builds = sa.Table(
    "index_builds",
    metadata,
    sa.Column("index_id", sa.Text, primary_key=True),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("videos", sa.Integer, nullable=False),
    sa.Column("built_at", Utc, nullable=False),
    sa.Column("published_at", Utc),
)
