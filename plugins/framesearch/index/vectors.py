"""Nearest-neighbour search over embeddings. The only user of FAISS.

The type follows the catalogue's size. Measured (one thread, recall@1 / @10 against exact search):

    Flat    100,000 x 256: 3.6 ms a query, 102 MB, 1 / 1
    SQ8     100,000 x 256: 1.2 ms a query,  26 MB, 1 / .99; 1,000,000 x 128: 7.9 ms, 128 MB, .99 / .99
    IVF,SQ8 1,000,000 x 128, 4096 lists, 32 probed: 0.2 ms a query, 138 MB, .99 / .80

So to a million frames each has a byte a dimension, which costs nothing that can be measured in the first answer;
beyond, lists keep a query within milliseconds at a percent of the first answers.
Product quantisation would save more memory and lose a third of the first answers.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from framesearch.errors import IndexIncompatible

SQ8_LIMIT = 1_000_000  # rows: 256 MB, 16 ms a query
LISTS = 4096
PROBED = 64
TRAINING_ROWS = 200_000  # a sample that large fixes 4096 lists and 256 dimensions' ranges

_TYPES = {"SQ8": "SQ8", f"IVF{LISTS}": f"IVF{LISTS},SQ8"}  # our name -> FAISS's
_MMAP_FROM = 64_000_000  # bytes: below, reading the file whole is as quick and steadier


def type_for(rows: int) -> str:
    """The index type for a catalogue of this many frames."""
    return "SQ8" if rows <= SQ8_LIMIT else f"IVF{LISTS}"


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """A few queries gain nothing from threads, whose waiting burns more than the search; queries run side by side."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of the calling thread only
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class FrameIndex:
    """Vectors numbered from 0 in the order they were added, searched by inner product; safe to search from threads.

    Attributes:
        type: as `type_for` names it.
        dimension: of the vectors.
    """

    def __init__(self, index: Any, index_type: str) -> None:
        self._index = index
        self._adding = threading.Lock()
        self.type = index_type
        self.dimension = int(index.d)
        if index_type.startswith("IVF"):
            index.nprobe = PROBED
            index.make_direct_map()  # 8 bytes a row: `vectors` needs to find a row in its list

    @classmethod
    def train(cls, index_type: str, sample: np.ndarray) -> "FrameIndex":
        """An empty index of this type, its quantiser fitted to a sample (float32 (N, D))."""
        index = faiss.index_factory(sample.shape[1], _TYPES[index_type], faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            index.train(np.ascontiguousarray(sample, np.float32))
        return cls(index, index_type)

    @classmethod
    def load(cls, path: Path, index_type: str, *, to_extend: bool = False) -> "FrameIndex":
        """Load what `save` wrote. Large files are mapped, not read, unless the index is `to_extend`.

        Only for files of our own, whose digest was compared: FAISS trusts what it reads.

        Raises:
            IndexIncompatible: the file is no index of this type.
        """
        flags = 0
        if not to_extend and path.stat().st_size >= _MMAP_FROM:
            flags = faiss.IO_FLAG_MMAP if index_type.startswith("IVF") else faiss.IO_FLAG_MMAP_IFC
        try:
            index = faiss.read_index(str(path), flags)
        except RuntimeError as error:
            raise IndexIncompatible(f"{path} can't be read as an index: {error}") from error
        expected = faiss.IndexScalarQuantizer if index_type == "SQ8" else faiss.IndexIVFScalarQuantizer
        if not isinstance(index, expected) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise IndexIncompatible(f"{path} holds a {type(index).__name__}, not an index of type {index_type}")
        return cls(index, index_type)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, batches: Iterable[np.ndarray]) -> None:
        """Append vectors (float32 (N, D), unit norm) in batches; not while others search."""
        with self._adding:
            for batch in batches:
                if len(batch):
                    self._index.add(np.ascontiguousarray(batch, np.float32))

    def search(self, queries: np.ndarray, count: int, *, without: range | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The `count` rows most similar to each query, best first.

        Args:
            queries: float32 (Q, D).
            without: rows that are not to be found.

        Returns:
            Inner products float32 (Q, K) and rows int64 (Q, K). Where an index finds fewer, the row is -1.
        """
        count = min(count, len(self))
        if count == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, np.float32)
        options: dict[str, Any] = {}
        if without:
            excluded = faiss.IDSelectorRange(without.start, without.stop)
            selection: dict[str, Any] = {"sel": faiss.IDSelectorNot(excluded)}
            if self.type.startswith("IVF"):
                options["params"] = faiss.SearchParametersIVF(**selection | {"nprobe": PROBED})
            else:
                options["params"] = faiss.SearchParameters(**selection)
        with _one_thread():
            found: tuple[np.ndarray, np.ndarray] = self._index.search(queries, count, **options)
        return found

    def vectors(self, rows: np.ndarray | range) -> np.ndarray:
        """The stored vectors of these rows, as exact as the type keeps them: float32 (N, D)."""
        wanted = np.asarray(rows, np.int64)
        if len(wanted) == 0:
            return np.empty((0, self.dimension), np.float32)
        result: np.ndarray = self._index.reconstruct_batch(wanted)
        return result

    def save(self, path: Path) -> None:
        """Write the index to a file."""
        faiss.write_index(self._index, str(path))
