"""Bringing a database to the schema of this version of framesearch, when it is opened.

What is to be done is seen from one small table; Alembic, which takes a second to load, is needed only where there is
something to do. The upgrade is one transaction under the database's write lock: of several processes that open a
database at once one upgrades it, the others wait and find it done.
"""

import logging

import sqlalchemy as sa

from framesearch.errors import CatalogueIncompatible

log = logging.getLogger(__name__)

HEAD = "2"  # the newest revision in `migrations`
VERSION_TABLE = "catalogue_version"  # not Alembic's default, which MLflow and Airflow use where they share a database

_VERSION = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))
_LOCK = 0x6672616D65  # of PostgreSQL's advisory locks: "frame"


def upgrade(engine: sa.Engine) -> None:
    """Create the tables, or bring those of an older version up to date. Does nothing where nothing is to be done.

    Raises:
        CatalogueIncompatible: a newer framesearch made the database.
    """
    with engine.begin() as connection:
        if _version(connection) == HEAD:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's transactions are exclusive anyway, see `sql`
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = _version(connection)
        if before == HEAD:
            return
        _migrate(connection, unversioned=before is None and sa.inspect(connection).has_table("videos"))
    log.info("catalogue %s upgraded from version %s to %s", engine.url.database, before or "none", HEAD)


def _version(connection: sa.Connection) -> str | None:
    """The version of the database; None before the first.

    Raises:
        CatalogueIncompatible: it is not one of ours.
    """
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.scalar(sa.select(_VERSION.c.version_num))
    if version is not None and not (version.isdecimal() and int(version) <= int(HEAD)):
        raise CatalogueIncompatible(
            f"the catalogue {connection.engine.url.render_as_string()} has version {version}, this framesearch reads "
            f"up to {HEAD}: install the newer framesearch that made it, or name another FRAMESEARCH_HOME"
        )
    return version


def _migrate(connection: sa.Connection, *, unversioned: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "framesearch.catalogue:migrations")
    config.attributes["connection"] = connection
    if unversioned:  # made before databases had versions
        command.stamp(config, "1")
    command.upgrade(config, HEAD)
