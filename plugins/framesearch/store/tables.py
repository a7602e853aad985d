"""The Parquet tables: a video's frames, their embeddings and local features, and an index bundle's rows.

The only user of pyarrow.
"""

import contextlib
import mmap
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from framesearch.errors import ObjectDamaged
from framesearch.records import FrameRole

_FACT = "framesearch."  # before the names of facts in a file's metadata
_JPEG = "jpeg_"  # before the names of columns that say where pictures lie
ROW_GROUP = 256  # frames: about 3 MB a group, so that a reader of a few frames reads little

_FRAMES = pa.schema(
    [
        ("timestamp_s", pa.float64()),
        ("jpeg", pa.binary()),
        ("role", pa.dictionary(pa.int8(), pa.string())),
        ("quality", pa.float32()),
    ]
)

FEATURE = np.dtype(
    [
        ("word", "<u2"),
        ("signature", "<u4"),
        ("x", "u1"),  # 0 to 255: left to right
        ("y", "u1"),  # and top to bottom
        ("size", "u1"),  # logarithmic, see `codebook`
        ("angle", "u1"),  # in 256ths of a turn
    ]
)
"""A stored local feature, 10 bytes: see `index.codebook`."""

JPEG_PLACE = np.dtype([("start", "<i8"), ("size", "<i4"), ("crc32", "<u4")])
"""Where a frame's JPEG lies in the object of its video's frames, to be read alone; size 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A stored frame.

    Attributes:
        timestamp_s: presentation time, seconds from the start of the video.
        jpeg: the picture, `FRAMESEARCH_FRAME_HEIGHT` pixels high.
        quality: 0 (blank) to 1 (sharp and detailed), see `images.pixels.quality`.
    """

    timestamp_s: float
    jpeg: bytes
    role: FrameRole
    quality: float


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embeddings of a video's index frames, in time order.

    Attributes:
        timestamps_s: float64 (N,).
        vectors: float32 (N, D), unit norm.
    """

    timestamps_s: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class LocalFeatures:
    """The local features of a video's index frames, in time order; a picture that stands still has them once.

    Attributes:
        timestamps_s: float64 (N,), of the first frame of each picture.
        until_s: float64 (N,), of the last one that shows the same.
        aspects: float32 (N,), width by height of each frame.
        features: of each frame, FEATURE (any number,).
        jpegs: JPEG_PLACE (N,), where each frame's picture lies.
    """

    timestamps_s: np.ndarray
    until_s: np.ndarray
    aspects: np.ndarray
    features: Sequence[np.ndarray]
    jpegs: np.ndarray

    def at(self, timestamps_s: np.ndarray) -> "LocalFeatures":
        """Those of the frames at these times; a frame that is not among them has no features and the aspect 0."""
        place = {float(time_s): number for number, time_s in enumerate(self.timestamps_s)}
        wanted = [place.get(float(time_s)) for time_s in timestamps_s]
        features = [np.empty(0, FEATURE) if number is None else self.features[number] for number in wanted]
        aspects = [0.0 if number is None else float(self.aspects[number]) for number in wanted]
        until_s = [t if n is None else float(self.until_s[n]) for t, n in zip(timestamps_s, wanted, strict=True)]
        jpegs = np.zeros(len(wanted), JPEG_PLACE)
        for row, number in enumerate(wanted):
            if number is not None:
                jpegs[row] = self.jpegs[number]
        return LocalFeatures(
            timestamps_s, np.array(until_s, np.float64), np.array(aspects, np.float32), features, jpegs
        )


def write_frames(path: Path, frames: Iterable[Frame], facts: Callable[[], Mapping[str, str]] = dict[str, str]) -> None:
    """Write frames to a new Parquet file, a row group at a time: memory does not grow with the video.

    Args:
        facts: what else is to be known of the video; asked when all its frames are written. See `read_facts`.
    """
    with pq.ParquetWriter(path, _FRAMES, compression="none", use_dictionary=["role"]) as writer:
        group: list[Frame] = []
        for frame in frames:
            group.append(frame)
            if len(group) == ROW_GROUP:
                writer.write_table(_frames_table(group))
                group.clear()
        if group:
            writer.write_table(_frames_table(group))
        writer.add_key_value_metadata({_FACT + name: value for name, value in facts().items()})


def _frames_table(frames: list[Frame]) -> pa.Table:
    return pa.table(
        {
            "timestamp_s": [frame.timestamp_s for frame in frames],
            "jpeg": [frame.jpeg for frame in frames],
            "role": pa.array([frame.role.value for frame in frames])
            .dictionary_encode()
            .cast(_FRAMES.field("role").type),
            "quality": [frame.quality for frame in frames],
        },
        schema=_FRAMES,
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ObjectDamaged(f"{path} is damaged ({error}): delete it, then run the step that makes it again") from error


def read_facts(path: Path) -> dict[str, str]:
    """The facts that were written with the frames; none where an older version wrote them."""
    with _reading(path):
        stored = pq.read_metadata(path).metadata or {}
    prefix = _FACT.encode()
    return {
        name.removeprefix(prefix).decode(): value.decode() for name, value in stored.items() if name.startswith(prefix)
    }


def read_frames(path: Path, role: FrameRole | None = None) -> Iterator[Frame]:
    """The frames of a file in stored (time) order, those of one role where given; a row group in memory at a time.

    Raises:
        ObjectDamaged: the file is not what `write_frames` wrote; so do the other readers here.
    """
    with _reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP):
            columns = batch.to_pydict()
            for timestamp_s, jpeg, frame_role, quality in zip(*(columns[name] for name in _FRAMES.names), strict=True):
                if role is None or frame_role == role:
                    yield Frame(timestamp_s, jpeg, FrameRole(frame_role), quality)


def read_frames_at(path: Path, timestamps_s: Sequence[float]) -> dict[float, Frame]:
    """The frames at exactly these times, by time; only the row groups that hold them are read."""
    found: dict[float, Frame] = {}
    with _reading(path), pq.ParquetFile(path) as file:
        wanted = set(timestamps_s)
        column = file.schema_arrow.get_field_index("timestamp_s")
        for number in range(file.num_row_groups):
            spread = file.metadata.row_group(number).column(column).statistics
            if spread is not None and not any(spread.min <= time <= spread.max for time in wanted):
                continue
            group = file.read_row_group(number)
            for row, time in enumerate(group["timestamp_s"].to_pylist()):
                if time in wanted:
                    frame = group.slice(row, 1).to_pylist()[0]
                    found[time] = Frame(time, frame["jpeg"], FrameRole(frame["role"]), frame["quality"])
    return found


def read_frame_times(path: Path, role: FrameRole | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Times and qualities of the frames without their pictures: float64 (N,), float32 (N,)."""
    with _reading(path):
        table = pq.read_table(path, columns=["timestamp_s", "role", "quality"])
    times, qualities = table["timestamp_s"].to_numpy(), table["quality"].to_numpy()
    if role is None:
        return times, qualities
    chosen = np.array([value == role for value in table["role"].to_pylist()], dtype=bool)
    return times[chosen], qualities[chosen]


def jpeg_places(path: Path, timestamps_s: Sequence[float]) -> np.ndarray:
    """Where the JPEGs of the frames at these times lie in the file: JPEG_PLACE (N,).

    Frames are stored uncompressed, so that their bytes stand in the file as they are.
    """
    found: dict[float, tuple[int, int, int]] = {}
    with _reading(path), pq.ParquetFile(path) as file, path.open("rb") as raw:
        column = file.schema_arrow.get_field_index("jpeg")
        with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as stored:
            for number in range(file.num_row_groups):
                chunk = file.metadata.row_group(number).column(column)
                at, end = chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size
                group = file.read_row_group(number, columns=["timestamp_s", "jpeg"])
                for time_s, jpeg in zip(group["timestamp_s"].to_pylist(), group["jpeg"].to_pylist(), strict=True):
                    start = stored.find(jpeg, at, end)
                    if start >= 0:
                        found[time_s] = start, len(jpeg), zlib.crc32(jpeg)
                        at = start + len(jpeg)
    return np.array([found.get(float(time_s), (0, 0, 0)) for time_s in timestamps_s], JPEG_PLACE)


def write_embeddings(path: Path, embeddings: Embeddings) -> None:
    """Write a video's embeddings to a new Parquet file."""
    count, dimension = embeddings.vectors.shape
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(embeddings.vectors, np.float32).reshape(-1)), dimension
    )
    times = pa.array(np.asarray(embeddings.timestamps_s, np.float64))
    assert len(times) == count
    pq.write_table(pa.table({"timestamp_s": times, "vector": vectors}), path, compression="none", use_dictionary=False)


def read_embeddings(path: Path) -> Embeddings:
    """Read what `write_embeddings` wrote."""
    with _reading(path):
        table = pq.read_table(path)
        vectors = table["vector"].combine_chunks()
        flat = vectors.flatten().to_numpy(zero_copy_only=False)
        return Embeddings(table["timestamp_s"].to_numpy(), flat.reshape(len(table), vectors.type.list_size))


def write_features(path: Path, local: LocalFeatures) -> None:
    """Write a video's local features to a new Parquet file."""
    columns = {
        "timestamp_s": pa.array(np.asarray(local.timestamps_s, np.float64)),
        "until_s": pa.array(np.asarray(local.until_s, np.float64)),
        "aspect": pa.array(np.asarray(local.aspects, np.float32)),
        "features": pa.array([features.tobytes() for features in local.features], pa.binary()),
        **jpeg_columns(local.jpegs),
    }
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)


def read_features(path: Path) -> LocalFeatures:
    """Read what `write_features` wrote, also before it knew which pictures stand still and where they lie."""
    with _reading(path):
        table = pq.read_table(path)
        try:
            features = [np.frombuffer(stored, FEATURE) for stored in table["features"].to_pylist()]
        except (ValueError, TypeError) as error:
            raise KeyError(str(error)) from error
        times = table["timestamp_s"].to_numpy()
        until_s = table["until_s"].to_numpy() if "until_s" in table.column_names else times
        columns = {name: table[name].to_numpy() for name in table.column_names if name.startswith(_JPEG)}
        return LocalFeatures(times, until_s, table["aspect"].to_numpy(), features, jpegs_of(columns, len(times)))


def jpeg_columns(jpegs: np.ndarray) -> dict[str, np.ndarray]:
    """JPEG_PLACE (N,) as columns of a table."""
    return {_JPEG + name: np.ascontiguousarray(jpegs[name]) for name in JPEG_PLACE.names or ()}


def jpegs_of(columns: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """JPEG_PLACE (N,) of such columns; where there are none, nothing is known."""
    jpegs = np.zeros(rows, JPEG_PLACE)
    for name in JPEG_PLACE.names or ():
        if _JPEG + name in columns:
            jpegs[name] = columns[_JPEG + name]
    return jpegs


def write_columns(path: Path, columns: dict[str, np.ndarray | list[str]]) -> None:
    """Write named columns of equal length to a new Parquet file."""
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of a Parquet file as numpy arrays (strings as object arrays)."""
    with _reading(path):
        table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}
