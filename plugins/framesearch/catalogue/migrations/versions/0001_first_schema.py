"""The schema before databases had versions."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create it."""
    op.create_table(
        "playlists",
        sa.Column("url", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("added_at", _UTC, nullable=False),
        sa.Column("listed_at", _UTC),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "videos",
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("video_id", sa.Text, nullable=False, unique=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("duration_s", sa.Float),
        sa.Column("status", sa.Text, nullable=False, index=True),
        sa.Column("reason", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("discovered_at", _UTC, nullable=False),
        sa.Column("next_attempt_at", _UTC),
        sa.Column("ready_at", _UTC),
        sa.Column("vanished_at", _UTC),
        sa.Column("index_frames", sa.Integer, nullable=False),
        sa.Column("probe_frames", sa.Integer, nullable=False),
    )
    op.create_table(
        "playlist_videos",
        sa.Column("playlist_url", sa.Text, sa.ForeignKey("playlists.url"), primary_key=True),
        sa.Column("video_id", sa.Text, sa.ForeignKey("videos.video_id"), primary_key=True, index=True),
    )
    op.create_table(
        "index_builds",
        sa.Column("index_id", sa.Text, primary_key=True),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("videos", sa.Integer, nullable=False),
        sa.Column("built_at", _UTC, nullable=False),
        sa.Column("published_at", _UTC),
    )
