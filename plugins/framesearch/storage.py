"""Storage: the only hand-off between the steps. Objects are complete or absent; a pointer moves last.

One implementation today, a local folder; an object store keeps the same Protocol.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Protocol

from framesearch.errors import InvalidSetting, NotStored, PointerMoved, StorageFull
from framesearch.settings import Settings


class Storage(Protocol):
    """Immutable objects under relative paths, and pointers that move by compare-and-set."""

    def exists(self, path: str) -> bool:
        """Whether a whole object lies under this path."""

    def list(self, prefix: str) -> list[str]:
        """The paths of all objects whose path starts with `prefix`, sorted."""

    def open(self, path: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, readable within the context.

        Raises:
            NotStored: there is no such object.
        """

    def create(self, path: str, source: Path) -> bool:
        """Store the file's bytes under `path`, whole and once. The file is consumed.

        Returns:
            False where the path already held an object, which is kept as it is.

        Raises:
            StorageFull: no space left; the path holds nothing.
        """

    def delete(self, prefix: str) -> int:
        """Delete all objects whose path starts with `prefix`. Returns how many."""

    def read_pointer(self, path: str) -> tuple[bytes | None, str]:
        """A pointer's value (None before it was first set) and its generation, for `move_pointer`."""

    def move_pointer(self, path: str, value: bytes, generation: str) -> None:
        """Set a pointer that still has this generation.

        Raises:
            PointerMoved: somebody else moved it since the generation was read.
        """

    def scratch(self) -> AbstractContextManager[Path]:
        """A new empty folder for half-made objects, deleted at the end whatever happens."""


class FolderStorage:
    """Storage in a local folder: create-once by hard link, pointers under a file lock."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self._scratch = scratch

    def _file(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts:
            raise ValueError(f"not a storage path: {path!r}")
        return self.root.joinpath(*parts)

    def exists(self, path: str) -> bool:
        return self._file(path).is_file()

    def list(self, prefix: str) -> list[str]:
        folder = self.root / prefix.rpartition("/")[0]
        found = (file.relative_to(self.root).as_posix() for file in folder.rglob("*") if file.is_file())
        return sorted(path for path in found if path.startswith(prefix) and not path.endswith((".lock", ".part")))

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[Path]:
        file = self._file(path)
        if not file.is_file():
            raise NotStored(f"{path} is not in the storage {self.root}")
        yield file

    def create(self, path: str, source: Path) -> bool:
        target = self._file(path)
        if target.is_file():
            source.unlink(missing_ok=True)
            return False
        part = target.with_name(f"{target.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, part)  # a rename where scratch and storage share a disk
            with part.open("rb") as written:
                os.fsync(written.fileno())
            try:
                os.link(part, target)  # fails where the target exists: of racing writers one wins
            except FileExistsError:
                return False
            _sync_folder(target.parent)
            return True
        except OSError as error:
            raise or_full(error, self.root) from error
        finally:
            part.unlink(missing_ok=True)

    def delete(self, prefix: str) -> int:
        paths = self.list(prefix)
        for path in paths:
            self._file(path).unlink(missing_ok=True)
        folder = self._file(prefix) if prefix.endswith("/") else None
        if folder and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
        return len(paths)

    def read_pointer(self, path: str) -> tuple[bytes | None, str]:
        target, last_move = self._file(path), b""
        with contextlib.suppress(FileNotFoundError):
            last_move = _lock_of(target).read_bytes()  # read first: a move in between makes the generation an old one
        try:
            value = target.read_bytes()
        except FileNotFoundError:
            return None, ""
        return value, hashlib.sha256(last_move + value).hexdigest()

    def move_pointer(self, path: str, value: bytes, generation: str) -> None:
        target = self._file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock_of(target).open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.read_pointer(path)[1] != generation:
                raise PointerMoved(f"{path} was moved by somebody else: read it again, then retry")
            part = target.with_name(f"{target.name}.part")
            try:
                lock.truncate(0)
                lock.write(os.urandom(16).hex())  # setting the same value again is a move, too
                lock.flush()
                with part.open("wb") as file:
                    file.write(value)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            except OSError as error:
                part.unlink(missing_ok=True)
                raise or_full(error, self.root) from error
            _sync_folder(target.parent)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            with (self._scratch / ".lock").open("w") as making:
                fcntl.flock(making, fcntl.LOCK_EX)
                self._sweep()
                folder = Path(tempfile.mkdtemp(dir=self._scratch))
                in_use = _locked(folder)
        except OSError as error:
            raise or_full(error, self._scratch) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(in_use)

    def _sweep(self) -> None:
        """Delete the scratch folders of processes that were killed: nobody holds their locks any more."""
        for folder in self._scratch.iterdir():
            if folder.is_dir():
                with contextlib.suppress(OSError):  # held, or gone meanwhile
                    os.close(_locked(folder))
                    shutil.rmtree(folder, ignore_errors=True)


def _lock_of(pointer: Path) -> Path:
    """The file that a pointer is moved under; it holds a token of the last move."""
    return pointer.with_name(f"{pointer.name}.lock")


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


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name.

    Raises:
        InvalidSetting: FRAMESEARCH_STORAGE_URI is not a folder.
    """
    if "://" in settings.storage:
        raise InvalidSetting(f"FRAMESEARCH_STORAGE_URI={settings.storage}: only a local folder can be used so far")
    return FolderStorage(Path(settings.storage), settings.scratch)


def or_full(error: Exception, folder: Path) -> Exception:
    """The same error; but where the disk or the quota of `folder` is exhausted, the one that says what to do."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"no space left for {folder}: free some, or point FRAMESEARCH_HOME at a larger disk, then run again"
        )
    return error


def _sync_folder(folder: Path) -> None:
    """Make a new directory entry survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
