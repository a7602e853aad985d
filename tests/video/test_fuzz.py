"""Whatever is in a file, reading it ends, in frames in order or in a refusal that says why.

Files of all kinds of containers are changed at random, by the same numbers each time.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from video_corpus.table import CORPUS

from framesearch.errors import VideoUnavailable
from framesearch.video import VideoFile

MAX_HOURS = 1
VARIANTS = 12  # of each file
NAMES = (
    "h264-aac.mp4",
    "fragments.mp4",
    "h264-flac.mkv",
    "vp9-opus.webm",
    "opendml.avi",
    "h264-aac.flv",
    "wmv2-wma.wmv",
    "chained-sound.ogv",
    "glued-sound.ts",
    "glued.flv",
    "mpeg2-ac3.vob",
    "mpeg2-pcm.mxf",
    "mpeg2-mp2.wtv",
    "h264-paff.ts",
    "xvid-packed.avi",
    "av1.mp4",
    "rv10.rm",
)
ENTRIES = {entry.name: entry for entry in CORPUS}
Change = Callable[[bytearray, int, np.random.Generator], None]


def bits(content: bytearray, at: int, random: np.random.Generator) -> None:
    content[at] ^= 1 << int(random.integers(8))


def number(content: bytearray, at: int, random: np.random.Generator) -> None:
    content[at : at + 4] = random.bytes(4)


def extreme(content: bytearray, at: int, random: np.random.Generator) -> None:
    content[at : at + 8] = (b"\xff" if random.random() < 0.5 else b"\0") * 8


def noise(content: bytearray, at: int, random: np.random.Generator) -> None:
    length = min(int(random.integers(1, 3000)), len(content) - at)
    content[at : at + length] = random.bytes(length)


def lost(content: bytearray, at: int, random: np.random.Generator) -> None:
    del content[at : at + int(random.integers(1, 3000))]


def repeated(content: bytearray, at: int, random: np.random.Generator) -> None:
    content[at:at] = content[at : at + int(random.integers(1, 3000))]


CHANGES: tuple[Change, ...] = (bits, number, extreme, noise, lost, repeated)


def changed(whole: bytes, random: np.random.Generator) -> bytes:
    """The file with one kind of change in a few places, half of them near its start, where headers are."""
    content = bytearray(whole)
    change = CHANGES[int(random.integers(len(CHANGES)))]
    for _ in range(int(random.integers(1, 8))):
        end = min(len(content), 4096) if random.random() < 0.5 else len(content)
        change(content, int(random.integers(end)), random)
    return bytes(content[: int(random.integers(1, len(content)))] if random.random() < 0.15 else content)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    folder = tmp_path_factory.mktemp("whole")

    @cache
    def content(name: str) -> bytes:
        ENTRIES[name].write(folder / name)
        return (folder / name).read_bytes()

    return content


@pytest.mark.parametrize("grid_s", [None, 0.25], ids=["all", "grid"])
@pytest.mark.parametrize("name", NAMES)
def test_a_changed_file_gives_frames_in_order_or_is_refused(tmp_path, written, name, grid_s):
    whole = written(name)
    outcomes = []
    for variant in range(VARIANTS):
        random = np.random.default_rng([NAMES.index(name), variant, grid_s is None])
        path = tmp_path / f"{variant}-{name}"
        path.write_bytes(changed(whole, random))
        outcomes.append(outcome(path, grid_s))
        path.unlink()
    assert "read" in outcomes  # or the changes would show nothing


def outcome(path: Path, grid_s: float | None) -> str:
    last_s = -1.0
    try:
        with VideoFile(path, height=90, max_hours=MAX_HOURS, grid_s=grid_s) as file:
            for frame in file.frames():
                assert 0 <= frame.timestamp_s <= MAX_HOURS * 3600
                assert frame.timestamp_s > last_s
                assert frame.picture().shape[2] == 3
                last_s = frame.timestamp_s
            assert file.duration_s >= last_s
            assert file.shortfall is None or 0 < len(file.shortfall) < 300
    except VideoUnavailable as refusal:
        assert path.name in str(refusal)
        return refusal.reason.value
    assert last_s >= 0
    return "read"
