"""Airflow's REST API, as far as the stack needs it."""

from collections.abc import Generator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_incrementing

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


def _is_fault(error: BaseException) -> bool:
    """SQLite has one writer at a time: "database is locked" passes."""
    return isinstance(error, AirflowRefused) and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class _Token(httpx.Auth):
    """A bearer token, fetched at the first request and again when it has expired."""

    requires_response_body = True

    def __init__(self, address: str, login: Login | None) -> None:
        self._login, self._token = login, ""
        self._address = f"{address}/auth/token"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            if (yield request).status_code != HTTPStatus.UNAUTHORIZED:
                return
        body = {"username": self._login.user, "password": self._login.password} if self._login else None
        method = "POST" if body else "GET"
        answer = yield httpx.Request(method, self._address, json=body, extensions=request.extensions)  # its timeout
        self._token = _answer_of(answer)["access_token"]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _answer_of(response: httpx.Response) -> Any:
    """What Airflow answered.

    Raises:
        AirflowRefused: it will not do this.
    """
    if response.is_success:
        return response.json() if response.content else None
    asked = f"{response.request.method} {response.request.url.path}"
    raise AirflowRefused(f"Airflow refused {asked}: {response.status_code} {response.text[:500]}", response.status_code)


class AirflowApi:
    """A client of one Airflow.

    Args:
        address: of its API server, without a path.
        login: None where Airflow asks for none.
    """

    def __init__(self, address: str, login: Login | None = None) -> None:
        self._address = address
        self._client = httpx.Client(
            base_url=address,
            auth=_Token(address, login),
            timeout=30,
            trust_env=False,  # no proxy lies between two programs of one machine
            limits=httpx.Limits(max_keepalive_connections=0),  # the server may be another one by the next request
        )

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}, params={"update_mask": "is_paused"})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a DAG run with these params; its id."""
        body = {"logical_date": None, "conf": conf}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def known_dags(self) -> set[str]:
        """The ids of the DAGs that Airflow has read by now."""
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> dict[str, str]:
        """What keeps DAG files from being read, by file."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def dag_runs(self, dag_id: str, *, states: tuple[str, ...] = (), limit: int = 20) -> list[dict[str, Any]]:
        """The latest DAG runs, newest first; of these states only, where any are given."""
        asked = {"limit": limit, "order_by": "-run_after", "state": states}
        return list(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=asked)["dag_runs"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """All task instances of a DAG run."""
        found: list[dict[str, Any]] = []
        where = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        while True:
            asked = {"limit": _PAGE, "offset": len(found), "order_by": "map_index"}
            page = self._call("GET", where, params=asked)
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found

    def is_asset_queued(self, dag_id: str) -> bool:
        """Whether an asset was announced for which the DAG has not run yet."""
        try:
            return bool(self._call("GET", f"/api/v2/dags/{dag_id}/assets/queuedEvents")["queued_events"])
        except AirflowRefused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return False
            raise

    @retry(
        retry=retry_if_exception(_is_fault),
        stop=stop_after_attempt(4),
        wait=wait_incrementing(start=0, increment=0.5),
        reraise=True,
    )
    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            return _answer_of(self._client.request(method, path, **options))
        except (httpx.HTTPError, ValueError) as error:
            raise AirflowUnreachable(f"Airflow does not answer at {self._address}: {error}") from error
