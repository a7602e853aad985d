"""The local disk: files that are whole or absent, scratch folders that are always cleaned up, full disks named."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from framesearch.errors import StorageFull


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new empty folder in `parent` for half-made things, deleted at the end whatever happens.

    Those of processes that were killed are deleted by the next who asks for one.

    Raises:
        StorageFull: no space left.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with (parent / ".lock").open("w") as making:
            fcntl.flock(making, fcntl.LOCK_EX)
            _sweep(parent)
            folder = Path(tempfile.mkdtemp(dir=parent))
            in_use = _locked(folder)
    except OSError as error:
        raise or_full(error, parent) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(in_use)


def _sweep(parent: Path) -> None:
    """Delete the folders of processes that were killed: nobody holds their locks any more."""
    for folder in parent.iterdir():
        if folder.is_dir():
            with contextlib.suppress(OSError):  # held, or gone meanwhile
                os.close(_locked(folder))
                shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> int:
    """A descriptor of the folder, locked for as long as it is open and this process lives.

    Raises:
        OSError: another holds the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def or_full(error: Exception, folder: Path) -> Exception:
    """The same error; but where the disk or the quota of `folder` is exhausted, the one that says what to do."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"no space left for {folder}: free some, or point FRAMESEARCH_HOME at a larger disk, then run again"
        )
    return error


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file whole or not at all, in spite of kills and power cuts. Readable by its owner only.

    For one writer at a time. Readers see the old content or the new.

    Raises:
        OSError: it can't be written; what was there before stays.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's new entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
