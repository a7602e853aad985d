"""Storage: the only hand-off between the steps. Objects are complete or absent; a pointer moves last.

The contract. To add an implementation: a module beside `folder`, one line in `backends`, and one in the fixture of
tests/store/test_storage_contract.py, which every implementation passes.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol


class Range(NamedTuple):
    """A part of an object, in bytes."""

    start: int
    size: int


class Storage(Protocol):
    """Immutable objects under relative paths, and pointers that move by compare-and-set."""

    def exists(self, path: str) -> bool:
        """Whether a whole object lies under this path."""

    def list(self, prefix: str) -> list[str]:
        """The paths of all objects whose path starts with `prefix`, sorted."""

    def open(self, path: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, which stays there for as long as the context is open.

        Whoever maps the file into memory keeps the context open until the map is no longer used.

        Raises:
            NotStored: there is no such object.
        """

    def read(self, path: str, ranges: Sequence[Range]) -> Sequence[bytes]:
        """Parts of an object, read without the rest of it. What lies beyond its end is left out.

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
