"""The ingest of one home, as a run or the DAG does it."""

from datetime import UTC, datetime
from pathlib import Path

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import VideoNotYet, VideoUnavailable
from framesearch.jobs.ingest import discover, extract_video
from framesearch.records import FrameRole
from framesearch.settings import Settings
from framesearch.store import layout
from framesearch.store.folder import FolderStorage
from framesearch.store.tables import Frame, read_frames


class Line:
    """The ingest of one home."""

    def __init__(self, catalogue: Catalogue, storage: FolderStorage, settings: Settings) -> None:
        self.catalogue, self.storage, self.settings = catalogue, storage, settings

    def discover(self, url: object, **options):
        return discover(str(url), self.catalogue, self.settings, **options)

    def extract(self, video_id: str):
        return extract_video(video_id, self.catalogue, self.storage, self.settings)

    def extract_all(self) -> list[Exception]:
        failures = []
        for video_id in self.catalogue.due_videos(datetime.now(UTC)):
            try:
                self.extract(video_id)
            except (VideoUnavailable, VideoNotYet) as error:
                failures.append(error)
        return failures

    def by_title(self, title: str):
        return next(video for video in self.catalogue.videos() if video.title == title)

    def frames(self, title: str, role: FrameRole | None = None) -> list[Frame]:
        with self.storage.open(layout.frames(self.by_title(title).video_id)) as file:
            return list(read_frames(file, role))

    def left_in_scratch(self) -> list[Path]:
        return [path for path in self.settings.scratch.glob("*") if path.is_dir()]
