"""One process at a time: who trains, who builds the index, who extracts a video. The only user of filelock.

Locks of the operating system (flock) on files below the home: one that is killed leaves none behind. Whoever has to
wait says for whom. Where homes on several machines come to share a storage, this module is the one to change; until
then what they publish at once is sorted out by the pointer's compare-and-set.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from framesearch.settings import Settings
from framesearch.system.disk import or_full

log = logging.getLogger(__name__)

TRAINING = "training"  # and promotion
EMBEDDING = "embedding"
INDEX = "index"  # building, publishing, cleaning
_POLL_S = 0.2


def extraction(video_id: str) -> str:
    """The lock of a video's extraction."""
    return f"videos/{video_id}"


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held.

    Attributes:
        descriptor: of its file. A process that inherits it holds the lock, too, until both have ended.
        waited_for: who held it when it was asked for, and for how long we waited; empty where nobody did.
    """

    descriptor: int
    waited_for: str = ""


@contextmanager
def held(name: str, settings: Settings, holder: str, say: Callable[[str], None] = log.info) -> Iterator[Held]:
    """Hold a lock of this home; wait for as long as another process, or another thread, holds it.

    Args:
        name: `TRAINING`, `EMBEDDING`, `INDEX` or `extraction(video_id)`.
        holder: what others are told that they wait for, such as "framesearch run".
        say: gets one line for each holder that is waited for.

    Raises:
        StorageFull: the lock's file can't be made.
    """
    file = settings.home / "locks" / f"{name}.lock"
    descriptors: list[int] = []
    lock = FileLock(
        file,
        poll_interval=_POLL_S,
        fallback_to_soft=False,  # a soft lock would outlive a process that is killed
        on_acquired=lambda descriptor: descriptors.append(_signed(descriptor, holder)),
    )
    waited_for = _acquired(lock, file, say)
    try:
        yield Held(descriptors[-1], waited_for)
    finally:
        file.unlink(missing_ok=True)  # while it is ours: who opened it meanwhile sees that it is gone, and asks anew
        lock.release()


def sweep(settings: Settings) -> None:
    """Delete the files of locks that nobody holds: killed processes left them."""
    for file in (settings.home / "locks").rglob("*.lock"):
        lock = FileLock(file, fallback_to_soft=False)
        with contextlib.suppress(Timeout, OSError), lock.acquire(blocking=False):
            file.unlink(missing_ok=True)


def _acquired(lock: FileLock, file: Path, say: Callable[[str], None]) -> str:
    """Acquire the lock; who had it and how long that took, empty where it was free."""
    began, holders = time.monotonic(), list[str]()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                lock.acquire(blocking=False)
                break
            except Timeout:
                holder = _holder_of(file)
                if holder and holder not in holders:
                    holders.append(holder)
                    say(f"waiting for {holder}")
                time.sleep(_POLL_S)
    except OSError as error:
        raise or_full(error, file.parent) from error
    return f"{time.monotonic() - began:.0f} s for {', then '.join(holders)}" if holders else ""


def _signed(descriptor: int, holder: str) -> int:
    """The lock's file, with who holds it written into it."""
    told = {"holder": holder, "process": os.getpid(), "since": datetime.now().isoformat(timespec="seconds")}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(told).encode(), 0)
    return descriptor


def _holder_of(file: Path) -> str:
    """Who holds a lock, in words; empty where the holder has not signed yet, or is gone by now."""
    try:
        told = json.loads(file.read_bytes())
        since = datetime.fromisoformat(told["since"])
        return f"{told['holder']} (process {int(told['process'])}, since {since:%H:%M:%S})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
