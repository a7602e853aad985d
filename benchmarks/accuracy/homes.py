"""The framesearch under test: a home built from the folder less what is held out, or one that is there already."""

import logging
import math
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.accuracy.footage import Footage
from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import FramesearchError, NoIndex
from framesearch.jobs import ingest
from framesearch.jobs.run_all import run_line
from framesearch.models import training_process
from framesearch.models.registry import Registry
from framesearch.records import Video, VideoStatus
from framesearch.settings import Settings, load_settings
from framesearch.store import layout

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Library:
    """What is indexed, and what is not.

    Attributes:
        videos: of each indexed file of the folder, the catalogue's record.
        absent: files of the folder of whose films nothing is indexed.
    """

    settings: Settings
    videos: dict[Path, Video]
    absent: tuple[Path, ...]


def settings_of(home: Path) -> Settings:
    """The environment's settings for a home that keeps everything in its own folder."""
    own = {"home": home.expanduser().resolve(), "storage_uri": "", "catalogue_uri": "", "mlflow_tracking_uri": ""}
    return load_settings().model_copy(update=own)


def has_index(settings: Settings) -> bool:
    """Whether an index is published."""
    return open_storage(settings).read_pointer(layout.INDEX_POINTER)[0] is not None


@dataclass(frozen=True, slots=True)
class External:
    """An encoder from outside, to be imported instead of training one.

    Attributes:
        side: pixels of the square that it sees, where its file leaves that free.
    """

    onnx: Path
    side: int | None


def build(settings: Settings, indexed: Sequence[Path], minutes: float, external: External | None = None) -> None:
    """Ingest, train or import, promote and index in a home of the benchmark's own. A killed run is taken up again.

    Args:
        minutes: of training, at most, where nothing is imported.

    Raises:
        NoIndex: the line ended without one; the message says why.
        EncoderInvalid: the external encoder can't be used.
    """
    started = time.monotonic()
    videos = linked(settings, indexed)
    chosen = settings.model_copy(
        update={"first_training_minutes": minutes, "require_approval": False, "follow_links": True}
    )
    if external is not None:
        _ingest_and_import(videos, chosen, external)
        chosen = chosen.model_copy(update={"retrain_growth": math.inf})  # the import stays champion
    report = run_line([str(videos)], chosen, _logged_step)
    for title, why in report.left_out.items():
        log.warning("%s is not in the library: %s", title, why)
    if report.index is None:
        raise NoIndex(f"the home {settings.home} could not be built: {'; '.join(report.problems) or report.model}")
    log.info("home built: %d videos, %s, %.0f s", report.index.videos, report.model, time.monotonic() - started)


def linked(settings: Settings, files: Sequence[Path]) -> Path:
    """A folder in the home with links to these files, and to no others."""
    videos = settings.home / "videos"
    shutil.rmtree(videos, ignore_errors=True)  # links only
    videos.mkdir(parents=True)
    for file in files:
        link = videos / file.name
        while link.is_symlink():  # two files of one name, from two folders below
            link = link.with_stem(f"{link.stem}-{file.parent.name}")
        link.symlink_to(file)
    return videos


def store_frames(videos: Path, settings: Settings) -> None:
    """Ingest a folder of videos, and no more: what is stored already stays, what can't be read is warned of."""
    settings = settings.model_copy(update={"follow_links": True})  # see `linked`
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    ingest.discover(str(videos), catalogue, settings)
    for video_id in catalogue.due_videos(datetime.now(UTC)):
        try:
            counts = ingest.extract_video(video_id, catalogue, storage, settings)
            log.info("frames of %s: %d", video_id, counts.index_frames)
        except FramesearchError as error:
            log.warning("%s is not in the library: %s", video_id, error)


def _ingest_and_import(videos: Path, settings: Settings, external: External) -> None:
    """Store all frames, then make the external encoder champion, whatever the gate says of it: it is to be measured."""
    registry = Registry(settings)
    if any(version.champion for version in registry.versions()):
        return  # an earlier run came this far
    store_frames(videos, settings)
    name = re.sub(r"[^a-z0-9_.-]+", "-", external.onnx.stem.lower()).strip("-._")
    origin = {"name": name, "source": external.onnx.name, "licence": "", "description": "Given to the benchmark."}
    reading = {"size": [external.side, external.side] if external.side else None}
    imported = training_process.import_encoder(
        settings, external.onnx, origin=origin, reading=reading, on_line=log.info
    )
    log.info("%s imported: %s", external.onnx.name, imported.reason)
    registry.promote(imported.model_version, f"for the benchmark: {imported.reason}", force=True)


class _LoggedStep:
    def __init__(self, name: str) -> None:
        self._name = name

    def advance(self, note: str = "") -> None:
        log.info("%s: %s", self._name, note)

    def say(self, note: str) -> None:
        log.info("%s: %s", self._name, note)


@contextmanager
def _logged_step(name: str, total: int | None) -> Iterator[_LoggedStep]:
    yield _LoggedStep(name)


def open_library(settings: Settings, footage: Footage) -> Library:
    """Which of the folder's videos the home holds, and of which films it holds nothing.

    Raises:
        FramesearchError: it holds none of them.
    """
    ready = [video for video in open_catalogue(settings).videos(VideoStatus.READY) if "://" not in video.url]
    at = {Path(video.url).resolve(): video for video in ready}
    videos = {file: at[file] for file in footage.files if file in at}
    if not videos:
        raise FramesearchError(
            f"the home {settings.home} holds none of the folder's {len(footage.files)} videos: name the folder that it "
            "was built from, or another --home"
        )
    indexed_films = {footage.film_of(file) for file in videos}
    absent = footage.of_films(set(footage.film) - indexed_films)
    return Library(settings, videos, absent)
