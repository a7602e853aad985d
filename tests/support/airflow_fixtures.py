"""An Airflow of the test session's own: its database, and the real DAGs. To be imported before anything of Airflow."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framesearch.database_urls import sqlite_url
from framesearch.settings import Settings, settings

ROOT = Path(__file__).resolve().parents[2]
_HOME = Path(os.environ["FRAMESEARCH_HOME"]) / "airflow"

os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__CORE__FERNET_KEY": "",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlite_url(_HOME / "airflow.db"),
    "AIRFLOW__API_AUTH__JWT_SECRET": "of-tests-only-" * 6,
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(_HOME / "logs"),
}


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's database, made."""
    from airflow.utils import db

    _HOME.mkdir(parents=True, exist_ok=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    db.initdb()


def read_dags() -> Any:
    """The DAGs of the repository, read as Airflow reads them."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder")


@pytest.fixture(scope="session")
def dag_bag(airflow_db: None) -> Any:
    """The DAGs of the repository, known to Airflow's database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    bag = read_dags()
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return bag


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that the tasks see, too: of an empty home of the test's own."""
    monkeypatch.setenv("FRAMESEARCH_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield settings()
    settings.cache_clear()
