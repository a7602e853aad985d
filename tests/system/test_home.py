"""A home: whatever its folder is called everything lies below it, nobody else gets in, and a copy of it is its own."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from generated_videos import draw_video
from training_fixtures import ODD_NAME, Trained, empty_database, free_port, register_version  # noqa: F401

from embedded_stack.environment import stack_environment
from embedded_stack.processes import Processes
from framesearch.database_urls import sqlite_file, sqlite_url
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.relocation import adopt_artifacts
from framesearch.settings import Settings
from framesearch.system import privacy
from framesearch.system.privacy import close_to_others
from framesearch.video import VideoFile
from mlflow_server.__main__ import command

ODD_NAMES = [
    *(ODD_NAME, "a%41", "50% of it", "%(home)s", "what?", "a#b", "me@host", "it's", 'a "b"', "a+b", "a:b", "a\\b"),
    *("a=b&c=d;e", "sqlite:", "$OTHER", "~", "שלום עולם", "a\u202eb", "🙂"),
]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """What an ordinary system starts with, and other tests go on with."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def command_line(*arguments: object, home: Path, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The real `framesearch`, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from framesearch.cli.app import app; app()", *map(str, arguments)],
        env={**os.environ, "FRAMESEARCH_HOME": str(home), **settings},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def named_places(home: Path) -> str:
    """All that MLflow's database of a home says, as text."""
    with sqlite3.connect(home / "mlflow" / "mlflow.db") as connection:
        return "\n".join(connection.iterdump())


# ---- a home of any name


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_address_of_a_database_leads_back_to_its_file(tmp_path: Path, name: str):
    import sqlalchemy as sa

    file = tmp_path / name / "a.db"
    file.parent.mkdir()
    address = sqlite_url(file)
    assert sqlite_file(address) == file
    with sa.create_engine(address).begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (x)"))
    assert file.is_file()
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_what_is_no_file_of_sqlite_is_none():
    for address in ("postgresql://me@host/db", "http://127.0.0.1:5000", "sqlite://", "sqlite:///:memory:"):
        assert sqlite_file(address) is None


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_part_of_the_stack_is_told_of_the_same_home(tmp_path: Path, name: str):
    settings = Settings(home=tmp_path / name)
    values = stack_environment(settings)
    database = sqlite_file(values["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert database == settings.home / "airflow" / "airflow.db"
    assert Path(values["AIRFLOW_HOME"]) == settings.home / "airflow"
    arguments = command(settings, {})
    told = {option: arguments[arguments.index(option) + 1] for option in arguments if option.startswith("--")}
    assert sqlite_file(told["--backend-store-uri"]) == settings.home / "mlflow" / "mlflow.db"
    assert told["--default-artifact-root"] == (settings.home / "mlflow" / "artifacts").as_uri()
    assert sqlite_file(settings.catalogue) == settings.home / "catalogue.db"


# ---- nobody else gets in


def test_a_new_home_is_its_owners(tmp_path: Path):
    (tmp_path / "films").mkdir()
    draw_video(tmp_path / "films" / "film.mp4", duration_s=3, seed=1)
    home = tmp_path / "home"
    command_line("run", tmp_path / "films", home=home, cwd=tmp_path)  # too little to train on
    assert (home / "catalogue.db").is_file()
    assert mode(home) == 0o700
    assert [path for path in home.rglob("*") if mode(path) & 0o077] == []


def test_an_existing_home_is_closed(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    command_line("status", home=home, cwd=tmp_path)
    assert mode(home) == 0o700


def test_what_holds_more_than_a_home_is_left_as_it_is_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path / "users" / "me"))
    (tmp_path / "users" / "me").mkdir(parents=True)
    for home in (tmp_path / "users" / "me", tmp_path / "users"):
        assert "name a folder of its own" in str(close_to_others(Settings(home=home)))
        assert mode(home) == 0o755
    monkeypatch.setattr(privacy, "CHECKOUT", tmp_path / "checkout" / "framesearch")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout").chmod(0o755)
    assert close_to_others(Settings(home=tmp_path / "checkout"))
    below = tmp_path / "users" / "me" / ".framesearch"
    below.mkdir()
    below.chmod(0o755)
    assert close_to_others(Settings(home=below)) is None
    assert mode(below) == 0o700


def test_what_is_made_afterwards_is_the_owners_alone(tmp_path: Path):
    assert close_to_others(Settings(home=tmp_path / "home")) is None
    assert not (tmp_path / "home").exists()  # asking makes nothing
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "file").touch()
    assert (mode(tmp_path / "home"), mode(tmp_path / "home" / "file")) == (0o700, 0o600)


# ---- a copy is its own


def test_a_copy_has_its_own_models_and_leaves_the_old_ones_alone(trained: Trained, tmp_path: Path):
    old, new = trained.settings.home, tmp_path / f"copied {ODD_NAME}"
    shutil.copytree(old, new)
    shutil.rmtree(new / "cache", ignore_errors=True)
    before = contents(old / "mlflow")
    registry = Registry(Settings(home=new))
    version = trained.outcome.model_version
    assert Encoder(registry.encoder_file(version)).digest == registry.version(version).encoder_sha256
    registry.client.log_text(trained.outcome.run_id, "written to the copy", "note.txt")
    second = register_version(registry, judged_against=None)
    registry.promote(second, "the copy's own", force=True)
    assert registry.champion().version == second
    assert contents(old / "mlflow") == before
    assert old.as_uri() not in named_places(new)
    assert [file.read_text() for file in (new / "mlflow").rglob("note.txt")] == ["written to the copy"]


def test_a_home_that_moves_on_and_on_keeps_its_models(fresh_registry: Registry, tmp_path: Path):
    fresh_registry.promote(register_version(fresh_registry), "the first")
    home = fresh_registry.home
    for name in ("second", "%41", "second"):
        home = home.rename(tmp_path / name)
        shutil.rmtree(home / "cache", ignore_errors=True)
        registry = Registry(Settings(home=home))
        assert registry.encoder_file(registry.champion().version).is_file()
    assert list((tmp_path).iterdir()) == [home]


def test_experiments_that_keep_their_artifacts_elsewhere_go_on_there(fresh_registry: Registry, tmp_path: Path):
    elsewhere = (tmp_path / "elsewhere").as_uri()
    fresh_registry.experiment_id()
    fresh_registry.client.create_experiment("theirs", artifact_location=elsewhere)
    moved = fresh_registry.home.rename(tmp_path / "moved")
    adopt_artifacts(moved)
    client = Registry(Settings(home=moved)).client
    assert client.get_experiment_by_name("theirs").artifact_location == elsewhere
    assert client.get_experiment_by_name("frame-encoder").artifact_location.startswith(moved.as_uri())


def test_the_old_homes_servers_are_none_of_the_copys(tmp_path: Path):
    old, new = Processes(tmp_path / "old"), Processes(tmp_path / "new")
    (tmp_path / "old").mkdir()
    record = old.start("page", [sys.executable, "-c", "import time; time.sleep(300)"], os.environ)
    try:
        shutil.copytree(tmp_path / "old", tmp_path / "new")
        assert new.running("page") is None
        new.stop(["page"], grace_s=0)
        assert old.running("page") == record
    finally:
        old.stop(["page"], grace_s=0)


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_the_whole_line_runs_in_any_home_and_goes_on_where_it_is_moved(tmp_path: Path):
    films, place, home = tmp_path / "films", tmp_path / "place", tmp_path / "place" / ODD_NAME
    films.mkdir()
    place.mkdir()
    for number in range(3):
        draw_video(films / f"film {number}.mp4", duration_s=12, seed=70 + number, scenes=4)
    few = {"FRAMESEARCH_FIRST_TRAINING_MINUTES": "0.05", "FRAMESEARCH_RETRAIN_GROWTH": "1000"}
    first = command_line("run", films, home=home, cwd=place, **few)
    assert first.returncode == 0, first.stdout + first.stderr
    assert [found.name for found in place.iterdir()] == [ODD_NAME]  # nothing beside it

    moved = tmp_path / "moved" / f"here {ODD_NAME}"
    shutil.copytree(home, moved)
    shutil.rmtree(moved / "cache")
    before = contents(home)
    draw_video(films / "another.mp4", duration_s=12, seed=90, scenes=4)
    second = command_line("run", films, home=moved, cwd=tmp_path, **few)
    assert second.returncode == 0, second.stdout + second.stderr
    assert Registry(Settings(home=moved)).champion().version == "1"
    with VideoFile(films / "another.mp4", height=180, max_hours=1) as file:
        picture = next(np.asarray(frame.picture()) for frame in file.frames() if frame.timestamp_s > 5)
    _write(tmp_path / "shot.png", picture)
    found = command_line("search", "--json", tmp_path / "shot.png", home=moved, cwd=tmp_path)
    assert json.loads(found.stdout)["matches"][0]["title"] == "another"

    _served_model(Settings(home=moved, mlflow_port=free_port()))
    assert contents(home) == before
    assert home.as_uri() not in named_places(moved)


def _served_model(settings: Settings) -> None:
    """Fail unless MLflow's page of the champion lists its encoder."""
    from mlflow_servers import start, wait_for

    registry = Registry(settings)
    (model,) = registry.client.search_logged_models([registry.experiment_id()])
    server, url = start(settings), f"http://127.0.0.1:{settings.mlflow_port}"
    try:
        wait_for(url, server)
        folder = f"{url}/ajax-api/2.0/mlflow/logged-models/{model.model_id}/artifacts/directories"
        listed = urllib.request.urlopen(f"{folder}?artifact_directory_path=extra_files", timeout=60).read()
        assert b"encoder.onnx" in listed
    finally:
        server.terminate()
        server.wait(60)


def _write(file: Path, rgb: np.ndarray) -> None:
    import cv2

    cv2.imwrite(str(file), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
