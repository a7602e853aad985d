"""Base frames off the sampling grid, of indexed and of held-out videos: what is distorted and asked."""

import heapq
import json
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.footage import Footage, fingerprint
from benchmarks.accuracy.homes import Library
from framesearch.backends import open_storage
from framesearch.errors import FramesearchError, VideoUnavailable
from framesearch.images.pixels import BLANK_QUALITY, quality
from framesearch.store import layout, tables
from framesearch.video import VideoFile

log = logging.getLogger(__name__)

MAX_ROWS = 720  # pixels
ON_GRID_S = 1e-3  # a frame this close to a stored one is that one
MAX_HOURS = 100.0


@dataclass(frozen=True, slots=True)
class Base:
    """A frame cut out of a video, undistorted.

    Attributes:
        file: the video.
        film: its number, see `Footage`.
        video_id: None where the library holds nothing of the film.
        picture: a PNG file.
    """

    file: Path
    film: int
    video_id: str | None
    timestamp_s: float
    picture: Path

    @property
    def key(self) -> str:
        """What tells it from every other frame of the folder."""
        return f"{self.file.name}@{self.timestamp_s:.4f}"

    def rgb(self) -> np.ndarray:
        """The frame: RGB uint8 (H, W, 3), at most 720 rows."""
        bgr = cv2.imread(str(self.picture), cv2.IMREAD_COLOR)
        if bgr is None:
            raise FramesearchError(f"{self.picture} is damaged: delete its folder, then run this again")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def choose_bases(
    footage: Footage, library: Library, *, indexed: int, absent: int, seed: int, kept: Path
) -> tuple[list[Base], list[Base]]:
    """Base frames of films in the library and of films that are not, at random moments.

    Every film gives its first frame before any gives its second, so that a long one is not all that counts; a smaller
    number is always the beginning of a larger one.

    Args:
        indexed, absent: how many of each.
        kept: a folder where the frames stay for the next time.
    """
    return (
        _choose(footage, tuple(library.videos), library, indexed, seed, kept),
        _choose(footage, library.absent, library, absent, seed, kept),
    )


def _choose(footage: Footage, files: Sequence[Path], library: Library, count: int, seed: int, kept: Path) -> list[Base]:
    films: dict[int, list[Path]] = {}
    for file in files:
        films.setdefault(footage.film_of(file), []).append(file)
    if not films or count <= 0:
        return []
    # Twice as many as needed of each, as some films have fewer; to the next power of two, so that most counts share.
    each = 1 << math.ceil(math.log2(2 * math.ceil(count / len(films))))
    turns: list[tuple[int, float, Base]] = []
    for film, copies in films.items():
        cut: list[tuple[float, Base]] = []
        for file in copies:
            video = library.videos.get(file)
            video_id = video.video_id if video else None
            for draw, timestamp_s, picture in cut_frames(file, _stored_times(library, video_id), each, seed, kept):
                cut.append((draw, Base(file, film, video_id, timestamp_s, picture)))
        order = random.Random(f"{seed}|{copies[0].name}").random()
        turns += [(turn, order, base) for turn, (_, base) in enumerate(sorted(cut, key=lambda one: one[0]))]
    return [base for *_, base in sorted(turns, key=lambda one: one[:2])[:count]]


def _stored_times(library: Library, video_id: str | None) -> np.ndarray:
    """The times of all stored frames of a video, probe frames too: the system's calibration has seen those."""
    if video_id is None:
        return np.zeros(0)
    with open_storage(library.settings).open(layout.frames(video_id)) as file:
        return np.sort(tables.read_frame_times(file)[0])


def cut_frames(file: Path, stored_s: np.ndarray, count: int, seed: int, kept: Path) -> list[tuple[float, float, Path]]:
    """Random frames of a video that are neither stored nor blank: random draw (0 to 1), timestamp_s, PNG file.

    Every frame of the video is as likely as every other; those of the smallest draws are cut out.
    """
    folder = kept / fingerprint(file.name, file.stat().st_size, seed, count, MAX_ROWS, stored_s.tolist())
    told = folder / "frames.json"
    if not told.is_file():
        started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        chosen = _draw(file, stored_s, count, random.Random(f"{seed}|{file.name}|{file.stat().st_size}"))
        rows = []
        for number, (draw, timestamp_s, rgb) in enumerate(chosen):
            cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
            rows.append((draw, timestamp_s, f"{number}.png"))
        part = folder / "frames.json.part"
        part.write_text(json.dumps(rows))
        part.replace(told)
        log.info("%s: %d frames cut, %.1f s", file.name, len(rows), time.monotonic() - started)
    return [(draw, timestamp_s, folder / name) for draw, timestamp_s, name in json.loads(told.read_text())]


def _draw(file: Path, stored_s: np.ndarray, count: int, rng: random.Random) -> list[tuple[float, float, np.ndarray]]:
    lowest: list[tuple[float, float, np.ndarray]] = []  # a heap of (-draw, timestamp_s, rgb), the highest draw first
    try:
        with VideoFile(file, height=MAX_ROWS, max_hours=MAX_HOURS) as video:
            for frame in video.frames():
                draw = rng.random()
                if len(lowest) == count and -draw <= lowest[0][0]:
                    continue
                if len(stored_s) and np.abs(stored_s - frame.timestamp_s).min() < ON_GRID_S:
                    continue
                rgb = frame.picture()
                if quality(rgb) < BLANK_QUALITY:
                    continue
                entry = (-draw, frame.timestamp_s, rgb)
                if len(lowest) == count:
                    heapq.heapreplace(lowest, entry)
                else:
                    heapq.heappush(lowest, entry)
    except VideoUnavailable as error:
        log.warning("no queries from the rest of %s: %s", file.name, error)
    return [(-draw, timestamp_s, rgb) for draw, timestamp_s, rgb in sorted(lowest, key=lambda one: -one[0])]


Transform = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class QuerySet:
    """What every base frame goes through.

    Attributes:
        name: `other`, `gate`, `severities`.
        transforms: by name.
        digest: of the code that they are, and of the seed.
    """

    name: str
    transforms: dict[str, Transform]
    seed: int
    digest: str

    def pictures(self, base: Base) -> list[np.ndarray]:
        """The base frame under each transform, always the same pictures."""
        rgb = base.rgb()
        return [
            np.ascontiguousarray(transform(rgb, self._generator(name, base)))
            for name, transform in self.transforms.items()
        ]

    def _generator(self, name: str, base: Base) -> np.random.Generator:
        return np.random.default_rng(int(fingerprint(self.seed, self.name, name, base.key), 16))
