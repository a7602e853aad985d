"""What the stack consists of, and when each part of it is healthy."""

import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from embedded_stack.demo_feed import demo_playlist
from embedded_stack.environment import local_address
from framesearch.settings import Settings

# Past any proxy: these servers are on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Component:
    """A server or daemon of the stack.

    Attributes:
        name: of its record and its log file.
        title: for people.
        command: arguments after `python -m`.
        port, setting: what it listens on, and the setting that says so; None where it listens nowhere.
        healthy: whether it does its work by now.
    """

    name: str
    title: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    port: int | None = None
    setting: str | None = None

    @property
    def argv(self) -> list[str]:
        """The whole command."""
        return [sys.executable, "-m", *self.command]


AIRFLOW = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")


def components(settings: Settings, *, with_demo: bool) -> list[Component]:
    """The parts of the stack, in the order in which they are best started.

    Args:
        with_demo: whether the feed of demo clips is one of them.
    """
    airflow = local_address(settings, settings.airflow_port)
    mlflow = local_address(settings, settings.mlflow_port)
    page = local_address(settings, settings.page_port)

    def says(key: str) -> Callable[[], bool]:
        return lambda: airflow_health(airflow).get(key, {}).get("status") == "healthy"

    found = [
        Component(
            "airflow-api-server",
            "Airflow",
            ("airflow", "api-server"),
            says("metadatabase"),
            settings.airflow_port,
            "FRAMESEARCH_AIRFLOW_PORT",
        ),
        # Logs lie on this machine, so nobody needs the servers that would pass them on (on two more ports).
        Component(
            "airflow-scheduler",
            "Airflow's scheduler",
            ("airflow", "scheduler", "--skip-serve-logs"),
            says("scheduler"),
        ),
        Component(
            "airflow-dag-processor",
            "Airflow's DAG processor",
            ("airflow", "dag-processor"),
            says("dag_processor"),
        ),
    ]
    if not settings.mlflow_tracking_uri:
        found.append(
            Component(
                "mlflow",
                "MLflow",
                ("mlflow_server",),
                lambda: answers(f"{mlflow}/health"),
                settings.mlflow_port,
                "FRAMESEARCH_MLFLOW_PORT",
            )
        )
    if with_demo:
        found.append(
            Component(
                "demo-feed",
                "the demo playlist",
                ("embedded_stack.demo_feed",),
                lambda: answers(demo_playlist(settings.demo_port)),
                settings.demo_port,
                "FRAMESEARCH_DEMO_PORT",
            )
        )
    return [
        *found,
        Component(
            "page",
            "the search page",
            ("inference_front",),
            lambda: answers(f"{page}/_stcore/health"),
            settings.page_port,
            "FRAMESEARCH_PAGE_PORT",
        ),
        Component(
            "airflow-triggerer",
            "Airflow's triggerer",
            ("airflow", "triggerer", "--skip-serve-logs"),
            says("triggerer"),
        ),
    ]


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a server answers this address with success."""
    with contextlib.suppress(OSError, urllib.error.URLError), _OPENER.open(url, timeout=timeout_s) as response:
        result: bool = 200 <= response.status < 300
        return result
    return False


def airflow_health(address: str, timeout_s: float = 5.0) -> dict[str, dict[str, str]]:
    """What Airflow says of its parts; empty while it does not answer."""
    with (
        contextlib.suppress(OSError, ValueError),
        _OPENER.open(f"{address}/api/v2/monitor/health", timeout=timeout_s) as response,
    ):
        result: dict[str, dict[str, str]] = json.load(response)
        return result
    return {}
