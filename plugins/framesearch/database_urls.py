"""Addresses of SQLite files, whatever characters their paths hold.

SQLAlchemy takes seconds to import on a busy machine, and most commands don't ask: imported at the first call.
"""

from pathlib import Path


def sqlite_url(file: Path, dialect: str = "sqlite") -> str:
    """The SQLAlchemy URL of a database in this file."""
    from sqlalchemy import URL

    return URL.create(dialect, database=str(file)).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """The file of a database at this SQLAlchemy URL; None where it is no SQLite file."""
    if not url.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    parsed = make_url(url)
    file = parsed.database
    return Path(file) if parsed.get_backend_name() == "sqlite" and file and file != ":memory:" else None
