"""Time to add one video to a catalogue of 10 and of 1,000 videos: embed, build, check, publish.

    python benchmarks/growth.py [--sizes 10 1000] [--rows 1000]

Synthetic videos of `rows` frames each; the one that is added has real stored frames, the others' embeddings are
drawn at random. Prints the time of each step and the ratio of the totals.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from stand_in_encoder import encoder_file
from synthetic_library import SyntheticLibrary

from framesearch.images.libraries import configure
from framesearch.index.card import read_card
from framesearch.jobs import embed, publish_index
from framesearch.jobs.build_index import build_index
from framesearch.models.encoder import Encoder

ADDED = 3  # videos, one after the other; the median counts


def main() -> None:
    """Fill, add, print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="+", default=[10, 1000])
    options.add_argument("--rows", type=int, default=1000)
    asked = options.parse_args()
    totals = []
    print("| videos | frames | index | embed s | build s | publish s | all s |\n|---|---|---|---|---|---|---|")
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            encoder_path = encoder_file(None, Path(scratch))
            encoder = Encoder(encoder_path)
            library = SyntheticLibrary(Path(scratch, "home"), encoder_path)
            catalogue, storage = library.catalogue, library.storage
            library.list_videos(size, asked.rows)
            for number in range(size):
                library.store_embeddings(number, asked.rows, encoder.dimension)
                library.store_features(number, asked.rows)
            first = build_index("1", encoder_path, catalogue, storage, library.settings)
            publish_index.publish(first.index_id, catalogue, storage)
            times = []
            for number in range(size, size + ADDED):
                library.list_videos(number + 1, asked.rows)
                library.store_frames(number, asked.rows)
                marks = [time.perf_counter()]
                for video_id in embed.videos_to_embed("1", catalogue, storage):
                    embed.embed_video(video_id, encoder, "1", storage)
                marks.append(time.perf_counter())
                build = build_index("1", encoder_path, catalogue, storage, library.settings)
                marks.append(time.perf_counter())
                assert publish_index.publish(build.index_id, catalogue, storage)
                marks.append(time.perf_counter())
                times.append([after - before for before, after in itertools.pairwise(marks)])
            median = sorted(times, key=sum)[len(times) // 2]
            totals.append(sum(median))
            kind = read_card(storage, build.index_id).index_type
            cells = " | ".join(f"{seconds:.2f}" for seconds in [*median, sum(median)])
            print(f"| {size:,} | {build.rows:,} | {kind} | {cells} |", flush=True)
    print(f"\nThe last takes {totals[-1] / totals[0]:.2f} times as long as the first.")


if __name__ == "__main__":
    configure()
    main()
