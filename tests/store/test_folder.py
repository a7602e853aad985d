"""The folder: what its disk and its racing writers may do to it."""

import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from framesearch.backends import open_storage
from framesearch.errors import InvalidSetting, PointerMoved, StorageFull
from framesearch.settings import Settings
from framesearch.store.folder import FolderStorage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source"
    file.write_bytes(b"whole")
    return file


def test_a_full_disk_leaves_nothing_under_the_name(fresh_storage: FolderStorage, source: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)  # the disk is what is stood in for
    with pytest.raises(StorageFull, match="FRAMESEARCH_HOME"):
        fresh_storage.create("frames/a.parquet", source)
    assert fresh_storage.list("frames/") == []


def test_a_pointer_that_was_copied_from_elsewhere_moves(fresh_storage: FolderStorage):
    fresh_storage.root.mkdir(parents=True, exist_ok=True)
    (fresh_storage.root / "pointer").write_bytes(b"1")
    value, generation = fresh_storage.read_pointer("pointer")
    assert value == b"1"
    fresh_storage.move_pointer("pointer", b"2", generation)
    assert fresh_storage.read_pointer("pointer")[0] == b"2"


def _race(root: Path, number: int, results) -> None:
    storage = FolderStorage(root, root / "scratch")
    source = root / f"source-{number}"
    source.write_bytes(bytes([number]) * 100_000)
    created = storage.create("frames/raced", source)
    try:
        storage.move_pointer("pointer", bytes([number]), "")
        moved = True
    except PointerMoved:
        moved = False
    results.put((created, moved))


def test_of_racing_writers_exactly_one_wins(fresh_storage: FolderStorage):
    fresh_storage.root.mkdir(parents=True)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    writers = [context.Process(target=_race, args=(fresh_storage.root, number, results)) for number in range(8)]
    for writer in writers:
        writer.start()
    outcomes = [results.get(timeout=60) for _ in writers]
    for writer in writers:
        writer.join()
    assert [created for created, _ in outcomes].count(True) == 1
    assert [moved for _, moved in outcomes].count(True) == 1
    with fresh_storage.open("frames/raced") as file:
        assert len(set(file.read_bytes())) == 1
    assert fresh_storage.list("frames/") == ["frames/raced"]


def test_scratch_on_another_disk_is_copied_whole(fresh_storage: FolderStorage, source: Path, monkeypatch):
    real = os.link

    def link(one: Path, other: Path) -> None:
        if not one.is_relative_to(fresh_storage.root):  # another disk is what is stood in for
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(one, other)

    content = source.read_bytes()
    monkeypatch.setattr(os, "link", link)
    assert fresh_storage.create("frames/a.parquet", source) is True
    with fresh_storage.open("frames/a.parquet") as file:
        assert file.read_bytes() == content
    assert not source.exists()
    assert [path.name for path in (fresh_storage.root / "incoming").iterdir()] == [".lock"]


def test_scratch_is_gone_afterwards_whatever_happens(fresh_storage: FolderStorage):
    with pytest.raises(RuntimeError), fresh_storage.scratch() as folder:
        (folder / "download.part").write_bytes(b"half")
        raise RuntimeError
    assert not folder.exists()


def test_scratch_of_a_killed_process_is_swept_and_that_of_a_living_one_is_not(fresh_storage: FolderStorage):
    reading, writing = os.pipe()
    if (killed := os.fork()) == 0:
        with fresh_storage.scratch() as folder:
            (folder / "download.part").write_bytes(b"half")
            os.write(writing, os.fsencode(folder))
            os.kill(os.getpid(), signal.SIGKILL)
    left = Path(os.fsdecode(os.read(reading, 4096)))
    os.waitpid(killed, 0)
    assert (left / "download.part").exists()
    with fresh_storage.scratch() as living, fresh_storage.scratch() as other:
        assert not left.exists()
        assert living.is_dir()
        assert other.is_dir()


def test_a_storage_that_is_not_there_yet_is_refused_by_its_setting(tmp_path: Path):
    with pytest.raises(InvalidSetting, match="FRAMESEARCH_STORAGE_URI"):
        open_storage(Settings(home=tmp_path, storage_uri="s3://bucket"))
