"""Starting and stopping the stack's servers, all of them or only those that are missing."""

import contextlib
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from embedded_stack.components import Component, components
from embedded_stack.environment import stack_environment
from embedded_stack.errors import ComponentFailed, StackError
from embedded_stack.ports import check_ports, is_free
from embedded_stack.processes import Processes
from framesearch.settings import Settings

_log = logging.getLogger(__name__)

_HEALTHY_S = 240.0  # a cold, busy machine with two cores takes about a minute
_MIGRATION_S = 300.0
_PORT_S = 10.0
_ABANDONED_S = 900.0  # nothing that works leaves its scratch folder untouched for so long

Tell = Callable[[str], None]


class Servers:
    """The servers of one home.

    Args:
        with_demo: whether the feed of demo clips is one of them.
        tell: takes a line for the person who waits.
    """

    def __init__(self, settings: Settings, *, with_demo: bool, tell: Tell) -> None:
        self.components = components(settings, with_demo=with_demo)
        self._settings = settings
        self._processes = Processes(settings.home)
        self._tell = tell

    def start(self) -> None:
        """Start what does not run yet, and return at once: `wait_until_healthy` waits.

        Raises:
            PortTaken: nothing was started.
            ComponentFailed: Airflow's database can't be made.
            StackError: the stack runs on other ports than the settings say.
        """
        missing = [part for part in self.components if not self._processes.running(part.name)]
        self._refuse_other_ports()
        for part in missing:
            if self._processes.leftovers(part.name):
                self._tell(f"{part.title} had died: starting it again")
                self._processes.stop([part.name], grace_s=0)
        check_ports(self._settings.host, missing)
        environment = stack_environment(self._settings)
        if not self._processes.running("airflow-scheduler"):
            _clean_scratch(self._settings.scratch)
        # MLflow is slow to start and Airflow needs its database first: the others don't wait for that.
        airflow = [part for part in missing if part.name.startswith("airflow")]
        for part in missing:
            if part not in airflow:
                self._start(part, environment)
        if airflow:
            self._migrate(environment)
        for part in airflow:
            self._start(part, environment)

    def _start(self, part: Component, environment: Mapping[str, str]) -> None:
        record = self._processes.start(part.name, part.argv, environment, port=part.port)
        _log.info("%s started as process %d", part.name, record.pid)

    def _refuse_other_ports(self) -> None:
        other = [
            f"{part.title} runs on port {record.port}, {part.setting} says {part.port}"
            for part in self.components
            if (record := self._processes.running(part.name)) and record.port != part.port
        ]
        if other:
            raise StackError(f"{'; '.join(other)}: `make down` first, then `make up`.")

    def _migrate(self, environment: Mapping[str, str]) -> None:
        """Make Airflow's database, or bring it to this version; done once a version."""
        home = self._settings.home / "airflow"
        home.mkdir(parents=True, exist_ok=True)
        done = home / f"migrated-to-{version('apache-airflow')}"
        if done.is_file() and (home / "airflow.db").is_file():
            return
        log = self._processes.log_file("airflow-migrate")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            ended = subprocess.run(
                command, env=dict(environment), cwd=home, stdout=out, stderr=out, timeout=_MIGRATION_S, check=False
            )
        if ended.returncode:
            raise ComponentFailed(f"Airflow's database can't be made: see the end of {log}")
        done.touch()

    def wait_until_healthy(self, names: Sequence[str] | None = None) -> None:
        """Return when these components do their work, by default all.

        Raises:
            ComponentFailed: one ended, or is not healthy in time; names its log.
        """
        waiting = [part for part in self.components if names is None or part.name in names]
        deadline = time.monotonic() + _HEALTHY_S
        while waiting := [part for part in waiting if not part.healthy()]:
            for part in waiting:
                log = self._processes.log_file(part.name)
                if not self._processes.running(part.name):
                    raise ComponentFailed(f"{part.title} ended before it was ready; {log} ends with:\n{_tail(log)}")
                if time.monotonic() > deadline:
                    raise ComponentFailed(
                        f"{part.title} is not ready after {_HEALTHY_S:.0f} s; {log} ends with:\n{_tail(log)}"
                    )
            time.sleep(0.5)

    def dead(self) -> list[Component]:
        """The components that were started and don't run any more."""
        records = self._processes.records()
        return [part for part in self.components if part.name in records and not self._processes.running(part.name)]


def stop_servers(settings: Settings, tell: Tell) -> bool:
    """Stop whatever was started in this home, and wait until its ports are free. The data stays.

    Returns:
        False where nothing ran.
    """
    processes = Processes(settings.home)
    names = [part.name for part in components(settings, with_demo=True)]
    names = list(dict.fromkeys([*processes.records(), *names]))
    ports = [record.port for record in processes.records().values() if record.port]
    ran = [name for name in names if processes.leftovers(name)]
    if ran:
        tell(f"stopping {len(ran)} components of {settings.home} ...")
    processes.stop(names)
    deadline = time.monotonic() + _PORT_S
    while held := [port for port in ports if not is_free(settings.host, port)]:
        if time.monotonic() > deadline:
            tell(f"port {held[0]} is held by a process that is not this stack's")
            break
        time.sleep(0.2)
    return bool(ran)


def _clean_scratch(scratch: Path) -> None:
    """Delete what killed tasks left behind; not what a `framesearch run` may be working on at this moment."""
    for folder in scratch.iterdir() if scratch.is_dir() else ():
        with contextlib.suppress(OSError):
            touched = max(file.stat().st_mtime for file in (folder, *folder.rglob("*")))
            if time.time() - touched > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(nothing)"
