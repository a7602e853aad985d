"""What every storage keeps: objects are complete or absent, pointers move by compare-and-set."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framesearch.errors import NotStored, PointerMoved
from framesearch.store.folder import FolderStorage
from framesearch.store.storage import Range, Storage


@pytest.fixture(params=["folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each implementation."""
    makers = {"folder": lambda: FolderStorage(tmp_path / "home", tmp_path / "scratch")}
    return makers[request.param]()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(b"whole")
    return file


def test_an_object_reads_back_as_it_was_stored(storage: Storage, source: Path):
    assert storage.create("frames/a.parquet", source)
    with storage.open("frames/a.parquet") as file:
        assert file.read_bytes() == b"whole"
    assert storage.exists("frames/a.parquet")
    assert storage.list("frames/") == ["frames/a.parquet"]


def test_an_object_is_stored_once_and_never_replaced(storage: Storage, tmp_path: Path, source: Path):
    storage.create("a", source)
    other = tmp_path / "other"
    other.write_bytes(b"other")
    assert not storage.create("a", other)
    with storage.open("a") as file:
        assert file.read_bytes() == b"whole"


def test_a_missing_object_is_named(storage: Storage):
    with pytest.raises(NotStored, match="frames/gone"), storage.open("frames/gone"):
        pass


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", ""])
def test_a_path_never_leaves_the_storage(storage: Storage, path: str):
    with pytest.raises(ValueError, match="not a storage path"):
        storage.exists(path)


def test_delete_takes_all_objects_of_a_folder_and_no_others(storage: Storage, tmp_path: Path):
    for path in ["index/1/a", "index/1/b", "index/2/a"]:
        (tmp_path / "x").write_bytes(b"x")
        storage.create(path, tmp_path / "x")
    assert storage.delete("index/1/") == 2
    assert storage.list("index/") == ["index/2/a"]


def test_a_pointer_moves_only_from_the_generation_that_was_read(storage: Storage):
    value, unset = storage.read_pointer("index/current.json")
    assert value is None
    storage.move_pointer("index/current.json", b"1", unset)
    with pytest.raises(PointerMoved):
        storage.move_pointer("index/current.json", b"2", unset)
    value, generation = storage.read_pointer("index/current.json")
    assert value == b"1"
    storage.move_pointer("index/current.json", b"2", generation)
    assert storage.read_pointer("index/current.json")[0] == b"2"


def test_setting_the_same_value_again_is_a_move(storage: Storage):
    storage.move_pointer("pointer", b"1", "")
    _, generation = storage.read_pointer("pointer")
    storage.move_pointer("pointer", b"1", generation)
    with pytest.raises(PointerMoved):
        storage.move_pointer("pointer", b"2", generation)


def test_parts_of_an_object_are_read_without_the_rest(storage: Storage, source: Path):
    storage.create("frames/a", source)
    assert storage.read("frames/a", [Range(1, 3), Range(0, 1), Range(4, 10), Range(9, 1)]) == [b"hol", b"w", b"e", b""]
    assert storage.read("frames/a", []) == []


@pytest.mark.parametrize("path", ["frames/gone", "frames"])
def test_parts_of_a_missing_object_are_not_made_up(storage: Storage, source: Path, path: str):
    storage.create("frames/a", source)
    with pytest.raises(NotStored, match=path):
        storage.read(path, [Range(0, 1)])


def test_an_open_object_stays_readable_while_it_is_deleted(storage: Storage, source: Path):
    storage.create("index/1/a", source)
    with storage.open("index/1/a") as file, file.open("rb") as reading:
        storage.delete("index/1/")
        assert reading.read() == b"whole"
    assert not storage.exists("index/1/a")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=1, max_size=3), st.binary(max_size=300))
def test_whatever_an_object_is_called_and_holds_it_comes_back(
    storage: Storage, tmp_path: Path, names: list[str], content: bytes
):
    path = "/".join(["objects", *names])
    if any(name in (".", "..") or len(name.encode()) > 200 or name.endswith((".lock", ".part")) for name in names):
        return
    storage.delete("objects")
    (tmp_path / "content").write_bytes(content)
    assert storage.create(path, tmp_path / "content")
    assert storage.list("objects/") == [path]
    assert b"".join(storage.read(path, [Range(0, 7), Range(7, 300)])) == content
    assert storage.delete("objects/") == 1
    assert storage.list("") == []
