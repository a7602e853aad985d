"""What is asked: framesearch through its public interface, and flat search over one code a stored frame."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

import framesearch
from benchmarks.accuracy.footage import fingerprint
from benchmarks.accuracy.gallery import Gallery
from framesearch.index.card import Card
from framesearch.search.finder import Finder
from framesearch.settings import Settings

TOP = 20
SAME_SCENE_S = 2.0  # a peer's frame this close to a better one of the same video is the same answer, as in framesearch


@dataclass(frozen=True, slots=True)
class Place:
    """One answer of a system: a stored frame, how well it scored, and how sure the system is."""

    video_id: str
    timestamp_s: float
    score: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system said to one query: places best first, whether it calls the first one found, CPU milliseconds."""

    found: bool
    places: tuple[Place, ...]
    cpu_ms: float


class System(Protocol):
    """One way of finding frames.

    Attributes:
        name: in tables and file names.
        digest: equal digests, equal answers.
        abstains: whether it can say that a picture is not in the library.
        bytes_per_frame: of its index.
        note: what to know about it, for the table.
    """

    name: str
    digest: str
    abstains: bool
    bytes_per_frame: float
    note: str

    def prepare(self) -> None:
        """What is done once, before the first query, and not counted."""

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """Find each picture: RGB uint8 (H, W, 3)."""


class FramesearchSystem:
    """framesearch, as anyone calls it from Python."""

    abstains = True

    def __init__(self, settings: Settings, gallery: Gallery, name: str = "framesearch") -> None:
        self.name = name
        self._finder = Finder(settings)
        self.card: Card = self._finder.card
        self.digest = fingerprint(self.card.index_id, _library_code(), _that_matter(settings))
        stored = sum(part["bytes"] for part_name, part in self.card.parts.items() if not part_name.endswith(".onnx"))
        self.bytes_per_frame = stored / len(gallery)
        self.note = f"model version {self.card.model_version}, index {self.card.index_id}"

    def prepare(self) -> None:
        """Ask once: what is loaded lazily is loaded then."""
        self._finder.search(np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8), top=TOP)

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """One search a picture."""
        replies = []
        for rgb in pictures:
            begun = time.process_time()
            said = self._finder.search(rgb, top=TOP)
            cpu_ms = (time.process_time() - begun) * 1000
            places = tuple(Place(m.video_id, m.timestamp_s, m.score, m.confidence) for m in said.matches)
            replies.append(Reply(said.found, places, cpu_ms))
        return replies


def _library_code() -> str:
    """A digest of framesearch's own code: answers of other code are not its answers."""
    package = Path(framesearch.__file__).parent
    code = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        code.update(file.read_bytes())
    return code.hexdigest()


def _that_matter(settings: Settings) -> str:
    """The settings by which answers might differ: all but where things lie."""
    return str(settings.model_dump(exclude={"home", "storage_uri", "catalogue_uri", "mlflow_tracking_uri"}))


class Descriptor(Protocol):
    """One code for a picture, and how alike two codes are.

    Attributes:
        name: of the descriptor.
        digest: equal digests, equal codes.
        bytes_per_frame: of a code, as it would be kept in an index.
        note: source, version, ...
    """

    name: str
    digest: str
    bytes_per_frame: float
    note: str

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """The codes (N, ...) of RGB uint8 pictures of any size."""

    def scores(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """How alike each query's code is to each of the gallery's: float (Q, N), higher is more alike."""


class FlatSearch:
    """A descriptor of every stored frame, or of some of them, compared with every query."""

    abstains = False

    def __init__(
        self, descriptor: Descriptor, gallery: Gallery, kept: Path, *, name: str = "", apart_s: float = 0.0
    ) -> None:
        """Keep codes of stored frames in a folder.

        Args:
            apart_s: frames of a video closer to the last kept one are left out.
        """
        self.name = name or descriptor.name
        self._descriptor, self._gallery = descriptor, gallery
        self._folder = kept / fingerprint(descriptor.digest, gallery.digest)
        self._rows = thinned(gallery, apart_s)
        self.digest = fingerprint(descriptor.digest, gallery.digest, apart_s)
        self.bytes_per_frame = descriptor.bytes_per_frame * len(self._rows) / len(gallery)
        self.note = descriptor.note
        self._codes: np.ndarray | None = None

    def prepare(self) -> None:
        """Embed the stored frames, a video at a time; those of an earlier run stay."""
        self._folder.mkdir(parents=True, exist_ok=True)
        codes = []
        for number, video_id in enumerate(self._gallery.video_ids):
            file = self._folder / f"{video_id}.npy"
            if not file.is_file():
                if not self._gallery.rows_of(number):
                    continue
                part = file.with_suffix(".part.npy")
                np.save(part, self._descriptor.embed(self._gallery.pictures(number)))
                part.replace(file)
            codes.append(np.load(file, allow_pickle=False))
        self._codes = np.concatenate(codes)[self._rows]

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """Embed all pictures together, then compare each with all frames."""
        assert self._codes is not None
        replies = []
        for rgb in pictures:
            begun = time.process_time()
            (scores,) = self._descriptor.scores(self._descriptor.embed([rgb]), self._codes)
            cpu_ms = (time.process_time() - begun) * 1000
            replies.append(Reply(True, self._places(np.asarray(scores)), cpu_ms))
        return replies

    def _places(self, scores: np.ndarray) -> tuple[Place, ...]:
        """The best frames, at most one of a scene."""
        videos, times = self._gallery.video[self._rows], self._gallery.timestamps_s[self._rows]
        scores = scores.astype(np.float64)
        left = scores.copy()
        places: list[Place] = []
        while len(places) < TOP:
            best = int(left.argmax())
            if left[best] == -np.inf:
                break
            score = float(scores[best])
            places.append(Place(self._gallery.video_ids[videos[best]], float(times[best]), score, score))
            left[(videos == videos[best]) & (np.abs(times - times[best]) <= SAME_SCENE_S)] = -np.inf
        return tuple(places)


def thinned(gallery: Gallery, apart_s: float) -> np.ndarray:
    """Rows of the gallery of which no two of one video are closer than so many seconds."""
    rows: list[int] = []
    for number in range(len(gallery.video_ids)):
        last_s = -np.inf
        for row in gallery.rows_of(number):
            if gallery.timestamps_s[row] - last_s >= apart_s - 1e-3:
                rows.append(row)
                last_s = gallery.timestamps_s[row]
    return np.array(rows, np.int64)


def described(system: System) -> dict[str, object]:
    """What a report says of a system beside its figures."""
    told: dict[str, object] = {"note": system.note, "bytes_per_frame": round(system.bytes_per_frame, 1)}
    if isinstance(system, FramesearchSystem):
        told["card"] = asdict(system.card)
    return told


BuildSystem = Callable[[], System]
