"""The three DAGs: house conventions over every DAG, and real DAG runs through the real library."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow_fixtures import ROOT, airflow_db, dag_bag, own_home  # noqa: F401 - before anything of Airflow

DAGS = ["ingest_playlists", "rebuild_index", "retrain_encoder"]
HEAVY = ["tensorflow", "keras", "mlflow", "faiss", "cv2", "av", "yt_dlp", "pyarrow", "onnxruntime", "PIL", "streamlit"]


@pytest.fixture(params=DAGS)
def dag(request: pytest.FixtureRequest, dag_bag: Any) -> Any:  # noqa: F811
    return dag_bag.dags[request.param]


def source(dag: Any) -> str:
    return Path(dag.fileloc).read_text(encoding="utf-8")


# ---- conventions


def test_every_file_is_one_dag_of_its_name_and_can_be_read(dag_bag: Any):  # noqa: F811
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == DAGS == sorted(file.stem for file in (ROOT / "dags").glob("*.py"))


def test_a_dag_explains_itself_in_the_ui(dag: Any):
    assert dag.doc_md.startswith("### ")
    for part in ("**Owner:**", "**When:**", "**Triage**"):
        assert part in dag.doc_md
    told = set(re.findall(r"`([a-z_]+)`", dag.doc_md))
    tasks = {task for task in told if task.split("_")[0] in {task_id.split("_")[0] for task_id in dag.task_ids}}
    assert tasks - set(dag.task_ids) - set(DAGS) == set()  # triage speaks of tasks that exist


def test_a_dag_is_found_by_its_owner_and_tags(dag: Any):
    assert dag.owner == "framesearch"
    assert dag.tags == {"framesearch"}


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


def test_every_asset_that_is_waited_for_is_announced(dag_bag: Any):  # noqa: F811
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


def test_every_param_has_a_title_for_the_form(dag: Any):
    for name in dag.params:
        assert dag.params.get_param(name).schema.get("title"), name


def test_the_steps_of_a_person_appear_only_on_request(monkeypatch: pytest.MonkeyPatch, airflow_db: None):  # noqa: F811
    from airflow.dag_processing.dagbag import DagBag

    from framesearch.settings import settings

    for asked, expected in (("True", True), ("False", False)):
        monkeypatch.setenv("FRAMESEARCH_REQUIRE_APPROVAL", asked)
        settings.cache_clear()
        bag = DagBag(dag_folder=str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder")
        dag = bag.dags["retrain_encoder"]
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
    light = {"framesearch.settings", "framesearch.errors", "framesearch.records"}
    bodies = {"orchestration.ingesting", "orchestration.retraining", "orchestration.rebuilding"}
    assert {name for name in library if name.startswith("framesearch.")} <= light
    assert not library & bodies
