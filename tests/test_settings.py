"""Settings: the environment over the file over the defaults, wrong values named."""

from pathlib import Path

import pytest

from framesearch.errors import InvalidSetting
from framesearch.settings import Settings, load_settings


def test_defaults_put_the_whole_embedded_stack_into_one_home(tmp_path: Path):
    settings = Settings(home=tmp_path)
    assert settings.catalogue == f"sqlite:///{tmp_path}/catalogue.db"
    assert settings.storage == str(tmp_path)
    assert settings.mlflow == f"sqlite+pysqlite:///{tmp_path}/mlflow/mlflow.db"
    assert settings.host == "127.0.0.1"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch):
    config = tmp_path / "configs.env"
    config.write_text("FRAMESEARCH_AIRFLOW_PORT=9000\nFRAMESEARCH_PAGE_PORT=9001\nAIRFLOW__CORE__LOAD_EXAMPLES=False\n")
    monkeypatch.setenv("FRAMESEARCH_CONFIG", str(config))
    monkeypatch.setenv("FRAMESEARCH_PAGE_PORT", "9002")
    settings = load_settings()
    assert (settings.airflow_port, settings.page_port) == (9000, 9002)


def test_an_empty_value_means_the_default(monkeypatch):
    monkeypatch.setenv("FRAMESEARCH_JPEG_QUALITY", "")
    assert load_settings().jpeg_quality == Settings().jpeg_quality


def test_playlists_are_separated_by_blanks(monkeypatch):
    monkeypatch.setenv("FRAMESEARCH_PLAYLISTS", "https://a/list  ../footage")
    assert load_settings().playlists == ("https://a/list", "../footage")


def test_a_wrong_value_is_named_with_its_setting(monkeypatch):
    monkeypatch.setenv("FRAMESEARCH_AIRFLOW_PORT", "80800")
    with pytest.raises(InvalidSetting, match="FRAMESEARCH_AIRFLOW_PORT"):
        load_settings()


def test_settings_do_not_change_once_read():
    with pytest.raises(ValueError, match="frozen"):
        Settings().airflow_port = 1  # type: ignore[misc]
