"""Running the three DAGs over the playlists and following them until an index answers."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded_stack.airflow_api import AirflowApi, AirflowRefused, AirflowUnreachable
from embedded_stack.errors import ComponentFailed
from embedded_stack.progress import Progress, Row
from framesearch.settings import Settings

INGEST, RETRAIN, REBUILD = "ingest_playlists", "retrain_encoder", "rebuild_index"
DAGS = (INGEST, RETRAIN, REBUILD)

_ACTIVE = ("queued", "running")
_WAITING_FOR_A_PERSON = ("awaiting_input", "deferred")
_OVER = ("success", "failed", "skipped", "upstream_failed", "removed")
_POLL_S = 1.0
_PARSED_S = 120.0
_SILENT_S = 60.0  # an API server that restarts answers again by then
_OF_A_LOG = re.compile(r"^\d{4}-\d\d-\d\d [\d:,.]+ [A-Z]+ [\w.]+: ")  # a line that was logged before, elsewhere
_TOLD = ("extract_frames", "plan_training", "train_challenger", "require_better")  # tasks whose skipping is news
_SETTLED = 2  # polls without anything to do, after which nothing more will come by itself


@dataclass(frozen=True)
class Failure:
    """A task that failed, why, and where its log lies."""

    dag_id: str
    task: str
    reason: str
    log: Path


@dataclass(frozen=True)
class Outcome:
    """How the DAG runs ended.

    Attributes:
        skipped: reasons of tasks that had nothing to do, which explain why a step is missing.
        approval: the address at which a person has to approve a promotion, where one waits.
        training: whether a further model is still being trained, while the index answers already.
    """

    failures: tuple[Failure, ...]
    skipped: tuple[str, ...] = ()
    approval: str | None = None
    training: bool = False


class Pipeline:
    """The three DAGs of one running stack.

    Args:
        alive: raises when the servers are not all there any more.
    """

    def __init__(
        self, api: AirflowApi, address: str, settings: Settings, progress: Progress, alive: Callable[[], None]
    ) -> None:
        self._api = api
        self._address = address
        self._settings = settings
        self._progress = progress
        self._alive = alive
        self._since = datetime.now(UTC)
        self._seen: set[tuple[str, str]] = set()  # DAG runs that were active while followed: DAG and run id
        self._approval: str | None = None
        self._training = False

    def run(self, playlists: Sequence[str]) -> Outcome:
        """Ingest these playlists (none: all that are followed) and see to it that an index of them is published.

        Raises:
            ComponentFailed: a DAG file can't be read, or Airflow stopped answering.
            StackGone: the stack was stopped meanwhile.
        """
        self._wait_for_dags()
        for dag_id in DAGS:
            self._api.unpause(dag_id)
        self._api.trigger(INGEST, {"playlists": list(playlists)} if playlists else {})
        helped: set[str] = set()
        while True:
            self._follow()
            step = None if self._approval or self._training else missing_step(self._settings)
            if step is None or step in helped:  # what was tried once in vain is told, not tried for ever
                return self._outcome()
            helped.add(step)
            self._progress.tell(f"{step} has not done its part yet: starting it")
            self._api.trigger(step, {})

    def _wait_for_dags(self) -> None:
        deadline = time.monotonic() + _PARSED_S
        while set(DAGS) - self._api.known_dags():
            self._alive()
            if errors := self._api.import_errors():
                file, trace = next(iter(errors.items()))
                raise ComponentFailed(f"Airflow can't read {file}: {trace.strip().splitlines()[-1]}")
            if time.monotonic() > deadline:
                raise ComponentFailed("Airflow has not read the DAG files in time: see logs/airflow-dag-processor.log")
            time.sleep(_POLL_S / 2)

    def _follow(self) -> None:
        """Return when no DAG run is active or about to be, or only a training that nobody needs to wait for."""
        settled, trained_alone, answered = 0, 0, time.monotonic()
        while settled < _SETTLED:
            self._alive()
            try:
                active = self._active_runs()
                rows = [self._row(run) for run in active]
                busy = [run for run in active if not self._waits_for_a_person(run)]
                queued = not busy and any(self._api.is_asset_queued(dag_id) for dag_id in DAGS)
            except (AirflowUnreachable, AirflowRefused) as error:
                if time.monotonic() - answered > _SILENT_S:
                    raise ComponentFailed(f"{error}; see logs/airflow-api-server.log, then `make up` again") from error
                time.sleep(_POLL_S)
                continue
            answered = time.monotonic()
            self._progress.show(rows)
            # While a promotion waits for a person, assets queue behind it: nothing to wait for here.
            settled = settled + 1 if not busy and (not queued or self._approval) else 0
            trained_alone = trained_alone + 1 if {run["dag_id"] for run in busy} == {RETRAIN} else 0
            if trained_alone == _SETTLED and missing_step(self._settings) is None:
                self._training = True
                return
            time.sleep(_POLL_S)

    def _active_runs(self) -> list[dict[str, Any]]:
        active = []
        for dag_id in DAGS:
            runs = self._api.dag_runs(dag_id, states=_ACTIVE)
            self._seen.update((dag_id, run["dag_run_id"]) for run in runs)
            running = [run | {"tasks": self._tasks(run)} for run in runs if run["state"] == "running"]
            active += running or [run | {"tasks": []} for run in runs[-1:]]  # queued ones wait for the running one
        return active

    def _tasks(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._api.task_instances(run["dag_id"], run["dag_run_id"])

    def _waits_for_a_person(self, run: Mapping[str, Any]) -> bool:
        if run["state"] == "queued":  # behind the one that waits
            return self._approval is not None and run["dag_id"] == RETRAIN
        open_tasks = [task for task in run["tasks"] if task["state"] not in (*_OVER, None)]
        if not open_tasks or any(task["state"] not in _WAITING_FOR_A_PERSON for task in open_tasks):
            return False
        self._approval = f"{self._address}/dags/{run['dag_id']}/runs/{run['dag_run_id']}/required_actions"
        return True

    def _row(self, run: Mapping[str, Any]) -> Row:
        tasks = run["tasks"]
        started = run["start_date"] or run["queued_at"] or run["run_after"]
        elapsed = (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
        busy = [task for task in tasks if task["state"] in ("running", "queued", "up_for_retry", "restarting")]
        names = list(dict.fromkeys(task["task_id"] for task in busy))
        mapped = [task for task in tasks if task["task_id"] in names[:1] and task["map_index"] >= 0]
        done = sum(task["state"] in _OVER for task in mapped)
        running = [task for task in busy if task["state"] == "running"] or busy
        return Row(
            dag_id=run["dag_id"],
            state=run["state"],
            step=", ".join(names) or ("waits for its turn" if run["state"] == "queued" else "goes on"),
            done=done,
            total=len(mapped),
            elapsed_s=max(0.0, elapsed),
            note=self._note(running),
        )

    def _note(self, running: Sequence[Mapping[str, Any]]) -> str:
        """What the running tasks work on, by their labels; else the last line of the log."""
        labels = [task["rendered_map_index"] for task in running if task["map_index"] >= 0]
        if labels := [label for label in labels if label and not label.isdecimal()]:  # its number, before its label
            return ", ".join(labels)
        waiting = [task for task in running if task["state"] == "up_for_retry"]
        if waiting:
            return f"tried again soon: {_reason(self._log(waiting[0]))}"
        return _last_event(self._log(running[0])) if running else ""

    def _log(self, task: Mapping[str, Any]) -> Path:
        """Where Airflow writes a task instance's log."""
        folder = self._settings.home / "logs" / "airflow"
        folder = folder / f"dag_id={task['dag_id']}" / f"run_id={task['dag_run_id']}" / f"task_id={task['task_id']}"
        if task["map_index"] >= 0:
            folder /= f"map_index={task['map_index']}"
        return folder / f"attempt={task['try_number']}.log"

    def _outcome(self) -> Outcome:
        failures, skipped = [], []
        for run in self._followed():
            dag_id = run["dag_id"]
            for task in self._tasks(run):
                if task["state"] == "failed" and task["task_id"] != "report_failures":
                    label = task["rendered_map_index"] or ""
                    name = f"{task['task_id']} ({label})" if label else task["task_id"]
                    failures.append(Failure(dag_id, name, _reason(self._log(task)), self._log(task)))
                elif task["task_id"] in _TOLD and (reason := _skip_reason(task, self._log(task))):
                    skipped.append(reason)
        return Outcome(tuple(failures), tuple(dict.fromkeys(skipped)), self._approval, self._training)

    def _followed(self) -> list[dict[str, Any]]:
        """The DAG runs of this time, those included that came and went between two looks; oldest first."""
        runs = [run for dag_id in DAGS for run in self._api.dag_runs(dag_id, limit=50)]
        ours = [
            run
            for run in runs
            if (run["dag_id"], run["dag_run_id"]) in self._seen
            or datetime.fromisoformat(run["run_after"]) >= self._since
        ]
        return sorted(ours, key=lambda run: run["run_after"])


def missing_step(settings: Settings) -> str | None:
    """The DAG whose work is missing although what it needs is there; None where an index of everything is published.

    Mends what a stack that was killed half-way leaves behind: an asset that was never announced.
    """
    from framesearch.backends import (
        open_catalogue,  # these take seconds to import: not before they are needed
        open_storage,
    )
    from framesearch.errors import FramesearchError, NoChampion
    from framesearch.jobs.build_index import current_build
    from framesearch.jobs.embed import videos_to_embed
    from framesearch.models.registry import Registry
    from framesearch.records import VideoStatus
    from framesearch.store.layout import embeddings_of

    catalogue, storage = open_catalogue(settings), open_storage(settings)
    if not catalogue.videos(VideoStatus.READY):
        return None
    try:
        champion = Registry(settings).champion().version
        build = current_build(storage, catalogue)
    except NoChampion:
        return RETRAIN
    except FramesearchError:  # a damaged pointer, a registry that does not answer: rebuilding tells or mends it
        return REBUILD
    complete = (
        build is not None
        and build.model_version == champion
        and not videos_to_embed(champion, catalogue, storage)
        and build.videos >= len(storage.list(embeddings_of(champion)))
    )
    return None if complete else REBUILD


def _events(log: Path) -> list[dict[str, Any]]:
    """The last events of a task's log."""
    found = []
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65_536))
        for line in file.read().decode(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    found.append(event)
    return found


def _reason(log: Path) -> str:
    """Why a task failed, as its log tells: the message of its last error."""
    for event in reversed(_events(log)):
        for detail in event.get("error_detail") or ():
            if value := detail.get("exc_value"):
                return str(value)
    errors = [str(event.get("event")) for event in _events(log) if event.get("level") in ("error", "critical")]
    return errors[-1] if errors else "its log does not tell; it may have been killed"


def _skip_reason(task: Mapping[str, Any], log: Path) -> str | None:
    """Why a task had nothing to do; None where it did something, or Airflow skipped it because of another."""
    if task["state"] != "skipped":
        return None
    return next((str(event["reason"]) for event in reversed(_events(log)) if "reason" in event), None)


def _last_event(log: Path) -> str:
    """The last thing that the task's own code said."""
    own = ("framesearch", "orchestration", "training")
    said = (event for event in reversed(_events(log)) if str(event.get("logger", "")).startswith(own))
    return next((_OF_A_LOG.sub("", str(event.get("event", ""))).strip() for event in said), "")
