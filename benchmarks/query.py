"""CPU time of one query, views included, against an index of 10,000 frames and larger ones.

    python benchmarks/query.py [--encoder FILE] [--rows 10000 100000]

One thread. Embeddings and local features are drawn at random, as many as real frames have, so that few placements
agree; `benchmarks/accuracy` tells what a query of real footage costs. Without an encoder's file, the published index's
encoder; without one, a convolutional one of the champion's size with random weights, which costs the same as a trained
one.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from stand_in_encoder import encoder_file
from synthetic_library import SyntheticLibrary, picture

from framesearch.images.libraries import configure
from framesearch.images.query import read_picture
from framesearch.images.views import trim
from framesearch.jobs import publish_index
from framesearch.jobs.build_index import build_index
from framesearch.models.encoder import Encoder
from framesearch.search.finder import Finder

QUERIES = 40


def cpu_ms(call, arguments: list) -> list[float]:
    """CPU milliseconds of the process for each call, the first left out."""
    spent = []
    for argument in [arguments[0], *arguments]:
        started = time.process_time()
        call(argument)
        spent.append((time.process_time() - started) * 1000)
    return spent[1:]


def main() -> None:
    """Build synthetic indexes, ask, print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--encoder", type=Path)
    options.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    asked = options.parse_args()
    import cv2

    shots = [picture(1_000_000 + n, 720, 1280) for n in range(QUERIES)]
    boxed = [np.pad(shot, ((120, 120), (0, 0), (0, 0))) for shot in shots]
    jpegs = [cv2.imencode(".jpg", shot)[1].tobytes() for shot in shots]
    assert all(trim(shot) is not None for shot in boxed)
    print("CPU milliseconds of one query of 1280 x 720 pixels: median (95th percentile)\n")
    print("| frames | index | decode JPEG | search, 2 views | search, letterboxed, 4 views |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        encoder = encoder_file(asked.encoder, Path(scratch))
        dimension = Encoder(encoder, 1).dimension
        for rows in asked.rows:
            library = SyntheticLibrary(Path(scratch, str(rows)), encoder)
            videos = rows // 500
            library.list_videos(videos, 500)
            for number in range(videos):
                library.store_embeddings(number, 500, dimension)
                library.store_features(number, 500)
            build = build_index("1", encoder, library.catalogue, library.storage, library.settings)
            publish_index.publish(build.index_id, library.catalogue, library.storage)
            for number in range(videos):  # only now: the build would find that they are not what was embedded
                library.store_frames(number, 500)
            finder = Finder(library.settings)
            finder.refresh()
            columns = [
                cpu_ms(lambda jpeg, library=library: read_picture(jpeg, library.settings), jpegs),
                cpu_ms(finder.search, shots),
                cpu_ms(finder.search, boxed),
            ]
            cells = " | ".join(f"{np.median(times):.0f} ({np.quantile(times, 0.95):.0f})" for times in columns)
            print(f"| {finder.card.rows:,} | {finder.card.index_type} | {cells} |")


if __name__ == "__main__":
    configure()
    main()
