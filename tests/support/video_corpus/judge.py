"""What the ffmpeg program shows of a file, what the reader gives, and how far the two differ."""

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from generated_videos import read_clock

from framesearch.video import VideoFile
from video_corpus.writing import FFMPEG

HEIGHT = 360  # of the reader's pictures: the drawn ones are smaller, so that they aren't scaled

_TIME_BASE = re.compile(r"Parsed_showinfo.*config in time_base: (\d+)/(\d+)")
_FRAME = re.compile(r"Parsed_showinfo.* n: *\d+ pts: *(-?\d+|NOPTS).* sar:(\d+)/(\d+) s:(\d+)x(\d+)")


@dataclass(frozen=True)
class Shown:
    """A frame.

    Attributes:
        rgb: its picture, uint8 (H, W, 3).
        aspect: the width in which it is to be seen over its height.
        scaled: whether the picture has another size than was stored.
    """

    time_s: float
    rgb: np.ndarray
    aspect: float
    scaled: bool = False

    def clock_s(self) -> float | None:
        """The time that the picture carries; None if it can't be read."""
        try:
            return read_clock(self.rgb)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reading:
    """What the reader gives of a file."""

    frames: list[Shown]
    duration_s: float
    shortfall: str | None


def read(path: Path, grid_s: float | None = None) -> Reading:
    """The file through the reader.

    Raises:
        VideoUnavailable: as the reader does.
    """
    with VideoFile(path, height=HEIGHT, max_hours=1, grid_s=grid_s) as file:
        shown = ((frame.timestamp_s, frame.picture()) for frame in file.frames())
        frames = [Shown(time_s, rgb, rgb.shape[1] / rgb.shape[0]) for time_s, rgb in shown]
        return Reading(frames, file.duration_s, file.shortfall)


def shown_by_ffmpeg(
    path: Path, size: tuple[int, int], *, track: str = "v:0", sound: bool = False, rgb: bool = False
) -> list[Shown]:
    """Every frame that ffmpeg decodes, none dropped or doubled, at the times at which it shows them.

    Args:
        size: (width, height) of the pictures wanted.
        track: which of the video tracks.
        sound: whether the file has sound: ffmpeg counts times from the start of those tracks that it is asked for.
        rgb: whether the pictures are stored as red, green and blue, or gray.
    """
    # Scaled and coloured as the reader does it: frames that no other builds on stay unsmoothed, interlaced ones are
    # scaled field by field, and pictures are averaged to smaller ones in 4:2:0 before they are coloured.
    scaled = f"scale={size[0]}:{size[1]}:flags=area:interl=-1"
    scaled += "" if rgb else ",format=yuv420p|yuvj420p,scale=flags=area:interl=-1"
    filters = f"showinfo=checksum=0,{scaled},format=rgb24"
    command = [FFMPEG, "-hide_banner", "-nostdin", "-threads", "1", "-filter_threads", "1", "-skip_loop_filter"]
    command += ["noref", "-i", path, "-map", f"0:{track}", "-vf", filters, "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-"]
    if sound:
        command += ["-map", "0:a", "-c", "copy", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True)
    count = len(done.stdout) // (size[0] * size[1] * 3)
    pictures = np.frombuffer(done.stdout, np.uint8)[: count * size[0] * size[1] * 3].reshape(-1, size[1], size[0], 3)
    seen: list[tuple[float, float, bool]] = []
    unit_s = Fraction(1)
    for line in done.stderr.decode(errors="replace").splitlines():
        if base := _TIME_BASE.search(line):
            unit_s = Fraction(int(base[1]), int(base[2]))
        elif frame := _FRAME.search(line):
            pixel_aspect = int(frame[2]) / int(frame[3]) if frame[2] != "0" else 1.0
            time_s = float("nan") if frame[1] == "NOPTS" else float(int(frame[1]) * unit_s)
            stored = int(frame[4]), int(frame[5])
            seen.append((time_s, stored[0] * pixel_aspect / stored[1], stored != size))
    assert len(seen) == count, f"{path.name}: {len(seen)} frames told, {count} pictures given"
    return [Shown(time_s, rgb, *rest) for (time_s, *rest), rgb in zip(seen, pictures, strict=True)]
