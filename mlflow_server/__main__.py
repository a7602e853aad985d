"""`python -m mlflow_server`: become the MLflow server of this installation.

By default its database and its artifacts lie in FRAMESEARCH_HOME/mlflow, just where trainings without a server put
theirs: runs made either way are one history. MLflow's own MLFLOW_BACKEND_STORE_URI moves the database (to Postgres,
say) and MLFLOW_ARTIFACTS_DESTINATION the artifacts (to gs://..., then handed out by the server itself).
"""

import os
import socket
import sys
from collections.abc import Mapping

from framesearch.errors import InvalidSetting
from framesearch.settings import Settings, settings

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # runners of GenAI evaluations: three more processes, never used
    "GIT_PYTHON_REFRESH": "quiet",
}


def command(chosen: Settings, environment: Mapping[str, str]) -> list[str]:
    """The arguments of `mlflow` that start the server."""
    folder = chosen.home / "mlflow"
    backend = environment.get("MLFLOW_BACKEND_STORE_URI") or f"sqlite:///{folder / 'mlflow.db'}"
    destination = environment.get("MLFLOW_ARTIFACTS_DESTINATION")
    artifacts = (
        ["--serve-artifacts", "--artifacts-destination", destination]
        if destination
        else ["--no-serve-artifacts", "--default-artifact-root", (folder / "artifacts").as_uri()]
    )
    return [
        "server",
        *("--host", chosen.host),
        *("--port", str(chosen.mlflow_port)),
        *("--backend-store-uri", backend),
        *artifacts,
        *("--workers", "1"),
        *("--x-frame-options", "NONE"),  # Airflow shows it in a frame
        *("--allowed-hosts", environment.get("MLFLOW_SERVER_ALLOWED_HOSTS") or _hosts(chosen.host)),
        *("--cors-allowed-origins", environment.get("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS") or _origins(chosen.host)),
    ]


def _names(host: str) -> list[str]:
    """Names under which browsers and clients may call: a page elsewhere must not reach us through DNS."""
    return list(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", *([] if host in ("0.0.0.0", "::") else [host])]))  # noqa: S104


def _hosts(host: str) -> str:
    return ",".join(f"{name}{port}" for name in _names(host) for port in ("", ":*"))


def _origins(host: str) -> str:
    return ",".join(f"http://{name}:*" for name in _names(host))


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
    (chosen.home / "mlflow" / "artifacts").mkdir(parents=True, exist_ok=True)
    # Clients find the server by this variable; the server itself must not ask itself.
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    for name, value in ENVIRONMENT.items():
        environment.setdefault(name, value)
    arguments = command(chosen, environment)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *arguments], environment)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
