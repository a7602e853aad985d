"""The index finds what lies nearest, keeps its promises through a file, and grows."""

import threading
from pathlib import Path

import numpy as np
import pytest

from framesearch.errors import IndexIncompatible
from framesearch.index import vectors as index_module
from framesearch.index.vectors import SQ8_LIMIT, FrameIndex, type_for


def unit(rows: int, dimension: int = 32, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(params=["SQ8", "IVF"])
def index_type(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every type; the one with lists at a size that a test can fill."""
    if request.param != "IVF":
        return request.param
    monkeypatch.setitem(index_module._TYPES, "IVF4096", "IVF16,SQ8")
    monkeypatch.setattr(index_module, "PROBED", 16)
    return "IVF4096"


@pytest.fixture
def filled(index_type: str) -> FrameIndex:
    index = FrameIndex.train(index_type, unit(1000))
    index.add([unit(1000)[:600], unit(1000)[600:]])
    return index


def test_type_follows_size() -> None:
    assert [type_for(rows) for rows in (0, SQ8_LIMIT, SQ8_LIMIT + 1)] == ["SQ8", "SQ8", "IVF4096"]


def test_rows_find_themselves(filled: FrameIndex) -> None:
    scores, rows = filled.search(unit(1000), 3)
    assert (rows[:, 0] == np.arange(1000)).mean() > 0.99
    assert scores[:, 0] == pytest.approx(1, abs=0.01)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_excluded_rows_are_not_found(filled: FrameIndex) -> None:
    _, rows = filled.search(unit(1000)[100:110], 1000, without=range(50, 150))
    found = rows[rows >= 0]
    assert not ((found >= 50) & (found < 150)).any()
    assert len(np.unique(found)) == 900


def test_asks_for_more_than_it_holds(filled: FrameIndex) -> None:
    assert filled.search(unit(2), 5000)[1].shape == (2, 1000)


def test_an_empty_index_finds_nothing(index_type: str) -> None:
    index = FrameIndex.train(index_type, unit(1000))
    scores, rows = index.search(unit(2), 5)
    assert scores.shape == rows.shape == (2, 0)


def test_gives_vectors_back(filled: FrameIndex) -> None:
    assert filled.vectors(np.array([3, 999, 0])) == pytest.approx(unit(1000)[[3, 999, 0]], abs=0.02)
    assert filled.vectors(range(0)).shape == (0, 32)


@pytest.mark.parametrize("mapped", [False, True])
def test_survives_a_file(
    filled: FrameIndex, index_type: str, mapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.save(tmp_path / "index")
    if mapped:
        monkeypatch.setattr(index_module, "_MMAP_FROM", 0)
    loaded = FrameIndex.load(tmp_path / "index", index_type)
    (tmp_path / "index").unlink()  # as when an old bundle is cleaned away under a page that still searches it
    for one, other in zip(loaded.search(unit(50), 5), filled.search(unit(50), 5), strict=True):
        assert one == pytest.approx(other)
    assert loaded.vectors(range(5)) == pytest.approx(filled.vectors(range(5)))


def test_grows_after_loading(filled: FrameIndex, index_type: str, tmp_path: Path) -> None:
    filled.save(tmp_path / "index")
    loaded = FrameIndex.load(tmp_path / "index", index_type, to_extend=True)
    loaded.add([unit(100, seed=5)])
    assert len(loaded) == 1100
    assert loaded.search(unit(100, seed=5), 1)[1][:, 0].tolist() == list(range(1000, 1100))


def test_refuses_a_file_of_another_type(tmp_path: Path) -> None:
    FrameIndex.train("SQ8", unit(10)).save(tmp_path / "index")
    with pytest.raises(IndexIncompatible, match="not an index of type IVF4096"):
        FrameIndex.load(tmp_path / "index", "IVF4096")


def test_refuses_a_broken_file(tmp_path: Path) -> None:
    FrameIndex.train("SQ8", unit(10)).save(tmp_path / "index")
    (tmp_path / "index").write_bytes((tmp_path / "index").read_bytes()[:40])
    with pytest.raises(IndexIncompatible, match="can't be read"):
        FrameIndex.load(tmp_path / "index", "SQ8")


def test_threads_get_the_answers_that_one_gets(filled: FrameIndex) -> None:
    alone = filled.search(unit(200), 5)[1]
    together: dict[int, np.ndarray] = {}

    def ask(number: int) -> None:
        together[number] = filled.search(unit(200)[number * 25 : (number + 1) * 25], 5)[1]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (np.concatenate([together[number] for number in range(8)]) == alone).all()
