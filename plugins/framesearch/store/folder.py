"""Storage in a folder of this machine."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from framesearch.errors import NotStored, PointerMoved
from framesearch.store.storage import Range
from framesearch.system.disk import or_full, scratch_folder, sync, write_atomically


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

    def read(self, path: str, ranges: Sequence[Range]) -> Sequence[bytes]:
        with self.open(path) as object_, _found(path, self.root), object_.open("rb", buffering=0) as file:
            return [os.pread(file.fileno(), wanted.size, wanted.start) for wanted in ranges]

    def create(self, path: str, source: Path) -> bool:
        target = self._file(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            created = self._link(source, target)
            source.unlink(missing_ok=True)
            return created
        except OSError as error:
            raise or_full(error, self.root) from error

    def _link(self, source: Path, target: Path) -> bool:
        """Give the file's bytes their final name, on the disk before; False where something has that name already."""
        if target.is_file():
            return False
        try:
            sync(source)
            os.link(source, target)  # fails where the target exists: of racing writers one wins
            sync(target.parent)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        with scratch_folder(self.root / "incoming") as near:  # scratch lies on another disk than the storage
            return self._link(Path(shutil.copy(source, near)), target)

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
            try:
                lock.truncate(0)
                lock.write(os.urandom(16).hex())  # setting the same value again is a move, too
                lock.flush()
                write_atomically(target, value)
            except OSError as error:
                raise or_full(error, self.root) from error

    def scratch(self) -> AbstractContextManager[Path]:
        return scratch_folder(self._scratch)


@contextlib.contextmanager
def _found(path: str, root: Path) -> Iterator[None]:
    """Name an object that was deleted after it was found."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotStored(f"{path} is not in the storage {root}") from error


def _lock_of(pointer: Path) -> Path:
    """The file that a pointer is moved under; it holds a token of the last move."""
    return pointer.with_name(f"{pointer.name}.lock")
