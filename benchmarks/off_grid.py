"""How often an unmodified frame, taken at a random moment, names the right video and second.

    python benchmarks/off_grid.py FOLDER [--frames 10] [--copies a,b,c]

FOLDER is what the published index was built from. The frames are cut out by ffmpeg, not by framesearch's own
decoder, at random times off the sampling grid, and asked through `framesearch search --json`, as a person would.
Titles named in one `--copies` show the same film: an answer in any of them counts as the right video.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def duration_s(video: Path) -> float:
    """The duration as ffmpeg reads it off the container."""
    told = subprocess.run([FFMPEG, "-i", video], capture_output=True, text=True).stderr
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", told)
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else 0.0


def cut_frame(video: Path, at_s: float, picture: Path) -> bool:
    """Write the frame shown at a time; False where there is none."""
    # Decoded from the start: seeking is off by seconds where timestamps roll over.
    cut = [FFMPEG, "-v", "error", "-y", "-i", video, "-ss", f"{at_s:.3f}", "-frames:v", "1", picture]
    if subprocess.run(cut, capture_output=True).returncode == 0 and picture.is_file():
        return True
    picture.unlink(missing_ok=True)
    return False


def main() -> None:
    """Cut, ask, count, print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--frames", type=int, default=10, help="a video")
    options.add_argument("--copies", action="append", default=[], help="titles that show the same film, by commas")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    group = {title: titles for titles in asked.copies for title in titles.split(",")}
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as scratch:
        truth: dict[str, tuple[str, float]] = {}
        for video in sorted(asked.folder.iterdir()):
            length = duration_s(video) if video.is_file() else 0
            for number in range(asked.frames if length else 0):
                at_s, picture = rng.uniform(0, max(0, length - 0.3)), Path(scratch, f"{video.name}-{number}.png")
                if cut_frame(video, at_s, picture):
                    truth[str(picture)] = (video.stem, at_s)
        search = [Path(sys.executable).with_name("framesearch"), "search", "--json", "--top", "5", scratch]
        lines = subprocess.run(search, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    rows: dict[str, list[tuple[bool, bool, bool]]] = {}
    for line in lines:
        answer = json.loads(line)
        title, at_s = truth[answer["query"]]
        first = answer["matches"][0] if answer.get("matches") else None
        right = bool(first) and group.get(first["title"], first["title"]) == group.get(title, title)
        same = right and first["title"] == title
        in_time = same and first["start_s"] - 1 <= at_s <= first["end_s"] + 1
        rows.setdefault(title, []).append((right, bool(right and answer["found"]), bool(in_time)))
    print("| video | frames | right video | and said found | that very file within 1 s |\n|---|---|---|---|---|")
    rows["**all**"] = [result for results in rows.values() for result in results]
    for title, results in rows.items():
        shares = (f"{sum(column) / len(results):.1%}" for column in zip(*results, strict=True))
        print(f"| {title} | {len(results)} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
