"""Databases of older versions are brought up to date when they are opened, once, and lose nothing."""

import multiprocessing
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from framesearch.backends import open_catalogue
from framesearch.catalogue import schema, upgrade
from framesearch.errors import CatalogueIncompatible
from framesearch.records import FileVersion, ListedVideo, PlaylistListing, VideoStatus
from framesearch.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

# As framesearch made its databases before they had versions.
FIRST_SCHEMA = """
CREATE TABLE playlists (
    url TEXT NOT NULL, title TEXT NOT NULL, added_at DATETIME NOT NULL, listed_at DATETIME, error TEXT,
    PRIMARY KEY (url)
);
CREATE TABLE videos (
    ordinal INTEGER NOT NULL, video_id TEXT NOT NULL, url TEXT NOT NULL, title TEXT NOT NULL, duration_s FLOAT,
    status TEXT NOT NULL, reason TEXT, detail TEXT, attempts INTEGER NOT NULL, discovered_at DATETIME NOT NULL,
    next_attempt_at DATETIME, ready_at DATETIME, vanished_at DATETIME, index_frames INTEGER NOT NULL,
    probe_frames INTEGER NOT NULL,
    PRIMARY KEY (ordinal), UNIQUE (video_id)
);
CREATE INDEX ix_videos_status ON videos (status);
CREATE TABLE playlist_videos (
    playlist_url TEXT NOT NULL, video_id TEXT NOT NULL, PRIMARY KEY (playlist_url, video_id),
    FOREIGN KEY(playlist_url) REFERENCES playlists (url), FOREIGN KEY(video_id) REFERENCES videos (video_id)
);
CREATE INDEX ix_playlist_videos_video_id ON playlist_videos (video_id);
CREATE TABLE index_builds (
    index_id TEXT NOT NULL, model_version TEXT NOT NULL, rows INTEGER NOT NULL, videos INTEGER NOT NULL,
    built_at DATETIME NOT NULL, published_at DATETIME, PRIMARY KEY (index_id)
);
INSERT INTO playlists VALUES ('/films', 'films', '2026-01-01 00:00:00.000000', '2026-01-02 00:00:00.000000', NULL);
INSERT INTO videos VALUES
    (1, 'file-a-0123456789', '/films/a.mp4', 'a', 12.0, 'ready', NULL, NULL, 0, '2026-01-01 00:00:00.000000', NULL,
     '2026-01-01 01:00:00.000000', NULL, 40, 2),
    (2, 'file-b-0123456789', '/films/b.mp4', 'b', NULL, 'unavailable', 'corrupt', 'b.mp4 is corrupt', 1,
     '2026-01-01 00:00:00.000000', NULL, NULL, NULL, 0, 0);
INSERT INTO playlist_videos VALUES ('/films', 'file-a-0123456789'), ('/films', 'file-b-0123456789');
INSERT INTO index_builds VALUES ('i1', '1', 40, 1, '2026-01-01 02:00:00.000000', '2026-01-01 02:00:00.000000');
"""


def database(settings: Settings) -> Path:
    return settings.home / "catalogue.db"


@pytest.fixture
def old_home(fresh_settings: Settings) -> Settings:
    """A home whose catalogue is of the first schema, without a version."""
    fresh_settings.home.mkdir(parents=True)
    made = sqlite3.connect(database(fresh_settings))
    made.executescript(FIRST_SCHEMA)
    made.close()
    return fresh_settings


def versions(settings: Settings) -> list[tuple[str]]:
    opened = sqlite3.connect(database(settings))
    try:
        return opened.execute(f"SELECT version_num FROM {upgrade.VERSION_TABLE}").fetchall()
    finally:
        opened.close()


def test_an_old_catalogue_keeps_all_that_it_holds(old_home: Settings):
    catalogue = open_catalogue(old_home)
    assert versions(old_home) == [(upgrade.HEAD,)]
    a, b = catalogue.videos(playlist="/films")
    assert (a.video_id, a.status, a.index_frames, a.version) == ("file-a-0123456789", VideoStatus.READY, 40, None)
    assert (b.status, b.detail) == (VideoStatus.UNAVAILABLE, "b.mp4 is corrupt")
    (playlist,) = catalogue.playlists()
    assert (playlist.url, playlist.note, playlist.videos) == ("/films", None, 2)
    assert [build.index_id for build in catalogue.index_builds()] == ["i1"]


def test_the_next_listing_of_an_old_catalogue_learns_the_versions_and_makes_nothing_anew(old_home: Settings):
    catalogue = open_catalogue(old_home)
    listed = [
        ListedVideo(f"file-{name}-0123456789", f"/films/{name}.mp4", name, version=FileVersion(f"{name} 1", "s"))
        for name in "ab"
    ]
    diff = catalogue.record_listing(PlaylistListing("/films", "films", listed), NOW)
    assert diff == type(diff)((), (), ())
    assert catalogue.removed_videos() == []
    assert catalogue.video("file-a-0123456789").status is VideoStatus.READY
    # What was refused may have changed since, or be readable today.
    assert catalogue.due_videos(NOW) == ["file-b-0123456789"]


@pytest.mark.parametrize("home", ["old_home", "fresh_settings"])
def test_what_the_migrations_make_is_the_schema(home: str, request: pytest.FixtureRequest):
    settings = request.getfixturevalue(home)
    open_catalogue(settings)
    with sa.create_engine(f"sqlite:///{database(settings)}").connect() as connection:
        options = {"version_table": upgrade.VERSION_TABLE, "compare_server_default": False}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def test_the_newest_revision_is_the_one_that_opening_looks_for():
    config = Config()
    config.set_main_option("script_location", "framesearch.catalogue:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [upgrade.HEAD]


def test_a_catalogue_of_a_newer_version_is_refused_and_stays_as_it_is(fresh_settings: Settings):
    open_catalogue(fresh_settings)
    made = sqlite3.connect(database(fresh_settings))
    made.execute(f"UPDATE {upgrade.VERSION_TABLE} SET version_num = '99'")
    made.commit()
    made.close()
    with pytest.raises(CatalogueIncompatible, match=r"version 99.*newer framesearch"):
        open_catalogue(fresh_settings)
    assert versions(fresh_settings) == [("99",)]


def test_an_upgrade_that_fails_leaves_the_old_catalogue(old_home: Settings):
    made = sqlite3.connect(database(old_home))
    made.execute("CREATE TABLE removed_videos (something TEXT)")  # in the way of the last step
    made.commit()
    with pytest.raises(sa.exc.OperationalError):
        open_catalogue(old_home)
    assert "listed_id" not in [column[1] for column in made.execute("PRAGMA table_info(videos)")]
    made.execute("DROP TABLE removed_videos")
    made.close()
    assert len(open_catalogue(old_home).videos()) == 2


def _open(settings: Settings) -> None:
    assert len(open_catalogue(settings).videos()) == 2


def test_of_several_processes_that_open_an_old_catalogue_at_once_one_upgrades_it(old_home: Settings):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_open, args=(old_home,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert versions(old_home) == [(upgrade.HEAD,)]


def test_opening_a_catalogue_that_is_up_to_date_does_not_load_alembic(fresh_settings: Settings):
    open_catalogue(fresh_settings)
    program = (
        "import sys; from framesearch.catalogue.sql import SqlCatalogue\n"
        "SqlCatalogue(sys.argv[1]).videos(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, fresh_settings.catalogue]).returncode == 0
