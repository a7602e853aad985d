"""The environment that the stack's processes run in: the operator's, then `airflow_configs.env`, then what follows
from the home and the ports."""

import ipaddress
import json
import os
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from framesearch.database_urls import sqlite_url
from framesearch.settings import CHECKOUT, CONFIG_FILE, Settings
from framesearch.system.disk import write_atomically

ADMIN = "admin"


@dataclass(frozen=True)
class Login:
    """Who may use the Airflow UI; None of it where everybody on this machine may."""

    user: str
    password: str


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_address(settings: Settings, port: int) -> str:
    """Where this machine reaches a server of the stack."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def airflow_login(settings: Settings) -> Login | None:
    """The login to Airflow, generated once; None where only this machine reaches it, which needs none."""
    if is_loopback(settings.host):
        return None
    file = settings.home / "secrets" / "airflow_passwords.json"
    passwords = json.loads(_secret(file, lambda: json.dumps({ADMIN: secrets.token_urlsafe(15)})))
    return Login(ADMIN, passwords[ADMIN])


def stack_environment(settings: Settings) -> dict[str, str]:
    """The environment of every process of the stack; makes the secrets in `home/secrets` where missing."""
    return {**_configured(), **os.environ, **_computed(settings)}


def _configured() -> dict[str, str]:
    """Airflow's part of the configuration file; framesearch reads its own part itself."""
    file = _config_file()
    values = dotenv_values(file, interpolate=False, encoding="utf-8") if file.is_file() else {}
    return {name: value for name, value in values.items() if name.startswith("AIRFLOW__") and value}


def _config_file() -> Path:
    return Path(os.environ.get("FRAMESEARCH_CONFIG") or CONFIG_FILE).resolve()


def _computed(settings: Settings) -> dict[str, str]:
    home, address = settings.home, local_address(settings, settings.airflow_port)
    login = airflow_login(settings)
    computed = {
        "FRAMESEARCH_HOME": str(home),
        "FRAMESEARCH_CONFIG": str(_config_file()),
        "FRAMESEARCH_MLFLOW_TRACKING_URI": mlflow_address(settings),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": _secret_of(home, "fernet_key", lambda: urlsafe_b64encode(os.urandom(32)).decode()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(login is None),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "secrets" / "airflow_passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlite_url(home / "airflow" / "airflow.db"),
        "AIRFLOW__API__HOST": settings.host,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": address if is_loopback(settings.host) else "",
        "AIRFLOW__API__SECRET_KEY": _secret_of(home, "api_secret_key", lambda: secrets.token_urlsafe(48)),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret_of(home, "jwt_secret", lambda: secrets.token_urlsafe(64)),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "airflow"),
        # Airflow sets the modes of its logs itself, by default for the group, too.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        # `python -m` puts the working folder first on the path, and that is the home, whose folder names are its own.
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        # Commands that a process calls by name come from the environment it runs in.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    if not computed["AIRFLOW__API__BASE_URL"]:
        del computed["AIRFLOW__API__BASE_URL"]  # reached under many names: links in the UI stay relative
    return computed | _past_the_proxy(os.environ, settings.host)


def mlflow_address(settings: Settings) -> str:
    """The tracking server: the operator's own, else the stack's."""
    return settings.mlflow_tracking_uri or local_address(settings, settings.mlflow_port)


def _past_the_proxy(environment: Mapping[str, str], host: str) -> dict[str, str]:
    """The servers of the stack talk to each other directly, whatever proxy leads out."""
    names = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    direct = ",".join(dict.fromkeys([*filter(None, names.split(",")), "127.0.0.1", "localhost", host]))
    return {"no_proxy": direct, "NO_PROXY": direct}


def _secret_of(home: Path, name: str, make: Callable[[], str]) -> str:
    return _secret(home / "secrets" / name, make)


def _secret(file: Path, make: Callable[[], str]) -> str:
    """A secret that is made once, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.parent.chmod(0o700)
    if not (file.is_file() and file.stat().st_size):
        write_atomically(file, make().encode())
    return file.read_text(encoding="utf-8").strip()
