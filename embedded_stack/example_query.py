"""One answered question at the end of `make up`: a held-out frame, asked through the command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framesearch.settings import Settings

_LOOKED_AT = 3  # videos whose probe frames are read for a good example
_ANSWER_S = 120.0


@dataclass(frozen=True)
class Example:
    """A picture that is not in the index itself, and where it is from."""

    picture: Path
    title: str
    timestamp_s: float


def write_example(settings: Settings) -> Example | None:
    """A picture to ask about, in the home; None where no indexed video has a probe frame yet."""
    from framesearch.catalogue import open_catalogue  # these take seconds to import: not before they are needed
    from framesearch.layout import frames
    from framesearch.records import FrameRole, VideoStatus
    from framesearch.storage import open_storage
    from framesearch.tables import read_frames

    storage = open_storage(settings)
    best = None
    probed = [video for video in open_catalogue(settings).videos(VideoStatus.READY) if video.probe_frames]
    for video in probed[:_LOOKED_AT]:
        with storage.open(frames(video.video_id)) as file:
            for frame in read_frames(file, FrameRole.PROBE):
                if best is None or frame.quality > best[1].quality:
                    best = (video, frame)
    if best is None:
        return None
    video, frame = best
    picture = settings.home / "example_query.jpg"
    part = picture.with_suffix(".part")
    part.write_bytes(frame.jpeg)
    part.replace(picture)
    return Example(picture, video.title, frame.timestamp_s)


def ask(picture: Path, settings: Settings) -> dict[str, Any]:
    """What `framesearch search --json` answers.

    Returns:
        Its one JSON object; one with `error` where it did not answer.
    """
    command = [sys.executable, "-c", "from framesearch.cli import app; app()", "search", str(picture), "--json"]
    environment = {**os.environ, "FRAMESEARCH_HOME": str(settings.home)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    try:
        return json.loads(ended.stdout.splitlines()[0])
    except (IndexError, ValueError):
        said = (ended.stderr or ended.stdout).strip().splitlines()
        return {"query": str(picture), "error": said[-1] if said else f"it ended with status {ended.returncode}"}
