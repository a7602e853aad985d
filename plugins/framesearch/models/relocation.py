"""A home that was copied or moved: MLflow's database keeps absolute addresses of artifacts, which have to move along.

Otherwise a copy would read its models from the old home and write new ones there.
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

_BUSY_S = 60.0
_FOLDER = re.compile(r"file://.*/mlflow/artifacts")


def adopt_artifacts(home: Path) -> None:
    """Let a home's own MLflow database name the artifacts in this home, wherever the home was when it was written.

    One transaction, for any number of processes at once; nothing where all is in place already.

    Raises:
        ConnectionError: the database has to be changed but can't be.
    """
    database = home / "mlflow" / "mlflow.db"
    here = (home / "mlflow" / "artifacts").as_uri()
    if not database.is_file():
        return
    with closing(sqlite3.connect(database, timeout=_BUSY_S, isolation_level=None)) as connection:
        try:
            if not _other_places(connection, here):
                return
        except sqlite3.DatabaseError:  # damaged, or without tables yet: MLflow says so better
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            for place in _other_places(connection, here):  # asked again: another process may have been quicker
                _move(connection, place, here)
                log.warning("the home was moved or copied to %s: its models are read and written there now", home)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise ConnectionError(
                f"the home was moved or copied, but {database}, which names the old place, can't be changed: {error}"
            ) from error


def _other_places(connection: sqlite3.Connection, here: str) -> set[str]:
    """Folders in other homes, as experiments name them: ours without, those that MLflow's server made with an id."""
    places = set()
    for number, location in connection.execute("SELECT experiment_id, artifact_location FROM experiments"):
        place = str(location or "").removesuffix(f"/{number}")
        if place != here and _FOLDER.fullmatch(place):
            places.add(place)
    return places


def _move(connection: sqlite3.Connection, place: str, here: str) -> None:
    for table, column in _texts(connection):
        connection.execute(
            f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - names from the database itself
            f'WHERE "{column}" = ? OR substr("{column}", 1, ?) = ?',
            (here, len(place) + 1, place, len(place) + 1, f"{place}/"),
        )


def _texts(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Table and name of each column that holds text."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    for (table,) in connection.execute(tables).fetchall():
        for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            if "CHAR" in kind.upper() or "TEXT" in kind.upper():
                yield table, column
