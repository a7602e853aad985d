"""A run that is killed at any point of its life, and run again, ends in the state of one that never was: to the byte.

Points are named by what the process is about to do there. At those up to the registered model one run after the other
is really killed, each going on from what the one before left; the run that then comes to the end is stopped and its
home copied at each later point: what a stopped process left on the disk is what a killed one would have left. From
every different copy a run then goes on.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from generated_videos import draw_video
from real_runs import Point, RealRun, state, tree_hash

pytestmark = pytest.mark.timeout(3000)

KILLED: list[Point] = [
    ("starting", r"^run import framesearch.jobs.run_all$", 1),
    ("listing, its playlist noted", r"^run sql INSERT INTO videos", 1),
    ("listing, its videos noted", r"^run sql INSERT INTO playlist_videos", 1),
    ("first video, decoding", r"^run write .*/scratch/\.lock", 2),
    ("first video, decoded", r"^run link .*/frames/", 1),
    ("first video, stored", r"^run sql UPDATE videos SET .*status", 1),
    ("last video, decoded", r"^run link .*/frames/file-film_2", 1),
    ("training, to be started", r"^run start .*'fit'", 1),
    ("training, MLflow's database empty", r"^train sql CREATE TABLE", 1),
    ("training, MLflow's database half made", r"^train sql UPDATE alembic_version", 5),
    ("training, MLflow's database to be noted as made", r"^train sql INSERT INTO experiments", 1),
    ("training, TensorFlow loading", r"^train import tensorflow", 200),
    ("training, its MLflow run begun", r"^train sql INSERT INTO tags", 1),
    ("training, first epoch", r"^train sql INSERT INTO metrics", 1),
    ("training, third epoch", r"^train sql INSERT INTO metrics", 3),
    ("training, encoder exported", r"^train write .*/encoder\.onnx$", 1),
    ("evaluation, first video's local features", r"^train link .*/features/", 1),
    ("evaluation, model to be logged", r"^train sql INSERT INTO logged_models", 1),
    ("evaluation, model half logged", r"^train write .*/artifacts/data/model\.keras$", 1),
    ("evaluation, model logged", r"^train rename .*/pictures/", 2),
    ("registration, name reserved", r"^train sql INSERT INTO model_versions", 1),
]
COPIED: list[Point] = [
    ("registration, version made", r"^train sql UPDATE runs SET status", 1),
    ("registration, result to be told", r"^train rename .*/result\.json", 1),
    ("promotion, noted", r"^run sql INSERT INTO registered_model_aliases", 1),
    ("promotion, done", r"^run remove .*/training\.lock", 1),
    ("encoder, fetched", r"^run rename .*/cache/encoders/", 1),
    ("embedding, first video", r"^run link .*/embeddings/", 1),
    ("embedding, last video", r"^run link .*/embeddings/v1/file-film_2", 1),
    ("index, half written", r"^run write .*/features\.npy$", 1),
    ("index, first part stored", r"^run link .*/index/.*/features\.npy$", 1),
    ("index, card to be stored", r"^run link .*/index/.*/card\.json$", 1),
    ("index, to be noted", r"^run sql INSERT INTO index_builds", 1),
    ("pointer, about to move", r"^run rename .*/index/current\.json", 1),
    ("pointer, moved", r"^run sql UPDATE index_builds", 1),
    ("cleaned", r"^run remove .*/index\.lock", 1),
]


@dataclass(frozen=True)
class Lives:
    """What became of one film folder in several homes.

    Attributes:
        undisturbed: the state in which a run ends that nobody disturbed.
        killed: the one in which a run ends after many that were killed.
        home: where each copy is to be put before a run goes on from it: MLflow notes where it lies.
        copies: by point.
    """

    films: Path
    home: Path
    undisturbed: dict[str, Any]
    killed: dict[str, Any]
    copies: dict[str, Path]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Lives:
    folder = tmp_path_factory.mktemp("killed runs")
    films, home, copies = folder / "films", folder / "home", {}
    for number in range(3):
        draw_video(films / f"film {number}.mp4", duration_s=6, fps=8, size=(160, 90), seed=number, scenes=3)
    RealRun(folder / "undisturbed", films, folder / "watched").end()
    for point in KILLED:
        run = RealRun(home, films, folder / f"watched {point[0]}", [point])
        run.stopped_at(point[0])
        run.kill()
    run = RealRun(home, films, folder / "watched to the end", COPIED)
    for name, _, _ in COPIED:
        run.stopped_at(name)
        copies[name] = folder / f"copy of {name}"
        shutil.copytree(home, copies[name])
        run.go_on()
    run.end()
    return Lives(films, home, state(folder / "undisturbed"), state(home), copies)


def test_killed_time_and_again_it_ends_as_if_it_never_was(lives: Lives) -> None:
    assert len(KILLED) + len(COPIED) >= 30
    assert lives.killed == lives.undisturbed


_ended: dict[str, dict[str, Any]] = {}  # by what the copy held: the same state is continued once


@pytest.mark.parametrize("point", [name for name, _, _ in COPIED])
def test_killed_at_this_point_it_ends_as_if_it_never_was(lives: Lives, point: str, tmp_path: Path) -> None:
    left = tree_hash(lives.copies[point])
    if left not in _ended:
        shutil.rmtree(lives.home)
        shutil.copytree(lives.copies[point], lives.home)
        RealRun(lives.home, lives.films, tmp_path / "watched").end()
        _ended[left] = state(lives.home)
    assert _ended[left] == lives.undisturbed


def test_what_is_compared_is_all_that_a_library_is(lives: Lives) -> None:
    files = lives.undisturbed["files"]
    assert {name.split("/")[0] for name in files} == {"cache", "embeddings", "features", "frames", "index", "scratch"}
    assert [name for name in files if name.startswith(("scratch/", "locks/"))] == ["scratch/.lock"]
    assert sum(name.startswith("index/INDEX/") for name in files) == 6
    (version,) = lives.undisturbed["versions"]
    assert version["tags"]["verdict"] == "better"
    assert version["run"] == [("FINISHED",)]
    assert lives.undisturbed["aliases"] == [("champion", 1)]
    assert [row["index_id"] for row in lives.undisturbed["catalogue"]["index_builds"]] == ["INDEX"]
