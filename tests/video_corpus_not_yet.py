"""What the reader doesn't do right yet: the tests that must fail for a file, and why.

A line here that is no longer true fails its tests: delete it then.
"""

from collections.abc import Sequence

import pytest
from video_corpus_entry import Entry

_BEGINNING = "an intact beginning is called damaged where damage follows within its first seconds"
_BOTH = ("times", "ffmpeg")
NOT_YET: dict[str, tuple[tuple[str, ...], str]] = {
    "h264.avi": (_BOTH, "the first picture comes a picture too early, the last 1 ms after the one before"),
    "xvid-packed.avi": (_BOTH, "the second picture comes a picture too late"),
    "long-pause.ts": (_BOTH, "20 s in which nothing was recorded are kept"),
    "glued.mpg": (_BOTH, "a clock that starts again isn't noticed: pictures of the second come 1 ms apart"),
    "chained.ogv": (("times",), "the second recording's pictures come 1 ms apart"),
    "chained-sound.ogv": (("times",), "the second recording is lost without a word"),
    "glued.flv": (("times",), "the second recording is lost without a word"),
    "turned-90.ts": (_BOTH, "only key pictures, which carry the message, are turned upright"),
    "mirrored.ts": (_BOTH, "only key pictures, which carry the message, are mirrored back"),
    "slate.ts": (_BOTH, "the larger track of five pictures is taken for the film"),
    "cut-off.avi": (("missing",), "taken as whole"),
    "cut-off.wmv": (("missing",), "taken as whole: FFmpeg tells no length of what is cut off"),
    "damaged.mkv": (("missing",), "the hole is not told"),
    "damaged.mpg": (("ffmpeg", "missing"), f"a picture that comes too late is shown at a wrong time; {_BEGINNING}"),
    "packets-lost.ts": (("missing",), _BEGINNING),
    "damaged.ts": (("missing",), _BEGINNING),
    "damaged.mp4": (("missing",), _BEGINNING),
    "damaged.avi": (("missing",), _BEGINNING),
    "damaged.flv": (("missing",), _BEGINNING),
    "damaged.ogv": (("missing",), _BEGINNING),
    "damaged-av1.mp4": (("missing",), _BEGINNING),
    "hole.mp4": (("missing",), _BEGINNING),
    "hole.mkv": (("missing",), _BEGINNING),
}


def each(entries: Sequence[Entry], test: str) -> pytest.MarkDecorator:
    """A test of each of these files; those that are known not to pass it must fail."""
    cases = []
    for entry in entries:
        tests, reason = NOT_YET.get(entry.name, ((), ""))
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if test in tests else []
        cases.append(pytest.param(entry, id=entry.name, marks=marks))
    return pytest.mark.parametrize("entry", cases)
