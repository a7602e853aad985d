"""The whole line in one process: real files in, a published index out, and every failure costs only itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from generated_videos import draw_video
from ingest_line import Line
from pyarrow import parquet
from training_fixtures import register_version

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import TrainingFailed
from framesearch.jobs.run_all import LineReport, run_line
from framesearch.models.registry import Registry
from framesearch.search.finder import Finder
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.video import VideoFile


class Watched:
    """Notes the steps that were shown."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int | None]] = []
        self.advanced = 0

    @contextmanager
    def step(self, name: str, total: int | None) -> Iterator["Watched"]:
        self.steps.append((name, total))
        yield self

    def advance(self, note: str = "") -> None:
        self.advanced += 1

    def say(self, note: str) -> None:
        pass


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of two videos, one broken one and a note."""
    folder = tmp_path / "my films"
    folder.mkdir()
    for number in range(2):
        draw_video(folder / f"film [{number}].mp4", duration_s=5, seed=number)
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "notes.txt").write_text("no video either")
    return folder


@pytest.fixture
def with_champion(fresh_settings: Settings, fresh_registry: Registry, uncalibrated: None) -> Settings:
    """A home with a champion that needed no training, and settings under which none is due."""
    fresh_registry.promote(register_version(fresh_registry, frames=10), "the first")
    return fresh_settings.model_copy(update={"retrain_growth": 1000.0})


def run(settings: Settings, *playlists: object) -> LineReport:
    return run_line([str(playlist) for playlist in playlists], settings, Watched().step)


def test_makes_a_folder_searchable(with_champion: Settings, films: Path) -> None:
    watched = Watched()
    report = run_line([str(films)], with_champion, watched.step)
    assert (report.listed, report.extracted, report.embedded, report.published) == (1, 2, 2, True)
    assert report.problems == []
    assert list(report.left_out) == ["broken"]
    assert [name for name, _ in watched.steps] == [
        "Listing playlists", "Extracting frames", "Embedding frames", "Building the index",
    ]  # fmt: skip
    with VideoFile(films / "film [1].mp4", height=180, max_hours=1) as file:
        shown = next(frame for frame in file.frames() if frame.timestamp_s > 2.3)
        rgb = shown.picture()
    best = Finder(with_champion).search(rgb).matches[0]
    assert best.title == "film [1]"
    assert best.timestamp_s == pytest.approx(shown.timestamp_s, abs=1)


def test_a_second_run_takes_in_only_what_is_new(with_champion: Settings, films: Path) -> None:
    first = run(with_champion, films)
    again = run(with_champion, films)
    assert (again.extracted, again.embedded, again.published) == (0, 0, False)
    assert again.index is not None
    assert first.index is not None
    assert again.index.index_id == first.index.index_id
    draw_video(films / "third.mp4", duration_s=4, seed=7)
    third = run(with_champion)  # without a playlist: those that are followed
    assert (third.extracted, third.embedded, third.published) == (1, 1, True)
    assert third.index is not None
    assert third.index.videos == 3


def test_a_playlist_that_cannot_be_listed_costs_no_other(with_champion: Settings, films: Path, tmp_path: Path) -> None:
    report = run(with_champion, tmp_path / "absent", films)
    assert (report.listed, report.extracted, report.published) == (1, 2, True)
    assert len(report.problems) == 1
    assert "absent" in report.problems[0]


def test_an_error_that_nobody_foresaw_costs_one_member_and_is_named(
    with_champion: Settings, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a decoder or a disk may raise. Extractors that raise anything: see sources/test_odd_sites.py."""
    opens, reads = av.open, parquet.ParquetFile

    def open_video(file: object, *rest: object, **options: object) -> object:
        if "film [0]" in str(getattr(file, "name", file)):
            raise ZeroDivisionError("a decoder's")
        return opens(file, *rest, **options)

    def read_frames(file: Path, *rest: object, **options: object) -> object:
        if "third" in file.name:
            raise MemoryError("a reader's")
        return reads(file, *rest, **options)

    monkeypatch.setattr(av, "open", open_video)
    monkeypatch.setattr(parquet, "ParquetFile", read_frames)
    draw_video(films / "third.mp4", duration_s=4, seed=7)
    report = run(with_champion, films)
    assert (report.listed, report.extracted, report.embedded, report.published) == (1, 2, 1, True)
    assert report.left_out["film [0]"] == "ZeroDivisionError: a decoder's"
    assert report.left_out["third"] == "MemoryError: a reader's"
    assert sorted(report.problems) == ["film [0]: ZeroDivisionError: a decoder's", "third: MemoryError: a reader's"]


def test_two_left_out_of_one_title_are_told_apart(with_champion: Settings, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.mp4").write_bytes(b"no video at all")
    assert len(run(with_champion, tmp_path / "one", tmp_path / "other").left_out) == 2


def test_damaged_frames_cost_one_video(with_champion: Settings, films: Path) -> None:
    line = Line(open_catalogue(with_champion), open_storage(with_champion), with_champion)
    line.discover(films)
    line.extract_all()
    frames = layout.frames(line.by_title("film [1]").video_id)
    (Path(with_champion.storage) / frames).write_bytes(b"garbage")
    report = run(with_champion, films)
    assert (report.embedded, report.published) == (1, True)
    assert "is damaged" in report.left_out["film [1]"]


def test_without_frames_there_is_no_model_and_no_index(fresh_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = run(fresh_settings, tmp_path / "empty", tmp_path / "absent")
    assert report.index is None
    assert any("absent" in problem for problem in report.problems)
    assert open_catalogue(fresh_settings).videos() == []


def test_a_failed_training_leaves_the_champion_at_work(
    with_champion: Settings, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TrainingFailed("the training ended without a model")

    monkeypatch.setattr("framesearch.models.training_process.train", fail)
    due = with_champion.model_copy(update={"retrain_growth": 0.0})
    report = run(due, films)
    assert report.problems == ["the training ended without a model"]
    assert report.published


def test_cleaning_keeps_the_embeddings_of_champion_and_bundles_only(
    with_champion: Settings, films: Path, fresh_registry: Registry
) -> None:
    run(with_champion, films)
    second = register_version(fresh_registry, judged_against="1")
    fresh_registry.promote(second, "better")
    few = with_champion.model_copy(update={"bundles_kept": 1})
    report = run(few)
    assert report.published
    storage = open_storage(few)
    assert storage.list(layout.embeddings_of("1")) == []
    assert len(storage.list(layout.embeddings_of(second))) == 2
