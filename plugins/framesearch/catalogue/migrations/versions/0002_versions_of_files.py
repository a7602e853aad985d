"""Files have a version, so that one that was replaced is noticed; playlists have a note of what they left out."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Every video is the first under its id; the versions of files are learnt when they are listed next."""
    op.add_column("playlists", sa.Column("note", sa.Text))
    op.add_column("videos", sa.Column("listed_id", sa.Text, nullable=False, server_default=""))
    op.add_column("videos", sa.Column("version", sa.Text))
    op.add_column("videos", sa.Column("stamp", sa.Text))
    op.execute("UPDATE videos SET listed_id = video_id")
    op.create_index("videos_listed_id", "videos", ["listed_id"], unique=True)
    op.create_table(
        "removed_videos",
        sa.Column("video_id", sa.Text, primary_key=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
    )
