"""The three DAGs: house conventions over every DAG, and real DAG runs through the real library."""

import inspect
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_fixtures import ROOT, airflow_db, dag_bag, own_home, read_dags  # noqa: F401 - before anything of Airflow
from generated_videos import Footage, Scene, draw_video

from embedded_stack.dag_runs import missing_step
from framesearch.backends import open_catalogue
from framesearch.records import VideoStatus
from framesearch.search.finder import Finder
from framesearch.settings import Settings

DAGS = ["ingest_playlists", "rebuild_index", "retrain_encoder"]
HEAVY = ["tensorflow", "keras", "mlflow", "faiss", "cv2", "av", "yt_dlp", "pyarrow", "onnxruntime", "PIL", "streamlit"]


@pytest.fixture(params=DAGS)
def dag(request: pytest.FixtureRequest, dag_bag: Any) -> Any:
    return dag_bag.dags[request.param]


def source(dag: Any) -> str:
    return Path(dag.fileloc).read_text(encoding="utf-8")


# ---- conventions


def test_every_file_is_one_dag_of_its_name_and_can_be_read(dag_bag: Any):
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == DAGS == sorted(file.stem for file in (ROOT / "dags").glob("*.py"))


def test_a_dag_explains_itself_in_the_ui(dag: Any):
    assert dag.doc_md.startswith("### ")
    for part in ("**Owner:**", "**When:**", "**Triage**"):
        assert part in dag.doc_md
    told = set(re.findall(r"`([a-z_]+)`", dag.doc_md))
    tasks = {task for task in told if task.split("_")[0] in {task_id.split("_")[0] for task_id in dag.task_ids}}
    assert tasks - set(dag.task_ids) - set(DAGS) == set()  # triage speaks of tasks that exist


def test_the_list_of_dags_says_what_each_does_and_when(dag_bag: Any):
    said = {dag_id: dag.description for dag_id, dag in dag_bag.dags.items()}
    assert said["ingest_playlists"].startswith("Daily")
    assert said["retrain_encoder"].startswith("Weekly")
    assert said["rebuild_index"].startswith("After new frames or a new champion")
    # Airflow's list shows tags, and of a schedule only the assets.
    assert "daily" in dag_bag.dags["ingest_playlists"].tags
    assert "weekly" in dag_bag.dags["retrain_encoder"].tags


def test_a_dag_is_found_by_its_owner_and_tags(dag: Any):
    assert dag.owner == "framesearch"
    assert dag.tags - {"daily", "weekly"} == {"framesearch"}


def test_no_two_dag_runs_of_one_kind_do_the_same_work_and_none_catches_up(dag: Any):
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_a_task_retries_with_back_off_and_ends_some_time(dag: Any):
    for task in dag.tasks:
        if task.task_id == "report_failures":
            assert task.retries == 0  # it only tells what others did
            continue
        assert task.retries >= 1
        assert task.retry_exponential_backoff
        assert task.has_retry_policy
        assert task.execution_timeout


def test_a_dag_file_is_a_table_of_contents(dag: Any):
    text = source(dag)
    assert len(text.splitlines()) <= 120
    code = [line for line in inspect.cleandoc(text.split('"""', 2)[2]).splitlines() if line.strip()]
    assert len(code) <= 80
    assert code[-1] == f"{dag.dag_id}()"
    for body in re.findall(r"        from orchestration import \w+\n\n((?:        .*\n)+)", text):
        assert len(body.splitlines()) == 1  # one import, one call


def test_mapped_tasks_are_labelled(dag: Any):
    for task in dag.tasks:
        if task.is_mapped:
            assert task.partial_kwargs.get("map_index_template")


def test_every_asset_that_is_waited_for_is_announced(dag_bag: Any):
    announced = {outlet.name for dag in dag_bag.dags.values() for task in dag.tasks for outlet in task.outlets}
    assert announced == {"frames", "backlog", "champion", "index"}
    waited_for = {
        dag_id: {asset.name for asset in dag.timetable.asset_condition.objects} for dag_id, dag in dag_bag.dags.items()
    }
    assert waited_for == {
        "ingest_playlists": {"backlog"},
        "retrain_encoder": {"frames"},
        "rebuild_index": {"frames", "champion"},
    }


def test_a_dag_that_is_switched_on_waits_for_its_next_hour(dag: Any):
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import DagSerialization

    stored: SerializedDAG = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    first = stored.next_dagrun_info(last_automated_run_info=None)
    assert first is None or first.run_after > datetime.now(UTC)


def test_every_param_has_a_title_for_the_form(dag: Any):
    for name in dag.params:
        assert dag.params.get_param(name).schema.get("title"), name


def test_the_steps_of_a_person_appear_only_on_request(monkeypatch: pytest.MonkeyPatch, airflow_db: None):
    from framesearch.settings import settings

    for asked, expected in (("True", True), ("False", False)):
        monkeypatch.setenv("FRAMESEARCH_REQUIRE_APPROVAL", asked)
        settings.cache_clear()
        dag = read_dags().dags["retrain_encoder"]
        assert ("approve_promotion" in dag.task_ids) is expected
        if expected:
            assert dag.get_task("promote_challenger").upstream_task_ids == {"require_better", "approve_promotion"}
    settings.cache_clear()


def test_reading_the_dags_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"dags = {str(ROOT / 'dags')!r}\n"
        "bag = DagBag(dag_folder=dags, bundle_path=dags, bundle_name='dags-folder')\n"
        "assert len(bag.dags) == 3, bag.import_errors\n"
        "print('LOADED', *sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True
    ).stdout
    loaded = set(told.split("LOADED")[1].split())
    assert {name for name in loaded if name.split(".")[0] in HEAVY} == set()
    library = {name for name in loaded if name.startswith(("framesearch.", "orchestration."))}
    light = {"framesearch.settings", "framesearch.errors", "framesearch.records", "framesearch.database_urls"}
    bodies = {"orchestration.ingesting", "orchestration.retraining", "orchestration.rebuilding"}
    assert {name for name in library if name.startswith("framesearch.")} <= light
    assert not library & bodies


# ---- real DAG runs


def run(dag_bag: Any, dag_id: str, **conf: Any) -> Any:
    """One DAG run in this process, through the real library; the finished run."""
    return read_dags().dags[dag_id].test(run_conf=conf)  # read anew: a test run leaves its params in the DAG


def states(dag_run: Any) -> dict[str, list[str]]:
    """Task states by task, in the order of map indexes."""
    found: dict[str, list[str]] = {}
    for ti in sorted(dag_run.get_task_instances(), key=lambda ti: ti.map_index):
        found.setdefault(ti.task_id, []).append(str(ti.state))
    return found


def task_labels(dag_run: Any, task_id: str) -> list[str]:
    tasks = [ti for ti in dag_run.get_task_instances() if ti.task_id == task_id]
    return [ti.rendered_map_index for ti in sorted(tasks, key=lambda ti: ti.map_index)]


def announced(asset: str) -> list[dict[str, Any]]:
    """What was announced of an asset so far, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(query.where(AssetModel.name == asset).order_by(AssetEvent.id)))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two videos, a damaged one, and one that is no video at all."""
    folder = tmp_path_factory.mktemp("footage")
    draw_video(folder / "Frogs & toads.mp4", duration_s=12, seed=1, scenes=3)
    draw_video(folder / "Bikes.mp4", duration_s=10, seed=2, scenes=3)
    (folder / "Damaged.mp4").write_bytes(b"not a video" * 100)
    os.utime(folder / "Damaged.mp4", (1e9, 1e9))  # long ago: nobody is still copying it
    (folder / "notes.txt").write_text("no video")
    return folder


def test_a_folder_is_ingested_and_a_bad_video_costs_the_others_nothing(
    dag_bag: Any,
    own_home: Settings,
    footage: Path,
):
    before = len(announced("frames"))
    first = run(dag_bag, "ingest_playlists", playlists=[str(footage)])
    assert str(first.state) == "success"
    assert sorted(states(first)["extract_frames"]) == ["skipped", "success", "success"]
    assert sorted(task_labels(first, "extract_frames")) == ["Bikes", "Damaged (corrupt)", "Frogs & toads"]
    (told,) = announced("frames")[before:]
    assert told["videos"] == 2
    assert told["index_frames"] > 20

    again = run(dag_bag, "ingest_playlists")
    assert str(again.state) == "success"
    assert states(again)["list_playlist"] == ["success"]  # the folder is followed from then on
    assert states(again)["extract_frames"] == ["skipped"]  # nothing to map over
    assert len(announced("frames")) == before + 1  # nothing new, nothing announced


def test_a_playlist_that_fails_turns_red_and_costs_the_others_nothing(
    dag_bag: Any,
    own_home: Settings,
    footage: Path,
    tmp_path: Path,
):
    missing = tmp_path / "gone"
    before = len(announced("frames"))
    dag_run = run(dag_bag, "ingest_playlists", playlists=[str(missing), str(footage)], limit=1)
    assert str(dag_run.state) == "failed"
    assert states(dag_run)["list_playlist"] == ["failed", "success"]
    assert states(dag_run)["report_failures"] == ["failed"]
    assert len(states(dag_run)["extract_frames"]) == 1  # the limit
    assert states(dag_run)["announce_backlog"] == ["skipped"]  # who sets a limit wants no more
    assert len(announced("frames")) == before + 1


def test_more_videos_than_one_dag_run_takes_follow_in_the_next(
    dag_bag: Any,
    own_home: Settings,
    footage: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    from orchestration import ingesting

    monkeypatch.setattr(ingesting, "SLICE", 1)
    before = len(announced("backlog"))
    dag_run = run(dag_bag, "ingest_playlists", playlists=[str(footage)])
    for _ in range(3):
        if str(states(dag_run)["announce_backlog"][0]) != "success":
            break
        dag_run = run(dag_bag, "ingest_playlists")
    assert states(dag_run)["announce_backlog"] == ["skipped"]
    assert 1 <= len(announced("backlog")) - before <= 3
    ready = [video.title for video in open_catalogue(own_home).videos(VideoStatus.READY)]
    assert sorted(ready) == ["Bikes", "Frogs & toads"]


def test_nothing_is_missing_where_nothing_was_ingested(own_home: Settings):
    assert missing_step(own_home) is None


def test_without_a_champion_the_index_waits_politely(dag_bag: Any, own_home: Settings):
    dag_run = run(dag_bag, "rebuild_index")
    assert str(dag_run.state) == "success"
    assert states(dag_run)["find_champion"] == ["skipped"]
    assert states(dag_run)["publish_index"] == ["skipped"]


def test_without_frames_training_waits_politely(dag_bag: Any, own_home: Settings):
    dag_run = run(dag_bag, "retrain_encoder", minutes=0.05)
    assert str(dag_run.state) == "success"
    assert states(dag_run)["train_challenger"] == ["skipped"]
    assert states(dag_run)["promote_challenger"] == ["skipped"]


def test_the_three_dags_turn_a_folder_into_an_index_that_answers(
    dag_bag: Any,
    own_home: Settings,
    tmp_path: Path,
):
    folder = tmp_path / "footage"
    for number, title in enumerate(["Frogs", "Bikes"]):
        draw_video(folder / f"{title}.mp4", duration_s=40, seed=10 + number, scenes=8)
    run(dag_bag, "ingest_playlists", playlists=[str(folder)])

    assert missing_step(own_home) == "retrain_encoder"

    trained = run(dag_bag, "retrain_encoder", minutes=0.1)
    assert str(trained.state) == "success", states(trained)
    assert states(trained)["promote_challenger"] == ["success"]
    assert announced("champion")[-1]["model_version"] == "1"
    assert missing_step(own_home) == "rebuild_index"

    built = run(dag_bag, "rebuild_index")
    assert str(built.state) == "success", states(built)
    assert states(built)["embed_videos"] == ["success", "success"]
    assert sorted(task_labels(built, "embed_videos")) == ["Bikes", "Frogs"]
    assert announced("index")[-1]["videos"] == 2
    assert missing_step(own_home) is None
    answer = Finder(own_home).search(Footage((320, 180), 10, [Scene(5.0)] * 8).at(22.3))
    assert answer.matches[0].title == "Frogs"

    # A third video: only that one is extracted and embedded, and the old ones stay.
    draw_video(folder / "Kites.mp4", duration_s=10, seed=30)
    third = run(dag_bag, "ingest_playlists")
    assert states(third)["extract_frames"] == ["success"]
    assert missing_step(own_home) == "rebuild_index"
    rebuilt = run(dag_bag, "rebuild_index")
    assert task_labels(rebuilt, "embed_videos") == ["Kites"]
    assert announced("index")[-1]["videos"] == 3

    # Once more: nothing to embed, nothing to publish, nothing broken.
    idle = run(dag_bag, "rebuild_index")
    assert str(idle.state) == "success"
    assert states(idle)["publish_index"] == ["skipped"]
