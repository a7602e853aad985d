"""`python -m mlflow_server`: become the MLflow server of this installation.

By default its database and its artifacts lie in FRAMESEARCH_HOME/mlflow, just where trainings without a server put
theirs: runs made either way are one history. MLflow's own MLFLOW_BACKEND_STORE_URI moves the database (to Postgres,
say) and MLFLOW_ARTIFACTS_DESTINATION the artifacts (to gs://..., then handed out by the server itself).
"""

import contextlib
import os
import socket
import sys
from collections.abc import Mapping

from framesearch.errors import InvalidSetting
from framesearch.mlflow_database import make_database
from framesearch.registry import prepare_environment
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
    own = _names_of_this_machine() if host in ("0.0.0.0", "::") else [host]  # noqa: S104
    return list(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", *map(_in_url, own)]))


def _names_of_this_machine() -> list[str]:
    """Its name, short and full, and the addresses that these stand for or that its packets carry."""
    name = socket.gethostname()
    addresses = []
    with contextlib.suppress(OSError):  # a name that nothing resolves
        addresses = [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a datagram socket sends nothing; it only chooses the address that packets would leave from.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((anywhere, 9))
            addresses.append(probe.getsockname()[0])
    return [name, socket.getfqdn(), *(address.partition("%")[0] for address in addresses)]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _hosts(host: str) -> str:
    return ",".join(f"{name},{_pattern(name)}:*" for name in _names(host))


def _origins(host: str) -> str:
    return ",".join(f"http://{_pattern(name)}:*" for name in _names(host))


def _pattern(name: str) -> str:
    """What MLflow, which matches as shells do, takes for the name: a bare bracket would begin a choice of letters."""
    return name.replace("[", "[[]")


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
    if not environment.get("MLFLOW_BACKEND_STORE_URI"):
        prepare_environment()
        make_database(chosen.home / "mlflow" / "mlflow.db")
    arguments = command(chosen, environment)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *arguments], environment)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
