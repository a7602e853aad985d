"""Fixtures of a library ready to be embedded, and of one that is indexed and published.

conftest imports this module: what takes long to load is imported where it is used.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from stored_frames import store_video

from framesearch.backends import open_catalogue
from framesearch.catalogue.contract import Catalogue
from framesearch.records import IndexBuild
from framesearch.settings import Settings
from framesearch.store.folder import FolderStorage


@dataclass(frozen=True)
class Library:
    """A home with its catalogue, storage and encoder."""

    settings: Settings
    catalogue: Catalogue
    storage: FolderStorage
    encoder_file: Path

    def embed(self, version: str = "1") -> list[str]:
        from framesearch.jobs import embed
        from framesearch.models.encoder import Encoder

        waiting = embed.videos_to_embed(version, self.catalogue, self.storage)
        encoder = Encoder(self.encoder_file)
        for video_id in waiting:
            embed.embed_video(video_id, encoder, version, self.storage)
        return waiting

    def build(self, version: str = "1") -> IndexBuild:
        from framesearch.jobs.build_index import build_index

        return build_index(version, self.encoder_file, self.catalogue, self.storage, self.settings)

    def videos_of(self, index_id: str) -> list[str]:
        from framesearch.index.bundle import open_bundle

        return [video.video_id for video in open_bundle(self.storage, index_id).videos]

    def damage(self, path: str) -> None:
        """Cut an object off in the middle."""
        file = self.storage.root / path
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    def publish(self, version: str = "1") -> IndexBuild:
        """Embed what is missing, build and publish."""
        from framesearch.jobs import publish_index

        self.embed(version)
        build = self.build(version)
        publish_index.publish(build.index_id, self.catalogue, self.storage)
        return build


def open_library(home: Path, encoder_file: Path, **settings: object) -> Library:
    opened = Settings(home=home, **settings)
    return Library(opened, open_catalogue(opened), FolderStorage(home, opened.scratch), encoder_file)


@pytest.fixture(scope="session")
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from thumbnail_encoder import write_thumbnail_encoder

    return write_thumbnail_encoder(tmp_path_factory.mktemp("encoder") / "encoder.onnx")


@pytest.fixture
def uncalibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds that spend no time on calibration: its defaults stand."""
    monkeypatch.setattr("framesearch.jobs.build_index.CALIBRATION_S", -1.0)


@pytest.fixture
def library(tmp_path: Path, encoder_file: Path, uncalibrated: None) -> Library:
    """Three videos whose frames are stored, nothing embedded yet; builds are not calibrated."""
    made = open_library(tmp_path / "home", encoder_file)
    for number in range(3):
        store_video(made.catalogue, made.storage, f"v{number}", seed=number)
    return made


@pytest.fixture(scope="session")
def _calibrated_home(tmp_path_factory: pytest.TempPathFactory, encoder_file: Path) -> Path:
    home = tmp_path_factory.mktemp("calibrated") / "home"
    made = open_library(home, encoder_file)
    for number in range(4):
        store_video(made.catalogue, made.storage, f"v{number}", seed=number, still=number == 3)
    made.publish()
    return home


@pytest.fixture
def published(_calibrated_home: Path, tmp_path: Path, encoder_file: Path) -> Library:
    """Four videos, v3 a still one, indexed, calibrated and published: a copy of the test's own."""
    shutil.copytree(_calibrated_home, tmp_path / "home")
    return open_library(tmp_path / "home", encoder_file)
