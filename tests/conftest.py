"""What all tests share: no test sees or touches the operator's own settings and home."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

for name in [name for name in os.environ if name.startswith(("FRAMESEARCH_", "AIRFLOW_", "MLFLOW_"))]:
    del os.environ[name]
# Before anything imports airflow or reads settings: a home of this test session's own.
os.environ["FRAMESEARCH_HOME"] = tempfile.mkdtemp(prefix="framesearch-tests-")
os.environ["FRAMESEARCH_JUDGE_QUERIES"] = "40"  # the judge's first question is whether it works, not how sure it is

import pytest

from framesearch.backends import open_catalogue
from framesearch.catalogue.contract import Catalogue
from framesearch.images.libraries import configure
from framesearch.settings import Settings
from framesearch.store.folder import FolderStorage

configure()


@pytest.fixture(scope="session", autouse=True)
def _session_home() -> Iterator[None]:
    import shutil

    yield
    shutil.rmtree(os.environ["FRAMESEARCH_HOME"], ignore_errors=True)


@pytest.fixture
def fresh_settings(tmp_path: Path) -> Settings:
    """Settings of an empty home of the test's own."""
    return Settings(home=tmp_path / "home")


@pytest.fixture
def fresh_storage(fresh_settings: Settings) -> FolderStorage:
    """An empty folder storage in the test's own home."""
    return FolderStorage(fresh_settings.home, fresh_settings.scratch)


@pytest.fixture
def fresh_catalogue(fresh_settings: Settings) -> Catalogue:
    """An empty catalogue in the test's own home."""
    return open_catalogue(fresh_settings)


# Shared by all test files: a fixture imported into each would be set up once for each, and a training takes its time.
from index_fixtures import _calibrated_home, encoder_file, library, published, uncalibrated  # noqa: F401
from training_fixtures import empty_database, fresh_registry, trained, unused_port  # noqa: F401
