"""Extraction against bare decoding: seconds of video per second, the same files, the same threads, in one run.

    python benchmarks/extraction.py [--footage FOLDER] [--pairs 7] [--keep FOLDER] [--only vp9]

Ours reads a file, chooses the frames and writes them as the Parquet object that is stored. Theirs is
`ffmpeg -threads 2 -i FILE -an -f null -`, which decodes and throws away. They take turns, pair by pair, and the median
of the pairs' ratios counts, so that a machine with other work on it disturbs both alike. Start-up counts for neither:
ffmpeg's is measured on a file of one frame and taken off, ours has its libraries loaded.

"Together" is how a catalogue is taken in: `FRAMESEARCH_PARALLEL_VIDEOS` extractions at a time, a process each, against
as many of ffmpeg. "Alone" is one against one. "CPU" is the ratio of processor time of one against one, which other work
on the machine disturbs less.

Without --footage, test files are drawn (with the pictures of tests/support/generated_videos.py, at 1080p) and encoded
as h264 in 360p, 720p and 1080p, VP9 and AV1 in 360p; --keep keeps them for the next run.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import imageio_ffmpeg

from framesearch.images.libraries import configure
from framesearch.jobs.ingest import extract_frames
from framesearch.settings import Settings
from framesearch.video import DECODER_THREADS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from generated_videos import Footage, Scene, draw_video

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SCENES = [Scene(4, 1.0), Scene(3, 0.0), Scene(3, 2.0), Scene(5, 0.4)]
LENGTH_S = 15
ENCODINGS = {
    "h264 360p.mp4": (360, ["-c:v", "libx264", "-preset", "medium", "-crf", "18"]),
    "h264 720p.mp4": (720, ["-c:v", "libx264", "-preset", "medium", "-crf", "18"]),
    "h264 1080p.mp4": (1080, ["-c:v", "libx264", "-preset", "medium", "-crf", "18"]),
    "vp9 360p.webm": (360, ["-c:v", "libvpx-vp9", "-cpu-used", "5", "-crf", "24", "-b:v", "0", "-row-mt", "1"]),
    "av1 360p.mp4": (360, ["-c:v", "libsvtav1", "-preset", "9", "-crf", "24"]),
}


def run_ffmpeg(*arguments: object) -> None:
    """Run ffmpeg.

    Raises:
        subprocess.CalledProcessError: with its message on stderr.
    """
    quiet = [FFMPEG, "-y", "-nostdin", "-v", "error", *map(str, arguments)]
    subprocess.run(quiet, check=True, stderr=subprocess.DEVNULL)


def draw_files(folder: Path) -> list[Path]:
    """The test files, made where they are missing."""
    files = [folder / name for name in ENCODINGS]
    if all(file.is_file() for file in files):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    footage, master = Footage((1920, 1080), 5, SCENES), folder / "master.mkv"
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "1920x1080", "-r", "25", "-i", "-"]
    with subprocess.Popen([FFMPEG, "-y", "-v", "error", *raw, *encode, str(master)], stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        for number in range(LENGTH_S * 25):
            writer.stdin.write(footage.at(number / 25).tobytes())
    for file, (height, options) in zip(files, ENCODINGS.values(), strict=True):
        run_ffmpeg("-stream_loop", 1, "-i", master, "-vf", f"scale=-2:{height}", *options, file)
    master.unlink()
    return files


@dataclass(frozen=True)
class Cost:
    """What a piece of work took: seconds by the clock, and seconds of processor time in all its threads."""

    wall_s: float
    cpu_s: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)


def _cpu_s() -> float:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cost_of(work: Callable[[], object]) -> Cost:
    """What a call costs, child processes included."""
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    work()
    return Cost(time.perf_counter() - wall_s, _cpu_s() - cpu_s)


def extract(file: Path, made: Path, settings: Settings) -> None:
    """One extraction, in a process of its own or in this one."""
    configure()
    extract_frames(file, made, file.stem, settings)


def decode(file: Path) -> None:
    """One bare decoding."""
    run_ffmpeg("-threads", DECODER_THREADS, "-i", file, "-an", "-f", "null", "-")


class Together:
    """Several at a time: extractions in processes that have their libraries loaded, and as many of ffmpeg."""

    def __init__(self, count: int, warm_up: Path, scratch: Path, settings: Settings) -> None:
        self._extracting = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
        self._decoding = ThreadPoolExecutor(count)
        self._made, self._settings = [scratch / f"frames-{number}.parquet" for number in range(count)], settings
        for _ in range(3):
            self.extraction_s(warm_up)

    def __enter__(self) -> "Together":
        return self

    def __exit__(self, *_: object) -> None:
        self._extracting.shutdown()
        self._decoding.shutdown()

    def extraction_s(self, file: Path) -> float:
        """Seconds until all are done."""
        begun = time.perf_counter()
        for done in [self._extracting.submit(extract, file, made, self._settings) for made in self._made]:
            done.result()
        return time.perf_counter() - begun

    def decoding_s(self, file: Path) -> float:
        """Seconds until all are done."""
        begun = time.perf_counter()
        for done in [self._decoding.submit(decode, file) for _ in self._made]:
            done.result()
        return time.perf_counter() - begun


def median(costs: list[Cost]) -> Cost:
    """Clock and processor time each at their median."""
    return Cost(statistics.median(c.wall_s for c in costs), statistics.median(c.cpu_s for c in costs))


def spread(ratios: list[float]) -> str:
    """The median in bold, and from the least to the most."""
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def describe(file: Path) -> tuple[float, str]:
    """Duration, and what decodes it here."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        length_s = (container.duration or 0) / av.time_base
        rate = container.size * 8 / max(length_s, 1e-3) / 1000
        return length_s, f"{stream.width}x{stream.height}, {rate:.0f} kbit/s, {stream.codec_context.codec.name}"


def main() -> None:
    """Measure and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--footage", type=Path, help="measure the video files of this folder instead of drawn ones")
    options.add_argument("--pairs", type=int, default=7)
    options.add_argument("--keep", type=Path, help="where the drawn files are kept")
    options.add_argument("--only", default="", help="measure just the files whose names hold this")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if asked.footage:
            files = sorted(file for file in asked.footage.iterdir() if file.suffix in (".mp4", ".webm", ".ts", ".mkv"))
        else:
            files = draw_files(asked.keep or Path(scratch, "files"))
        files = [file for file in files if asked.only in file.name]
        settings = Settings(home=Path(scratch, "home"))
        nothing = draw_video(Path(scratch, "one.mp4"), times_s=[0.0])

        made = Path(scratch, "frames.parquet")

        def bare(file: Path) -> Cost:
            return cost_of(lambda: decode(file))

        def extraction(file: Path) -> Cost:
            return cost_of(lambda: extract(file, made, settings))

        start, _ = median([bare(nothing) for _ in range(5)]), extraction(nothing)
        print(
            f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}, PyAV {av.__version__} with FFmpeg "
            f"{av.ffmpeg_version_info}; "
            f"{DECODER_THREADS} decoder threads; {asked.pairs} pairs;\nffmpeg's start-up of "
            f"{start.wall_s * 1000:.0f} ms taken off; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
        )
        count = settings.parallel_videos
        print(f"| file | decoder | frames kept | ffmpeg -f null | extraction | alone | CPU | {count} together |")
        print("|---|---|---|---|---|---|---|---|")
        with Together(count, nothing, Path(scratch), settings) as together:
            start_s = statistics.median(together.decoding_s(nothing) for _ in range(5))
            for file in files:
                length_s, decoder = describe(file)
                pairs = [(bare(file) - start, extraction(file)) for _ in range(asked.pairs)]
                theirs, ours = (median(list(costs)) for costs in zip(*pairs, strict=True))
                alone = [bare.wall_s / own.wall_s for bare, own in pairs]
                effort = [bare.cpu_s / own.cpu_s for bare, own in pairs]
                both = [(together.decoding_s(file) - start_s) / together.extraction_s(file) for _ in range(asked.pairs)]
                counts = extract_frames(file, made, file.stem, settings)
                print(
                    f"| {file.stem} | {decoder} | {counts.index_frames + counts.probe_frames} "
                    f"| {length_s / theirs.wall_s:.0f} | {length_s / ours.wall_s:.0f} "
                    f"| {spread(alone)} | {spread(effort)} | {spread(both)} |",
                    flush=True,
                )


if __name__ == "__main__":
    configure()
    main()
