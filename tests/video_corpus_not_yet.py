"""What the reader doesn't do right yet: the tests that must fail for a file, and why.

A line here that is no longer true fails its tests: delete it then.
"""

from collections.abc import Sequence

import pytest
from video_corpus_entry import Entry

NOT_YET: dict[str, tuple[tuple[str, ...], str]] = {}


def each(entries: Sequence[Entry], test: str) -> pytest.MarkDecorator:
    """A test of each of these files; those that are known not to pass it must fail."""
    cases = []
    for entry in entries:
        tests, reason = NOT_YET.get(entry.name, ((), ""))
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if test in tests else []
        cases.append(pytest.param(entry, id=entry.name, marks=marks))
    return pytest.mark.parametrize("entry", cases)
