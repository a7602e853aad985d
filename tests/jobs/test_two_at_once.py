"""Two real runs on one home: one trains and one indexes at a time, and both end well and tell the truth."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from generated_videos import draw_video
from real_runs import RealRun, state
from stored_frames import store_video
from training_fixtures import register_version, stored_home

from framesearch.backends import open_catalogue, open_storage
from framesearch.catalogue.contract import Catalogue
from framesearch.errors import VideoNotYet, VideoUnavailable
from framesearch.jobs.ingest import discover, extract_once
from framesearch.jobs.retrain import trained_already
from framesearch.models.registry import Registry
from framesearch.models.versions import NOT_BETTER
from framesearch.settings import Settings
from framesearch.store.folder import FolderStorage

pytestmark = pytest.mark.timeout(600)

WAITS_TO_TRAIN = ("waits to train", r"^run write .*/locks/training\.lock", 6)  # asked for it three times
TRAINS = ("trains", r"^train sql INSERT INTO metrics", 1)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for number in range(3):
        draw_video(tmp_path / f"films/film {number}.mp4", duration_s=6, fps=8, size=(160, 90), seed=number, scenes=3)
    return tmp_path / "films"


def mlflow_runs(home: Path) -> list[tuple[str, int, int]]:
    """Status, beginning and end of each, in order."""
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection:
        return connection.execute("SELECT status, start_time, end_time FROM runs ORDER BY start_time").fetchall()


def assert_whole(home: Path) -> None:
    """One model, one index of all videos, nothing left over."""
    held = state(home)
    assert [(one["version"], one["run"]) for one in held["versions"]] == [(1, [("FINISHED",)])]
    assert (held["aliases"], held["other runs"]) == ([("champion", 1)], [])
    (build,) = held["catalogue"]["index_builds"]
    assert (build["videos"], build["published_at"]) == (3, True)
    assert [(video["status"], video["attempts"]) for video in held["catalogue"]["videos"]] == [("ready", 0)] * 3
    assert sum(name.startswith("index/INDEX/") for name in held["files"]) == 6
    assert [name for name in held["files"] if name.startswith(("scratch/", "locks/"))] == ["scratch/.lock"]


def test_one_trains_and_the_other_does_what_is_left(films: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    runs = [RealRun(home, films, tmp_path / f"watched {number}") for number in range(2)]
    told = [run.end() for run in runs]
    assert_whole(home)
    assert len(mlflow_runs(home)) == 1
    assert sum(int(re.search(r"(\d+) videos extracted with", output)[1]) for output in told) == 3
    assert sum(int(re.search(r"(\d+) embedded", output)[1]) for output in told) == 3
    trained, waited = sorted(told, key=lambda output: "waited" in output)
    trainer = next(run for run in runs if run.output == trained)
    assert "v1 was trained and promoted" in trained
    assert re.search(rf"waited \d+ s for framesearch run \(process {trainer.process.pid}, since .*\) to train", waited)
    assert "v1 stays: the catalogue has grown by 0%" in waited
    assert sorted(re.findall(r"index \S+ (published|was up to date): 72 frames of 3 videos", "".join(told))) == [
        "published", "was up to date",
    ]  # fmt: skip


def test_the_other_takes_over_when_the_one_that_trains_is_killed(films: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = RealRun(home, films, tmp_path / "watched first", [TRAINS])
    first.stopped_at("trains")
    second = RealRun(home, films, tmp_path / "watched second", [WAITS_TO_TRAIN])
    second.stopped_at("waits to train")
    training = [process for process in first.tree() if "training" in " ".join(process.cmdline())]
    psutil.Process(first.process.pid).kill()
    first.process.wait()
    for process in training:
        process.resume()  # it notices that it works for nobody; until it has ended, nobody else trains
    second.go_on()
    told = second.end()
    assert_whole(home)
    assert "v1 was trained and promoted" in told
    (killed, _, killed_at), (finished, begun_at, _) = mlflow_runs(home)
    assert (killed, finished) == ("KILLED", "FINISHED")
    assert killed_at <= begun_at


# ---- which trainings are needless


@pytest.fixture
def grown(fresh_registry: Registry) -> Settings:
    """A home whose 96 index frames nobody trained on yet, with settings of the family that `register_version` has."""
    return stored_home(fresh_registry.home).model_copy(update={"encoder_family": "thumbnail"})


def version_of(settings: Settings, registry: Registry, **given: object) -> str | None:
    found = trained_already(open_catalogue(settings), registry, settings, **given)
    return found and found.model_version


def test_a_better_version_that_nobody_promoted_is_promoted_rather_than_trained_again(
    grown: Settings, fresh_registry: Registry
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    assert version_of(grown, fresh_registry, since=later, unpromoted=True) is None
    register_version(fresh_registry, frames=96)
    assert version_of(grown, fresh_registry, since=later, unpromoted=True) == "1"
    assert version_of(grown, fresh_registry, since=later) is None
    other_family = grown.model_copy(update={"encoder_family": "contrastive"})
    assert version_of(other_family, fresh_registry, since=later, unpromoted=True) is None
    store_video(open_catalogue(grown), open_storage(grown), "newcomer", seed=9, seconds=12)  # a quarter more
    assert version_of(grown, fresh_registry, since=later, unpromoted=True) is None


def test_a_verdict_that_one_waited_for_is_taken_whatever_it_is(grown: Settings, fresh_registry: Registry) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    register_version(fresh_registry, frames=96, verdict=NOT_BETTER)
    assert version_of(grown, fresh_registry, since=before) == "1"
    fresh_registry.promote("1", "by hand", force=True)
    assert version_of(grown, fresh_registry, since=before) == "1"
    register_version(fresh_registry, frames=96)  # judged against no champion: out of date
    assert version_of(grown, fresh_registry, since=before) == "1"


# ---- one video, two processes


@pytest.fixture
def listed(films: Path, fresh_catalogue: Catalogue, fresh_settings: Settings) -> Settings:
    (films / "film 2.mp4").write_bytes(b"no video at all")
    discover(str(films), fresh_catalogue, fresh_settings)
    return fresh_settings


def test_what_another_extracted_meanwhile_is_taken_as_it_is(
    listed: Settings, fresh_catalogue: Catalogue, fresh_storage: FolderStorage
) -> None:
    known = fresh_catalogue.videos()[0]  # as two processes find it
    counts, ours = extract_once(known, fresh_catalogue, fresh_storage, listed, "the first")
    noted = fresh_catalogue.video(known.video_id)
    assert ours
    Path(known.url.removeprefix("file://").replace("%20", " ")).unlink()  # a second attempt would fail, and be noted
    assert extract_once(known, fresh_catalogue, fresh_storage, listed, "the second") == (counts, False)
    assert fresh_catalogue.video(known.video_id) == noted


def test_a_failure_is_counted_once(listed: Settings, fresh_catalogue: Catalogue, fresh_storage: FolderStorage) -> None:
    known = fresh_catalogue.videos()[2]
    for holder in ("the first", "the second"):
        with pytest.raises((VideoUnavailable, VideoNotYet), match="film 2"):
            extract_once(known, fresh_catalogue, fresh_storage, listed, holder)
    assert fresh_catalogue.video(known.video_id).attempts == 1
    again = fresh_catalogue.video(known.video_id)  # an attempt of a later day counts
    with pytest.raises((VideoUnavailable, VideoNotYet)):
        extract_once(again, fresh_catalogue, fresh_storage, listed, "a later run")
    assert fresh_catalogue.video(known.video_id).attempts == 2
