"""Stops a process at chosen moments of its life: on PYTHONPATH, Python imports this before anything else.

KILL_POINTS names a folder. Its `points.json` lists `[name, pattern, nth]`: the process stops itself (SIGSTOP) before
the nth of its events that match the pattern, and leaves a file of the point's name for whoever watches. Events are told
as lines: what is opened for writing, renamed, linked or removed, which module is imported, which program started, and
each SQL statement, whose transaction is not committed yet. `trace` in that folder, where it exists, gets all lines.
"""

import json
import os
import re
import signal
import sys
from functools import cache
from pathlib import Path

_FOLDER = Path(os.environ["KILL_POINTS"]) if "KILL_POINTS" in os.environ else None
_ROLE = "train" if "training" in sys.orig_argv else "run"
_WRITES = os.O_WRONLY | os.O_RDWR
_seen: dict[str, int] = {}
_busy = False


def _happens(line: str) -> None:
    global _busy
    if _busy:
        return
    _busy = True
    try:
        for name, pattern, nth in _POINTS:
            if re.search(pattern, line):
                _seen[name] = _seen.get(name, 0) + 1
                if _seen[name] == nth and not (_FOLDER / name).exists():
                    (_FOLDER / name).write_text(line)
                    os.kill(os.getpid(), signal.SIGSTOP)
        if _TRACE:
            os.write(_TRACE, f"{line}\n".encode())
    finally:
        _busy = False


def _audit(event: str, arguments: tuple) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES and isinstance(path, (str, bytes, os.PathLike)):
            _happens(f"{_ROLE} write {os.fsdecode(path)}")
    elif event in ("os.rename", "os.link", "os.remove"):
        _happens(f"{_ROLE} {event[3:]} " + " ".join(os.fsdecode(one) for one in arguments if not isinstance(one, int)))
    elif event == "import":
        _happens(f"{_ROLE} import {arguments[0]}")
    elif event == "subprocess.Popen":
        _happens(f"{_ROLE} start {arguments[1]}")
    elif event == "sqlite3.connect" and "sqlalchemy.engine" in sys.modules:
        _listen()


@cache
def _listen() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def executes(connection, cursor, statement, parameters, context, executemany):
        _happens(f"{_ROLE} sql {' '.join(statement.split())}")

    event.listen(Engine, "before_cursor_execute", executes)


if _FOLDER is not None:
    _POINTS = json.loads((_FOLDER / "points.json").read_text())
    _TRACE = os.open(_FOLDER / "trace", os.O_WRONLY | os.O_APPEND) if (_FOLDER / "trace").exists() else None
    sys.addaudithook(_audit)
