"""One answered question at the end of `make up`: a held-out frame, asked through the command line."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framesearch.settings import Settings

_CANDIDATES = 3  # videos of which a frame is asked about; the surest answer is shown
_ANSWER_S = 120.0


@dataclass(frozen=True)
class Example:
    """A picture that is not in the index itself, where it is from, and what it was answered.

    Attributes:
        answer: the JSON object of `framesearch search`; it holds `error` where that did not answer.
    """

    picture: Path
    title: str
    timestamp_s: float
    answer: dict[str, Any]


def answered_example(settings: Settings) -> Example | None:
    """An example, its picture kept in the home; None where no indexed video has a probe frame yet."""
    with tempfile.TemporaryDirectory(prefix="framesearch-example-") as folder:
        candidates = _write_candidates(settings, Path(folder))
        if not candidates:
            return None
        answers = _ask([picture for picture, _, _ in candidates], settings)
        answered = list(zip(candidates, answers, strict=True))
        (picture, title, timestamp_s), answer = max(answered, key=lambda one: _confidence(one[1]))
        kept = settings.home / "example_query.jpg"
        shutil.move(picture, kept)
    return Example(kept, title, timestamp_s, answer)


def _write_candidates(settings: Settings, folder: Path) -> list[tuple[Path, str, float]]:
    """The clearest probe frame of some videos: its picture, its video's title, its time.

    Only of those that the search page plays, if there are any: a newcomer is to see the very second.
    """
    from framesearch.backends import (
        open_catalogue,  # these take seconds to import: not before they are needed
        open_storage,
    )
    from framesearch.records import FrameRole, VideoStatus
    from framesearch.sources.playback import playable_kind
    from framesearch.store.layout import frames
    from framesearch.store.tables import read_frames

    storage, found = open_storage(settings), []
    probed = [video for video in open_catalogue(settings).videos(VideoStatus.READY) if video.probe_frames]
    probed = [video for video in probed if playable_kind(video.url)] or probed
    for number, video in enumerate(probed[:_CANDIDATES]):
        with storage.open(frames(video.video_id)) as file:
            frame = max(read_frames(file, FrameRole.PROBE), key=lambda frame: frame.quality)
        picture = folder / f"{number}.jpg"
        picture.write_bytes(frame.jpeg)
        found.append((picture, video.title, frame.timestamp_s))
    return found


def _ask(pictures: Sequence[Path], settings: Settings) -> list[dict[str, Any]]:
    """What `framesearch search --json` answers to each picture."""
    command = [
        sys.executable,
        "-c",
        "from framesearch.cli.app import main; main()",
        "search",
        "--json",
        *map(str, pictures),
    ]
    environment = {**os.environ, "FRAMESEARCH_HOME": str(settings.home)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    answers = []
    for line in ended.stdout.splitlines():
        try:
            answers.append(json.loads(line))
        except ValueError:
            continue
    said = (ended.stderr or ended.stdout).strip().splitlines()
    silent = {"error": said[-1] if said else f"framesearch search ended with status {ended.returncode}"}
    return (answers + [silent] * len(pictures))[: len(pictures)]


def _confidence(answer: dict[str, Any]) -> float:
    matches = answer.get("matches")
    return matches[0]["confidence"] if matches else -1.0
