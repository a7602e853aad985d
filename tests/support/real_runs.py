"""Real `framesearch run` processes, which can be stopped, copied and killed at any moment of their life."""

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
PATIENCE_S = 600

# Quick, and the same weights each time: there is time for all steps that so few frames are worth.
SETTINGS = {
    "FRAMESEARCH_CONFIG": os.devnull,
    "FRAMESEARCH_ENCODER_FAMILY": "convolutional",
    "FRAMESEARCH_FIRST_TRAINING_MINUTES": "30",
    "FRAMESEARCH_FRAME_HEIGHT": "90",
    "FRAMESEARCH_JUDGE_QUERIES": "20",
    "FRAMESEARCH_PROBE_SHARE": "0.15",
}

Point = tuple[str, str, int]
"""Name, pattern, and which of the events that match it: see `kill_points/sitecustomize.py`."""


class RealRun:
    """A `framesearch run` of its own, with the training that it starts.

    Args:
        points: where it stops itself, in the order in which it gets there.
    """

    def __init__(self, home: Path, films: Path | None, watched: Path, points: Sequence[Point] = ()) -> None:
        watched.mkdir()
        (watched / "points.json").write_text(json.dumps(points))
        self._watched, self._output = watched, watched / "output"
        program = "from framesearch.cli.app import app; app()"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "run", *([str(films)] if films else [])],
                env={
                    **os.environ,
                    **SETTINGS,
                    "FRAMESEARCH_HOME": str(home),
                    "PYTHONPATH": str(HERE / "kill_points"),
                    "KILL_POINTS": str(watched),
                    "COLUMNS": "500",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def stopped_at(self, point: str) -> None:
        """Wait until it has stopped itself there, and stop all that belongs to it."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self._watched / point).exists():
            assert self.process.poll() is None, f"ended before {point}: {self.output}"
            assert time.monotonic() < deadline, f"never came to {point}: {self.output}"
            time.sleep(0.01)
        for process in self.tree():
            process.send_signal(signal.SIGSTOP)
        while any(process.status() != psutil.STATUS_STOPPED for process in self.tree()):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def go_on(self) -> None:
        for process in reversed(self.tree()):
            process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As the kernel kills when memory is short: no chance to say anything."""
        for process in self.tree():
            process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> str:
        """Its output, once it has ended well."""
        assert self.process.wait(PATIENCE_S) == 0, self.output
        return self.output


# ---- what a home holds


def tree_hash(home: Path) -> str:
    """Of every byte and name below a folder."""
    told = hashlib.sha256()
    for file in sorted(path for path in home.rglob("*") if path.is_file()):
        told.update(f"{file.relative_to(home)}\0".encode())
        told.update(hashlib.file_digest(file.open("rb"), "sha256").digest())
    return told.hexdigest()


def state(home: Path) -> dict[str, Any]:
    """All that a home holds, but for what legitimately differs from one life to another.

    Those are times of day, how long something took, and names drawn at random: an index is named by the time when it
    was built, MLflow names runs, models and datasets at random, and a pointer's lock holds a token of the last move.
    MLflow keeps the runs that were killed, as killed ones, and what they had logged.
    """
    return {"files": _files(home), "catalogue": _catalogue(home), **_mlflow(home / "mlflow" / "mlflow.db")}


_INDEX = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{4}")
_RUN = re.compile(r"(?<=encoders/v1-)[0-9a-f]{12}")
_TIMES = re.compile(r'("(?:built_at|published_at|calibration_seconds|seconds)": )("[^"]*"|[\d.]+)')


def _files(home: Path) -> dict[str, str]:
    found = {}
    for file in sorted(path for path in home.rglob("*") if path.is_file()):
        name = file.relative_to(home).as_posix()
        if name.startswith(("mlflow/", "catalogue.db")):
            continue
        name, content = _RUN.sub("RUN", _INDEX.sub("INDEX", name)), file.read_bytes()
        if name.endswith(".json"):
            content = _TIMES.sub(r"\1TIME", _INDEX.sub("INDEX", content.decode())).encode()
        if name == "index/current.json.lock":
            content = b""
        assert name not in found, f"two of {name}"
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def _catalogue(home: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row; of times only whether there is one."""
    tables = {}
    with closing(sqlite3.connect(home / "catalogue.db")) as connection:
        connection.row_factory = sqlite3.Row
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
            rows = [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')]
            tables[table] = [
                {
                    name: value is not None if name.endswith("_at") else "INDEX" if name == "index_id" else value
                    for name, value in row.items()
                }
                for row in rows
            ]
    return tables


def _mlflow(database: Path) -> dict[str, Any]:
    timed = ("step_seconds", "fit_seconds", "system/")
    with closing(sqlite3.connect(database)) as connection:

        def ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
            return connection.execute(query, values).fetchall()

        versions = ask("SELECT version, run_id, status, description FROM model_versions ORDER BY version")
        kept = [run_id for _, run_id, _, _ in versions]
        others = ask("SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'")
        return {
            "versions": [
                {
                    "version": version,
                    "status": status,
                    "description": re.sub(r"(?<=Promoted )\S+", "TIME", description),
                    "run": ask("SELECT status FROM runs WHERE run_uuid = ?", run_id),
                    "tags": dict(
                        ask(
                            "SELECT key, value FROM model_version_tags WHERE version = ? AND key != 'promoted_at'",
                            version,
                        )
                    ),
                    "params": dict(ask("SELECT key, value FROM params WHERE run_uuid = ?", run_id)),
                    "metrics": {
                        name: value
                        for name, value in ask("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", run_id)
                        if not name.startswith(timed)
                    },
                }
                for version, run_id, status, description in versions
            ],
            "aliases": ask("SELECT alias, version FROM registered_model_aliases"),
            "other runs": sorted({status for run_id, status in others if run_id not in kept} - {"KILLED"}),
            "models half logged": ask("SELECT count(*) FROM logged_models WHERE status = 1"),
        }
