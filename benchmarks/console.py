"""How a benchmark of several files runs on the command line: progress on stderr, its report on stdout."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path


def print_report(measure: Callable[[], Path], log: logging.Logger) -> int:
    """Measure, then print the Markdown report that was written; the exit status.

    An error that names what is wrong becomes a line, without a traceback.
    """
    from benchmarks.accuracy.footage import WrongChoice
    from framesearch.errors import FramesearchError

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    try:
        page = measure()
    except (FramesearchError, WrongChoice) as error:
        log.error("%s", error)
        return 1
    print(page.read_text(encoding="utf-8"))
    log.info("written to %s", page.parent)
    return 0
