"""python -m benchmarks.learning FOLDER: accuracy against CPU-minutes of training, and what a late video loses."""

import argparse
import logging
import os
import sys
from pathlib import Path

from benchmarks.console import print_report
from framesearch.images.libraries import configure

log = logging.getLogger("benchmarks.learning")


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__.split(": ")[1])
    say = parser.add_argument
    say("folder", type=Path, nargs="?", help="videos, to be ingested into a home of the benchmark's own")
    say("--home", type=Path, help="a framesearch home: measured as it is where its catalogue holds videos. Default: "
        "below FRAMESEARCH_HOME, filled by the first run")  # fmt: skip
    say("--family", default="contrastive", help="of encoders (contrastive)")
    say("--minutes", default="1,2,4,8,15", help="CPU-minutes of each training from nothing, by commas (1,2,4,8,15)")
    say("--days", type=int, default=4, help="trainings one after the other, each from the weights of the last (4); "
        "the first is from nothing")  # fmt: skip
    say("--day-minutes", type=float, default=2.0, help="CPU-minutes of each of them (2)")
    say("--late", metavar="N|NAMES", help="films that come after the last training: how many, or names by commas "
        "(default: a quarter); 0 leaves that out")  # fmt: skip
    say("--late-minutes", type=float, default=4.0, help="CPU-minutes of the trainings with and without them (4)")
    say("--copies", action="append", default=[], metavar="A,B,...", help="videos that show the same film; repeatable")
    say("--probes", type=int, default=150, help="probe frames to ask (150); each under 21 transforms")
    say("--whole", type=int, default=400, help="queries of the whole search with one encoder (400); 0 for none")
    say("--seed", type=int, default=20260101)
    say("--report", type=Path, help="folder for the report (default: HOME/learning/report)")
    return parser


def main() -> int:
    """Train, judge, write, print; the exit status."""
    asked = options().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)

    def measure() -> Path:
        from benchmarks.learning import running

        return running.run(asked)

    return print_report(measure, log)


if __name__ == "__main__":
    configure()
    sys.exit(main())
