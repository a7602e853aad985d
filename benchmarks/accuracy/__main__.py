"""python -m benchmarks.accuracy FOLDER: measure framesearch and its peers on a folder of videos."""

import argparse
import logging
import sys
from pathlib import Path

from benchmarks.console import print_report
from framesearch.images.libraries import configure

log = logging.getLogger("benchmarks.accuracy")


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.split(": ")[1])
    say = parser.add_argument
    say("folder", type=Path, help="videos; each is indexed or held out as a whole")
    say("--home", type=Path, help="a framesearch home: measured as it is where it holds an index of the folder's "
        "videos, else built there. Default: below FRAMESEARCH_HOME, built by the first run")  # fmt: skip
    say("--held-out", metavar="N|NAMES", help="films to keep out of the library: how many, or names by commas "
        "(default: a quarter); a home that is there already has decided that")  # fmt: skip
    say("--copies", action="append", default=[], metavar="A,B,...", help="videos that show the same film; repeatable")
    say("--minutes", type=float, default=4.0, help="to train the encoder at most, where the home is built (4)")
    say("--encoder", type=Path, metavar="ONNX", help="import this encoder instead of training one, where the home is "
        "built; such a home stands beside the trained one")  # fmt: skip
    say("--encoder-side", type=int, help="pixels of the square that it sees, where its file leaves that free")
    say("--bases", type=int, default=60, help="base frames of indexed videos (60); each is asked under 21 transforms")
    say("--distractors", type=int, help="base frames of held-out videos (half as many)")
    say("--severities", type=int, default=0, metavar="BASES", help="base frames for the table of severities (0: none)")
    say("--transforms", choices=("other", "gate"), default="other", help="the benchmark's own, or those of the gate")
    say("--systems", help="only these, by commas: framesearch, ablation, sscd, sscd1, thumbnail, phash, pdq, layout, "
        "autoencoder, vgg16, resnet50")  # fmt: skip
    say("--peer-minutes", type=float, default=4.0, help="to train a peer at most, where the home has none (4)")
    say("--sscd", type=Path, metavar="ONNX", help="SSCD as an ONNX file: uint8 (N, H, W, 3) in, float32 (N, D) out")
    say("--sscd-side", type=int, default=288, help="pixels of the square that SSCD sees (288)")
    say("--label", default="framesearch", help="what framesearch is called in the report")
    say("--earlier", action="append", default=[], metavar="NAME", help="also show what was asked under this label "
        "before, of other code or settings, for comparison; repeatable")  # fmt: skip
    say("--seed", type=int, default=20261122)
    say("--mlflow", action="store_true", help="also log an MLflow run in the home's MLflow")
    say("--report", type=Path, help="folder for the report (default: HOME/accuracy/report)")
    return parser


def main() -> int:
    """Build or open, ask, mark, write, print; the exit status."""
    asked = options().parse_args()

    def measure() -> Path:
        from benchmarks.accuracy import running

        return running.run(asked)

    return print_report(measure, log)


if __name__ == "__main__":
    configure()
    sys.exit(main())
