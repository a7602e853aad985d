"""Airflow's REST API, as far as the stack needs it."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from embedded_stack.environment import Login
from embedded_stack.errors import StackError

_PAGE = 200  # task instances a request


class AirflowUnreachable(StackError):
    """The API server does not answer."""


class AirflowRefused(StackError):
    """The API server answered that it will not do this.

    Attributes:
        status: of the HTTP answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """A client of one Airflow.

    Args:
        address: of its API server, without a path.
        login: None where Airflow asks for none.
    """

    def __init__(self, address: str, login: Login | None = None) -> None:
        self._address = address
        self._login = login
        self._token: str | None = None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a DAG run with these params; its id."""
        body = {"logical_date": None, "conf": conf}
        result: str = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return result

    def known_dags(self) -> set[str]:
        """The ids of the DAGs that Airflow has read by now."""
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """What keeps DAG files from being read, by file."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def dag_runs(self, dag_id: str, *, states: tuple[str, ...] = (), limit: int = 20) -> list[dict[str, Any]]:
        """The latest DAG runs, newest first; of these states only, where any are given."""
        query = urllib.parse.urlencode(
            [("limit", limit), ("order_by", "-run_after"), *(("state", state) for state in states)]
        )
        result: list[dict[str, Any]] = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?{query}")["dag_runs"]
        return result

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """All task instances of a DAG run."""
        found: list[dict[str, Any]] = []
        where = f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances"
        while True:
            page = self._call("GET", f"{where}?limit={_PAGE}&offset={len(found)}&order_by=map_index")
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def is_asset_queued(self, dag_id: str) -> bool:
        """Whether an asset was announced for which the DAG has not run yet."""
        try:
            return bool(self._call("GET", f"/api/v2/dags/{dag_id}/assets/queuedEvents")["queued_events"])
        except AirflowRefused as refused:
            if refused.status == http.HTTPStatus.NOT_FOUND:
                return False
            raise

    def _call(self, method: str, path: str, body: Any = None, *, authorised: bool = True) -> Any:
        for attempt in range(4):
            try:
                return self._once(method, path, body, authorised=authorised)
            except AirflowRefused as refused:
                if refused.status == http.HTTPStatus.UNAUTHORIZED and authorised and attempt == 0:
                    self._token = None  # it ran out
                # SQLite has one writer at a time: "database is locked" passes.
                elif not (refused.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR and attempt < 3):
                    raise
            time.sleep(0.5 * attempt)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: Any, *, authorised: bool) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorised:
            headers["Authorization"] = f"Bearer {self._token or self._log_in()}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._address + path, data, headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=30) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise AirflowRefused(f"Airflow refused {method} {path}: {error.code} {said}", error.code) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AirflowUnreachable(f"Airflow does not answer at {self._address}: {error}") from error

    def _log_in(self) -> str:
        if self._login:
            body = {"username": self._login.user, "password": self._login.password}
            answer = self._once("POST", "/auth/token", body, authorised=False)
        else:
            answer = self._once("GET", "/auth/token", None, authorised=False)
        self._token = answer["access_token"]
        return self._token
