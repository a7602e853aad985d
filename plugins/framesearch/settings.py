"""Every setting, in one frozen class, read once from the environment and `airflow_configs.env`.

The environment wins over the file. Defaults make the embedded stack: one machine, one folder.
"""

import os
import re
import socket
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from framesearch.database_urls import sqlite_url
from framesearch.errors import InvalidSetting

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG_FILE = CHECKOUT / "airflow_configs.env"
IN_CHECKOUT = CONFIG_FILE.is_file()


EncoderFamily = Literal[
    "contrastive",
    "convolutional",
    "vgg16",
    "vgg16_tuned",
    "resnet50",
    "resnet50_tuned",
    "mobilenet_v2",
    "mobilenet_v2_tuned",
    "mobilenet_v3_small",
    "mobilenet_v3_small_tuned",
    "efficientnet_v2_b0",
    "efficientnet_v2_b0_tuned",
]
ENCODER_FAMILIES: tuple[str, ...] = get_args(EncoderFamily)  # what `training.families.contract` can build


def _default_home() -> Path:
    return CHECKOUT / ".framesearch" if IN_CHECKOUT else Path.home() / ".framesearch"


class Settings(BaseSettings):
    """Settings of one framesearch; every field is the environment variable FRAMESEARCH_<NAME>.

    Each is explained in `airflow_configs.env`. An empty value means the default.
    """

    model_config = SettingsConfigDict(
        env_prefix="FRAMESEARCH_", frozen=True, extra="ignore", env_ignore_empty=True, env_file_encoding="utf-8"
    )

    # Where everything lies.
    home: Path = Field(default_factory=_default_home)
    storage_uri: str = ""
    catalogue_uri: str = ""
    mlflow_tracking_uri: str = ""

    # Ingest.
    playlists: Annotated[tuple[str, ...], NoDecode] = ()
    follow_links: bool = False
    candidates_per_second: float = Field(4.0, gt=0, le=60)
    frame_height: int = Field(180, ge=64, le=1080)
    jpeg_quality: int = Field(85, ge=30, le=100)
    probe_share: float = Field(0.05, ge=0, le=0.5)
    max_video_hours: float = Field(6.0, gt=0)
    max_attempts: int = Field(5, ge=1)
    retry_after_minutes: float = Field(60.0, ge=0)
    download_height: int = Field(360, ge=144)
    max_download_mb: int = Field(2000, ge=1)
    request_pause_s: float = Field(0.75, ge=0)
    download_pause_s: float = Field(10.0, ge=0)
    socket_timeout_s: float = Field(20.0, gt=0)
    download_minutes: float = Field(60.0, gt=0)
    min_download_kb_per_s: float = Field(10.0, ge=0)
    listing_minutes: float = Field(60.0, gt=0)
    max_feed_mb: float = Field(32.0, gt=0)
    max_playlist_videos: int = Field(100_000, ge=1)
    private_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    cookies_file: Path | None = None
    proxy: str = ""
    parallel_videos: int = Field(2, ge=1)

    # Training and promotion.
    encoder_family: EncoderFamily = "contrastive"
    teacher: str = ""
    training_minutes: float = Field(7.0, gt=0)
    first_training_minutes: float = Field(4.0, gt=0)
    training_max_frames: int = Field(6000, ge=100)
    training_seed: int = 20260101
    retrain_growth: float = Field(0.2, ge=0)
    judge_queries: int = Field(420, ge=20)
    promotion_confidence: float = Field(0.95, gt=0.5, lt=1)
    require_approval: bool = False

    # Index and answers.
    bundles_kept: int = Field(3, ge=1)
    found_precision: float = Field(0.99, ge=0.5, lt=1)
    max_query_megapixels: float = Field(110.0, gt=0)
    max_query_mb: float = Field(30.0, gt=0)

    # The servers of the embedded stack.
    host: str = "127.0.0.1"
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    airflow_port: int = Field(8080, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    page_port: int = Field(8501, ge=1, le=65535)
    demo_port: int = Field(8599, ge=1, le=65535)

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        # A relative home means the same folder from wherever a command is started.
        return (CHECKOUT / home.expanduser() if IN_CHECKOUT else home.expanduser()).resolve()

    @field_validator("playlists", "private_hosts", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="after")
    @classmethod
    def _only_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(r"[\w.-]+|\[?[0-9a-fA-F:.]+\]?", host):
                raise ValueError(f"{host} is no name or address of a machine; name it without scheme, port and path")
        return hosts

    @property
    def catalogue(self) -> str:
        """SQLAlchemy URL of the catalogue."""
        return self.catalogue_uri or sqlite_url(self.home / "catalogue.db")

    @property
    def storage(self) -> str:
        """Root of the storage: a folder."""
        return self.storage_uri or str(self.home)

    @property
    def mlflow(self) -> str:
        """Tracking URI of MLflow: the server's address, or the embedded database itself."""
        return self.mlflow_tracking_uri or self.mlflow_database

    @property
    def mlflow_database(self) -> str:
        """SQLAlchemy URL of the embedded MLflow's database."""
        # With its driver: of what begins with sqlite:/// MLflow makes the folder itself, from the escaped path.
        return sqlite_url(self.home / "mlflow" / "mlflow.db", "sqlite+pysqlite")

    @property
    def mlflow_artifacts(self) -> Path:
        """The folder of the embedded MLflow's artifacts."""
        return self.home / "mlflow" / "artifacts"

    @property
    def scratch(self) -> Path:
        """Where downloads and half-made objects live; anything in it may be deleted when nothing runs."""
        return self.home / "scratch"

    def link(self, port: int) -> str:
        """Where a browser finds a server of the embedded stack."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def load_settings() -> Settings:
    """The settings as the environment and the configuration file have them now.

    Raises:
        InvalidSetting: a value can't be used; the message names the setting.
    """
    config = os.environ.get("FRAMESEARCH_CONFIG") or (str(CONFIG_FILE) if IN_CHECKOUT else None)
    try:
        return Settings(_env_file=config)
    except ValidationError as error:
        wrong = "; ".join(f"FRAMESEARCH_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise InvalidSetting(f"{wrong}. Correct it in the environment or in airflow_configs.env.") from error


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
