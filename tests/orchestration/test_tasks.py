"""What a failure means to Airflow, and how people see it."""

import os
from pathlib import Path

import pytest
from airflow_fixtures import ROOT, own_home  # noqa: F401 - before anything of Airflow

# isort: split
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from framesearch import errors
from framesearch.backends import open_catalogue
from framesearch.errors import FramesearchError, StorageFull, VideoNotYet, VideoUnavailable
from framesearch.records import ListedVideo, PlaylistListing
from orchestration import failures, labels
from orchestration.tasks import LibraryTask

ALL_ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, FramesearchError) and error is not FramesearchError
]


def raised(error: type[FramesearchError]) -> FramesearchError:
    return error("it happened", "private") if error in (VideoUnavailable, VideoNotYet) else error("it happened")


def action(error: Exception) -> RetryAction:
    return failures.RETRY_POLICY.evaluate(error, try_number=1, max_tries=2).action


@pytest.mark.parametrize("error", ALL_ERRORS)
def test_every_error_of_the_library_means_one_thing_to_airflow(error: type[FramesearchError]):
    of_queries = error is errors.ImageUnreadable  # no task reads what people upload
    kinds = [error in failures.SKIPPED, error in failures.FAILED, error in failures.RETRIED, of_queries]
    assert kinds.count(True) == 1


@pytest.mark.parametrize("error", failures.FAILED)
def test_what_needs_a_person_fails_at_once(error: type[FramesearchError]):
    assert action(raised(error)) is RetryAction.FAIL
    assert not failures.is_skipped(raised(error))


@pytest.mark.parametrize("error", failures.RETRIED)
def test_what_may_pass_is_retried(error: type[FramesearchError]):
    assert action(raised(error)) is RetryAction.RETRY


def test_what_nobody_foresaw_is_retried_as_airflow_does():
    assert action(ZeroDivisionError()) is RetryAction.DEFAULT


@pytest.mark.parametrize("error", failures.SKIPPED)
def test_what_has_nothing_to_do_is_skipped(error: type[FramesearchError]):
    assert failures.is_skipped(raised(error))


@pytest.mark.parametrize(("reason", "skipped"), [("live", True), ("upcoming", True), ("network", False)])
def test_a_broadcast_is_left_for_another_day_and_the_network_tried_again(reason: str, skipped: bool):
    assert failures.is_skipped(VideoNotYet("later", reason)) is skipped


class TaskInstance:
    """As much of Airflow's as a task body sees: what it pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, str] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.pushed[key] = value


def run_task(body) -> dict:
    task = LibraryTask(task_id="t", python_callable=body, op_args=[], op_kwargs={})
    context = {"ti": TaskInstance(), "outlet_events": {}}
    try:
        context["result"] = task.execute(context)
    except Exception as error:
        context["raised"] = error
    return context


def test_a_skipped_task_tells_its_reason_in_label_and_xcom():
    def body():
        raise VideoUnavailable("video x is private: ask its owner", "members_only")

    context = run_task(body)
    assert isinstance(context["raised"], AirflowSkipException)
    assert context["outcome"] == "members only"
    assert context["ti"].pushed["reason"] == "video x is private: ask its owner"


def test_a_failed_task_keeps_its_own_error_and_is_labelled_with_it():
    def body():
        raise StorageFull("no space left for /data")

    context = run_task(body)
    assert isinstance(context["raised"], StorageFull)
    assert context["outcome"] == "StorageFull"


class ReportingTask:
    def __init__(self, states: dict[str, str]) -> None:
        self.states, self.dag_id, self.run_id = states, "d", "r"
        self.upstream_task_ids = {"list_playlist", "extract_frames"}

    def get_task_states(self, dag_id: str, run_ids: list[str], task_ids: list[str]) -> dict:
        assert task_ids == ["extract_frames", "list_playlist"]
        return {"r": self.states}


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_the_last_task_turns_the_dag_run_red_and_names_what_failed(state: str):
    task = ReportingTask({"list_playlist_0": "success", "list_playlist_1": state, "extract_frames_0": "skipped"})
    with pytest.raises(AirflowFailException, match=r"1 tasks failed.*list_playlist_1"):
        failures.report_failures({"ti": task, "task": task})


def test_skipped_tasks_leave_the_dag_run_green():
    task = ReportingTask({"list_playlist_0": "success", "extract_frames_0": "skipped"})
    assert failures.report_failures({"ti": task, "task": task})


# ---- beside `framesearch run`


@pytest.fixture
def home_in_use(own_home, empty_database: Path):
    """A home with four videos, and one model version that somebody trains while the DAG is about to."""
    import shutil

    from training_fixtures import stored_home

    (own_home.home / "mlflow").mkdir(parents=True)
    shutil.copy(empty_database, own_home.home / "mlflow")
    stored_home(own_home.home)
    return own_home


def test_the_dag_takes_what_a_run_trained_meanwhile(home_in_use, monkeypatch: pytest.MonkeyPatch):
    from training_fixtures import register_version

    from framesearch.models.registry import Registry
    from framesearch.settings import settings
    from orchestration import retraining

    monkeypatch.setenv("FRAMESEARCH_ENCODER_FAMILY", "convolutional")
    settings.cache_clear()
    params = {"family": None, "minutes": None, "teacher": None, "force": False}
    plan = retraining.plan_training(params, {})
    version = register_version(Registry(settings()), frames=96, family="convolutional")
    assert retraining.train_challenger(plan)["model_version"] == version
    monkeypatch.setattr(retraining, "train", lambda *_, **__: pytest.fail("trains"))
    for other in ({"force": True}, {"family": "contrastive"}, {"teacher": "1"}):  # somebody asked for something else
        with pytest.raises(pytest.fail.Exception, match="trains"):
            retraining.train_challenger({**plan, **other})
    with pytest.raises(pytest.fail.Exception, match="trains"):  # a training of before the plan says nothing
        retraining.train_challenger(retraining.plan_training(params, {}))


def test_the_dag_publishes_what_is_left_where_a_run_was_quicker(home_in_use):
    from stored_frames import store_video
    from training_fixtures import register_version

    from framesearch.backends import open_storage
    from framesearch.index.pointer import current_index_id, stored_index_ids
    from framesearch.jobs import publish_index
    from framesearch.models.registry import Registry
    from orchestration import rebuilding

    registry, catalogue, storage = Registry(home_in_use), open_catalogue(home_in_use), open_storage(home_in_use)
    registry.promote(register_version(registry, frames=96), "first")
    champion = rebuilding.find_champion()
    rebuilding.embed_videos([video.video_id for video in catalogue.videos()], champion)
    built = rebuilding.build_index(champion, {})
    store_video(catalogue, storage, "newcomer", seed=9, seconds=12)
    rebuilding.embed_videos(["newcomer"], champion)
    encoder_file = Path(champion["encoder_file"])
    theirs, _ = publish_index.update_index("1", encoder_file, catalogue, storage, home_in_use)  # `framesearch run`
    context = {"ti": TaskInstance()}
    with pytest.raises(AirflowSkipException, match=f"index {theirs.index_id} is published already"):
        list(rebuilding.publish_index(built, context))
    assert stored_index_ids(storage) == [theirs.index_id] == [current_index_id(storage)[0]]


# ---- labels


def test_a_mapped_task_is_labelled_with_its_videos_title(own_home):
    from datetime import UTC, datetime

    videos = [ListedVideo("yt-1", "u1", "Frogs\nand  toads"), ListedVideo("yt-2", "u2", "x" * 500)]
    open_catalogue(own_home).record_listing(PlaylistListing("p", "P", videos), datetime.now(UTC))
    assert labels.title("yt-1") == "Frogs and toads"
    assert len(labels.title("yt-2")) <= 120
    assert labels.titles(["yt-1", "yt-2"]) == "Frogs and toads and 1 more"


def test_a_label_never_fails_a_task(own_home, monkeypatch: pytest.MonkeyPatch):
    assert labels.title("unknown") == "unknown"
    monkeypatch.setenv("FRAMESEARCH_CATALOGUE_URI", "nonsense://")
    from framesearch.settings import settings

    settings.cache_clear()
    assert labels.title("yt-1") == "yt-1"
    assert labels.titles([]) == ""


# ---- the plugin


def test_the_plugin_puts_mlflow_and_the_page_into_the_navigation(tmp_path: Path):
    import json
    import subprocess
    import sys

    program = (
        "import json; from airflow import plugins_manager as m; plugins, errors = m._get_plugins()\n"
        "print(json.dumps([[view for plugin in plugins for view in plugin.external_views], errors]))"
    )
    environment = {**os.environ, "FRAMESEARCH_HOST": "0.0.0.0", "FRAMESEARCH_PAGE_PORT": "9999"}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    views, problems = json.loads(told.splitlines()[-1])
    assert problems == {}  # of the packages beside it, none is run as a plugin
    assert [view["name"] for view in views] == ["MLflow", "Search page"]
    assert views[0]["href"].endswith("/#/models/frame-encoder?workflowType=machine_learning")
    assert views[1]["href"].endswith(":9999")
    assert "0.0.0.0" not in views[1]["href"]  # no browser finds that


def test_odd_names_of_playlists_cost_the_others_nothing() -> None:
    from orchestration import ingesting

    odd = [
        "file://[bad",
        "/films/\0",
        "x" * 5000,
        "\ud800",
        "https://site.example/\udcff",
        "  ",
        "https://site.example/a",
    ]
    named = ingesting.playlists_to_list({"playlists": odd})
    assert len(named) == len(odd) - 1
    assert named[-1] == "https://site.example/a"
    "".join(named).encode()
