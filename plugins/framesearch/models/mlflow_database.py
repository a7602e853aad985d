"""MLflow's own database file: whole or not there at all.

MLflow makes its tables in some sixty steps without a transaction, and never again opens a file in which it was killed
meanwhile.
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from framesearch.database_urls import sqlite_url
from framesearch.system.disk import scratch_folder, sync


def make_database(database: Path) -> None:
    """Make MLflow's database where there is none; of several that do so at once, one wins. It takes seconds.

    Raises:
        OSError: its folder can't be made or written to.
    """
    if database.is_file():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    with scratch_folder(database.parent / "scratch") as folder:
        made, whole = folder / "made.db", folder / "whole.db"
        address = sqlite_url(made, "sqlite+pysqlite")
        MlflowClient(tracking_uri=address, registry_uri=address).search_experiments()
        with closing(sqlite3.connect(made)) as connection:
            connection.execute("VACUUM INTO ?", (str(whole),))  # whatever its log still holds is in it
        sync(whole)
        with suppress(FileExistsError):
            database.hardlink_to(whole)
        sync(database.parent)
