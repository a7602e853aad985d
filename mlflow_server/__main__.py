"""`python -m mlflow_server`: become the MLflow server of this installation.

By default its database and its artifacts lie in FRAMESEARCH_HOME/mlflow, just where trainings without a server put
theirs: runs made either way are one history. MLflow's own MLFLOW_BACKEND_STORE_URI moves the database (to Postgres,
say) and MLFLOW_ARTIFACTS_DESTINATION the artifacts (to gs://..., then handed out by the server itself).
"""

import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping

from framesearch.errors import InvalidSetting
from framesearch.models.mlflow_database import make_database
from framesearch.models.registry import prepare_environment
from framesearch.models.relocation import adopt_artifacts
from framesearch.same_origin import served_names
from framesearch.settings import Settings, settings
from framesearch.system.privacy import close_to_others

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # runners of GenAI evaluations: three more processes, never used
    "GIT_PYTHON_REFRESH": "quiet",
}


def command(chosen: Settings, environment: Mapping[str, str]) -> list[str]:
    """The arguments of `mlflow` that start the server."""
    hosts = list(_with_any_port(served_names(chosen)))
    destination = environment.get("MLFLOW_ARTIFACTS_DESTINATION")
    artifacts = (
        ["--serve-artifacts", "--artifacts-destination", destination]
        if destination
        else ["--no-serve-artifacts", "--default-artifact-root", chosen.mlflow_artifacts.as_uri()]
    )
    return [
        "server",
        *("--host", chosen.host),
        *("--port", str(chosen.mlflow_port)),
        *("--backend-store-uri", environment.get("MLFLOW_BACKEND_STORE_URI") or chosen.mlflow_database),
        *artifacts,
        *("--workers", "1"),
        # Within `app.guarded`, which is stricter, MLflow's own checks stay on.
        *("--app-name", "framesearch"),
        *("--allowed-hosts", ",".join(hosts)),
        *("--cors-allowed-origins", ",".join(f"{scheme}://{host}" for host in hosts for scheme in ("http", "https"))),
    ]


def _with_any_port(names: Iterable[str]) -> Iterator[str]:
    """Names as MLflow compares them with headers: what holds a star as shells do, where a bracket begins a choice."""
    for name in names:
        yield from (f"[{name}]", f"[[]{name}]:*") if ":" in name else (name, f"{name}:*")


def check_port(host: str, port: int) -> None:
    """Return if the server could listen there.

    Raises:
        InvalidSetting: something else does already, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidSetting(
                f"the MLflow server can't listen on {host}:{port} ({error.strerror}): stop what does, "
                "or choose another port with FRAMESEARCH_MLFLOW_PORT"
            ) from error


def main() -> None:
    """Check, then replace this process by MLflow's own, so that signals reach it."""
    try:
        chosen = settings()
        check_port(chosen.host, chosen.mlflow_port)
    except InvalidSetting as error:
        sys.exit(str(error))
    close_to_others(chosen)
    chosen.mlflow_artifacts.mkdir(parents=True, exist_ok=True)
    adopt_artifacts(chosen.home)
    # Clients find the server by this variable; the server itself must not ask itself.
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    for name, value in ENVIRONMENT.items():
        environment.setdefault(name, value)
    if not environment.get("MLFLOW_BACKEND_STORE_URI"):
        prepare_environment()
        make_database(chosen.home / "mlflow" / "mlflow.db")
    arguments = command(chosen, environment)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *arguments], environment)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
