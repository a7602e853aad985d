"""One Finder asked by several callers at once: queries a second, what each costs, and the memory that stays.

    python benchmarks/load.py [--home HOME] [--callers 1 2 4 8] [--queries 60] [--rounds 3] [--lasting 500]

Each caller decodes a JPEG of 1280 x 720 pixels and searches for it, then takes the next, as the page's sessions do. The
pictures are stored frames of the home's index, distorted as screenshots are; without a home, of a generated library.
Every round asks the same pictures with each number of callers in turn, so that whatever else the machine does falls on
all of them alike. Memory is measured in a fresh process with the largest number of callers; `--lasting 5000` is the
full run.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import psutil
from stand_in_encoder import encoder_file
from synthetic_library import SyntheticLibrary

from framesearch.backends import open_storage
from framesearch.images.distortions import DISTORTIONS
from framesearch.images.libraries import configure
from framesearch.images.pixels import decode_jpeg
from framesearch.images.query import read_picture
from framesearch.index.bundle import open_bundle
from framesearch.index.pointer import current_index_id
from framesearch.jobs import embed, publish_index
from framesearch.jobs.build_index import build_index
from framesearch.models.encoder import Encoder
from framesearch.search.finder import Finder
from framesearch.settings import Settings
from framesearch.store import layout, tables

ROWS = 500  # of each generated video
MEASURED = 10  # times that memory is read in the lasting run


@dataclass(frozen=True)
class Asked:
    """What a number of callers achieved together: queries a second, and processor milliseconds of each query."""

    a_second: float
    cpu_ms: float
    waited_ms: np.ndarray


def generated(home: Path, videos: int) -> Settings:
    """A home with an index of `videos` generated videos, whose local features are those of their pictures."""
    encoder = encoder_file(None, home.parent)
    library = SyntheticLibrary(home, encoder)
    library.list_videos(videos, ROWS)
    runtime = Encoder(encoder)
    for number in range(videos):
        library.store_frames(number, ROWS)
        embed.embed_video(f"video{number}", runtime, "1", library.storage)
    build = build_index("1", encoder, library.catalogue, library.storage, library.settings)
    publish_index.publish(build.index_id, library.catalogue, library.storage)
    return library.settings


def screenshots(settings: Settings, number: int) -> list[bytes]:
    """Distorted frames of the published index, JPEGs of 1280 x 720 pixels: the same ones for the same index."""
    storage = open_storage(settings)
    index_id, _ = current_index_id(storage)
    assert index_id is not None
    bundle = open_bundle(storage, index_id, threads=1)
    rng = np.random.default_rng(0)
    kinds = sorted(DISTORTIONS)
    shots = []
    for place, row in enumerate(rng.integers(0, len(bundle.gallery), number)):
        time_s = float(bundle.gallery.timestamps_s[row])
        with storage.open(layout.frames(bundle.gallery.video_ids[bundle.gallery.video_of_row[row]])) as file:
            rgb = decode_jpeg(tables.read_frames_at(file, [time_s])[time_s].jpeg)
        seen = DISTORTIONS[kinds[place % len(kinds)]](cv2.resize(rgb, (1280, 720)), rng)
        shots.append(cv2.imencode(".jpg", seen[..., ::-1])[1].tobytes())
    return shots


def ask(finder: Finder, settings: Settings, shots: list[bytes], queries: int, callers: int) -> Asked:
    """Ask `queries` pictures, `callers` at a time."""
    next_query = count()
    waited_ms: list[float] = []
    failures: list[BaseException] = []

    def call() -> None:
        try:
            while (query := next(next_query)) < queries:
                began = time.perf_counter()
                finder.search(read_picture(shots[query % len(shots)], settings))
                waited_ms.append((time.perf_counter() - began) * 1000)
        except BaseException as error:
            failures.append(error)

    cpu, started = time.process_time(), time.perf_counter()
    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    if failures:
        raise failures[0]
    return Asked(queries / wall_s, cpu_s * 1000 / queries, np.array(waited_ms))


def resident_mb() -> tuple[float, float]:
    """Resident memory of this process now and at most so far."""
    return psutil.Process().memory_info().rss / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def lasting(settings: Settings, shots: list[bytes], queries: int, callers: int, say: Callable[[str], None]) -> None:
    """Ask `queries` pictures and tell the memory as it goes."""
    configure()
    finder = Finder(settings)
    finder.refresh()
    opened, _ = resident_mb()
    say(f"| queries by {callers} callers | resident MB | at most |\n|---|---|---|\n| index opened | {opened:.0f} | |")
    done = 0
    for step in range(1, MEASURED + 1):
        upto = queries * step // MEASURED
        # A Streamlit session runs in ever new threads, and so do these callers.
        ask(finder, settings, shots[done % len(shots) :] + shots[: done % len(shots)], upto - done, callers)
        done = upto
        now, most = resident_mb()
        say(f"| {done:,} | {now:.0f} | {most:.0f} |")


def say(line: str) -> None:
    """Print at once: the full run takes its time."""
    print(line, flush=True)


def main() -> None:
    """Open or generate a home, ask, print Markdown tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--home", type=Path, help="FRAMESEARCH_HOME of a published index of real footage")
    options.add_argument("--videos", type=int, default=4, help=f"of {ROWS} frames, where no home is given")
    options.add_argument("--callers", type=int, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--queries", type=int, default=60, help="a round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--lasting", type=int, default=500, help="queries while memory is watched")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=asked.home) if asked.home else generated(Path(scratch, "home"), asked.videos)
        shots = screenshots(settings, 240)
        finder = Finder(settings)
        ask(finder, settings, shots, 2 * max(asked.callers), max(asked.callers))  # warm: pools, the codebook, caches
        measured: dict[int, list[Asked]] = {callers: [] for callers in asked.callers}
        for round_ in range(asked.rounds):
            for callers in asked.callers if round_ % 2 else asked.callers[::-1]:
                measured[callers].append(ask(finder, settings, shots, asked.queries, callers))
        base = 2 if 2 in measured else asked.callers[0]
        say(
            f"{finder.card.rows:,} frames, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} (the "
            f"callers' own included); {asked.rounds} rounds of {asked.queries} queries, medians of the rounds\n"
        )
        say(
            f"| callers | queries a second | of those with {base} | processor ms a query | waited ms, median (95th "
            "percentile) |\n|---|---|---|---|---|"
        )
        for callers, rounds in measured.items():
            pairs = zip(rounds, measured[base], strict=True)
            ratio = np.median([one.a_second / other.a_second for one, other in pairs])
            waited_ms = np.concatenate([one.waited_ms for one in rounds])
            say(
                f"| {callers} | {np.median([one.a_second for one in rounds]):.1f} | {ratio:.2f} "
                f"| {np.median([one.cpu_ms for one in rounds]):.0f} "
                f"| {np.median(waited_ms):.0f} ({np.quantile(waited_ms, 0.95):.0f}) |"
            )
        say("")
        if asked.lasting:
            alone = multiprocessing.get_context("spawn").Process(
                target=lasting, args=(settings, shots, asked.lasting, max(asked.callers), say)
            )
            alone.start()
            alone.join()
            if alone.exitcode:
                raise SystemExit(alone.exitcode)


if __name__ == "__main__":
    configure()
    main()
