"""Detached processes that are found again: by a record of pid and start time, never by name or pid alone.

Each component leads a session of its own, so that what it forks stays findable when its leader was killed. What
leaves the session is found by a mark in its environment.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from embedded_stack.errors import ComponentFailed, StackBusy
from framesearch.system.disk import write_atomically

# Environment variable of every process of the stack: the home, then the component. Not one of framesearch's own, which
# the training process gets anew.
_MARK = "EMBEDDED_STACK_PART"
_SAME_START_S = 3.0  # two readings of one process's start time differ by less, even where the clock is corrected
_KILL_S = 15.0  # a killed process is gone by then, or never goes


@dataclass(frozen=True)
class Record:
    """A component that was started.

    Attributes:
        pid: of the process, which leads a session of the same number.
        created: when it started, seconds since the epoch, as the system tells it.
        port: that it was told to listen on, if any.
        home: whose stack it belongs to; empty in records of earlier versions.
    """

    name: str
    pid: int
    created: float
    port: int | None = None
    home: str = ""


class Processes:
    """The processes of one home's stack.

    Args:
        home: their records lie in its folder `run`, their output in `logs`.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._records = home / "run"
        self._logs = home / "logs"

    @contextlib.contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the right to start and stop processes of this home.

        Raises:
            StackBusy: another command still holds it after `wait_s`.
        """
        self._records.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        with (self._records / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise StackBusy(
                            f"another `make up` or `make down` is busy with {self.home}: wait until it is through"
                        ) from None
                    time.sleep(0.2)
            yield

    def log_file(self, name: str) -> Path:
        """Where a component's output goes."""
        return self._logs / f"{name}.log"

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        port: int | None = None,
    ) -> Record:
        """Start a component, detached from this process and its terminal."""
        for folder in (self._records, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env={**environment, _MARK: self._mark(name)},
                start_new_session=True,
            )
        record = Record(name, process.pid, psutil.Process(process.pid).create_time(), port, str(self.home))
        write_atomically(self._file(name), json.dumps(asdict(record)).encode())
        return record

    def records(self) -> dict[str, Record]:
        """What was started and not yet stopped, by name, whether it still runs or not.

        Records that came along with a copy of another home tell of that home's processes: they are none of ours.
        """
        found = {}
        for file in sorted(self._records.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                record = Record(**json.loads(file.read_text(encoding="utf-8")))
                if record.home in ("", str(self.home)):
                    found[record.name] = record
        return found

    def running(self, name: str) -> Record | None:
        """The component's record where its main process is alive, else None."""
        record = self.records().get(name)
        return record if record and _leader(record) else None

    def leftovers(self, name: str) -> list[psutil.Process]:
        """All living processes of a component: its main process, what that started, and what outlived it."""
        record = self.records().get(name)
        leader = _leader(record) if record else None
        own = os.getuid()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid == os.getpid() or process.uids().real != own or not _alive(process):
                    continue
                if self._in_session(process, record, leader) or self._is_marked(process, name):
                    found.append(process)
        return found

    def _in_session(self, process: psutil.Process, record: Record | None, leader: psutil.Process | None) -> bool:
        if record is None or os.getsid(process.pid) != record.pid:
            return False
        if leader:
            return True
        # The leader is gone. Its number stays taken while members of its session live, so these are ours, unless
        # all of them went and the number came round again: then it is a stranger's, who works in another folder.
        return process.create_time() >= record.created - _SAME_START_S and Path(process.cwd()) == self.home

    def _is_marked(self, process: psutil.Process, name: str) -> bool:
        return process.environ().get(_MARK) == self._mark(name)

    def _mark(self, name: str) -> str:
        return f"{self.home}:{name}"

    def _file(self, name: str) -> Path:
        return self._records / f"{name}.json"

    def stop(self, names: Sequence[str], grace_s: float = 6.0) -> None:
        """Stop components: ask their main processes, then end everything that is left of them; wait until it is gone.

        A task that is cut off here reports nothing, so that Airflow takes it up again where it was.
        """
        records = self.records()
        for name in names:
            if name in records and (leader := _leader(records[name])):
                with contextlib.suppress(psutil.Error):
                    leader.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while any(self.leftovers(name) for name in names) and time.monotonic() < deadline:
            time.sleep(0.2)
        deadline = time.monotonic() + _KILL_S
        while left := [process for name in names for process in self.leftovers(name)]:
            if time.monotonic() > deadline:
                told = ", ".join(f"{process.pid}" for process in left)
                raise ComponentFailed(f"these processes can't be ended: {told}. End them, then `make down` again")
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(0.1)
        for name in names:
            if name in records:
                with contextlib.suppress(ChildProcessError):  # a child of this process would stay as a zombie
                    os.waitpid(records[name].pid, os.WNOHANG)
            self._file(name).unlink(missing_ok=True)


def _leader(record: Record) -> psutil.Process | None:
    """The recorded process, where it lives: not another one that got its number."""
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.created) < _SAME_START_S
    except psutil.Error:
        return None
    return process if same and _alive(process) else None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
