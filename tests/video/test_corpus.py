"""The reader against a corpus of files of all kinds (`video_corpus`): every picture, when it is shown and what it is.

Two judges: the ffmpeg program, and the time that is drawn into each picture.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from video_corpus.entry import Entry
from video_corpus.judge import Reading, Shown, read, shown_by_ffmpeg
from video_corpus.table import CORPUS, DOCUMENT, document
from video_corpus.writing import Film

from framesearch.errors import VideoUnavailable

GRID_S = 0.125
SCALED_LEVELS = 0.5  # two versions of FFmpeg's scaler round differently where they make pixels square
SHOWN = [entry for entry in CORPUS if not entry.refused]
REFUSED = [entry for entry in CORPUS if entry.refused]


def each(entries: Sequence[Entry]) -> pytest.MarkDecorator:
    """A test of each of these files."""
    return pytest.mark.parametrize("entry", entries, ids=[entry.name for entry in entries])


class Written:
    """The corpus's files, each written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = cache(self._file)

    def _file(self, entry: Entry) -> tuple[Path, Film]:
        path = self._folder / entry.name
        return path, entry.write(path)

    def reading(self, entry: Entry) -> Reading:
        return read(self.file(entry)[0])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("corpus"))


@each(SHOWN)
def test_pictures_come_at_the_times_drawn_into_them(entry: Entry, written: Written) -> None:
    right, reading = written.file(entry)[1], written.reading(entry)
    times_s = [frame.time_s for frame in reading.frames]

    found = _pairs(times_s, right.times_s, entry.within_s)

    assert len(found) >= len(right.times_s) - entry.may_miss, _difference(times_s, right.times_s, entry.within_s)
    assert len(times_s) <= len(found) + entry.may_smear, _difference(times_s, right.times_s, entry.within_s)
    if entry.clocks:
        wrong = {
            round(times_s[ours], 3): clock_s
            for ours, drawn in found
            if (clock_s := reading.frames[ours].clock_s()) is None or abs(clock_s - right.clocks_s[drawn]) > 1e-3
        }
        assert len(wrong) <= entry.may_smear, f"pictures of other times: {wrong}"


@each([entry for entry in SHOWN if not entry.unlike_ffmpeg])
def test_pictures_and_times_are_those_that_ffmpeg_shows(entry: Entry, written: Written) -> None:
    path, _ = written.file(entry)
    ours = written.reading(entry).frames
    theirs = _shown_by_ffmpeg(entry, path, ours)
    times_s, their_times_s = [frame.time_s for frame in ours], [frame.time_s for frame in theirs]

    found = _pairs(times_s, their_times_s, entry.within_s)

    assert len(found) == len(ours), _difference(times_s, their_times_s, entry.within_s)
    assert len(found) >= len(theirs) - entry.may_miss - entry.may_smear, _difference(
        times_s, their_times_s, entry.within_s
    )
    if entry.aspects:
        aspects = dict.fromkeys(frame.aspect for frame in ours)
        assert [round(aspect, 2) for aspect in aspects] == [round(aspect, 2) for aspect in entry.aspects]
    else:
        squeezed = [ours[k].time_s for k, other in found if not _same_aspect(ours[k], theirs[other])]
        assert not squeezed, f"{ours[0].aspect:.3f} instead of {theirs[0].aspect:.3f}"
    unlike = {
        round(times_s[k], 3): round(difference, 2)
        for k, other in found
        if (difference := _levels(ours[k].rgb, theirs[other].rgb))
        > max(entry.levels, SCALED_LEVELS if theirs[other].scaled else 0)
    }
    assert len(unlike) <= entry.may_smear, f"mean differences in levels: {unlike}"


@each(SHOWN)
def test_what_is_missing_is_said(entry: Entry, written: Written) -> None:
    reading = written.reading(entry)

    if entry.shortfall is None:
        assert reading.shortfall is None
    else:
        assert re.search(entry.shortfall, reading.shortfall or "whole")
    # A broken stretch at its end is part of the film, so the length may be more than what came of it.
    assert reading.duration_s >= reading.frames[-1].time_s


@each(SHOWN)
def test_reading_on_a_grid_leaves_out_pictures_but_changes_none(entry: Entry, written: Written) -> None:
    every = {round(frame.time_s, 6): frame.rgb for frame in written.reading(entry).frames}
    some = {round(frame.time_s, 6): frame.rgb for frame in read(written.file(entry)[0], GRID_S).frames}
    first = {int(time_s / GRID_S + 1e-6): time_s for time_s in sorted(every, reverse=True)}

    assert set(some) <= set(every)
    # What a decoder puts in the place of lost pictures depends on the pictures that it has seen.
    unlike = {time_s for time_s, rgb in some.items() if not np.array_equal(rgb, every[time_s])}
    unlike |= set(first.values()) - set(some)
    assert len(unlike) <= entry.may_smear, sorted(unlike)


@each(REFUSED)
def test_what_gives_nothing_is_refused_by_its_reason(entry: Entry, written: Written) -> None:
    path, _ = written.file(entry)

    with pytest.raises(VideoUnavailable) as refusal:
        read(path)

    assert refusal.value.reason is entry.refused
    assert path.name in str(refusal.value)
    assert re.search(entry.says, str(refusal.value))


def test_the_document_lists_the_corpus() -> None:
    assert DOCUMENT.read_text() == document(), "run `make corpus`"


def test_there_is_no_name_twice() -> None:
    names = {entry.name for entry in CORPUS}

    assert len(names) == len(CORPUS) >= 80


def _shown_by_ffmpeg(entry: Entry, path: Path, ours: list[Shown]) -> list[Shown]:
    """In the sizes of our pictures: where they change, ffmpeg is asked for each size."""
    sizes = list(dict.fromkeys(frame.rgb.shape[1::-1] for frame in ours))
    asked = [shown_by_ffmpeg(path, size, track=entry.track, sound=entry.sound, rgb=entry.rgb) for size in sizes]
    if len(asked) == 1:
        return asked[0]
    by_time = {round(frame.time_s, 2): sizes.index(frame.rgb.shape[1::-1]) for frame in ours}
    return [asked[by_time.get(round(frame.time_s, 2), 0)][number] for number, frame in enumerate(asked[0])]


def _pairs(ours: Sequence[float], theirs: Sequence[float], within_s: float) -> list[tuple[int, int]]:
    """Indices of what both hold, each once; both rise."""
    found, other = [], 0
    for index, time_s in enumerate(ours):
        while other < len(theirs) and theirs[other] < time_s - within_s:
            other += 1
        if other < len(theirs) and abs(theirs[other] - time_s) <= within_s:
            found.append((index, other))
            other += 1
    return found


def _difference(ours: Sequence[float], theirs: Sequence[float], within_s: float) -> str:
    found = _pairs(ours, theirs, within_s)
    extra = [round(ours[k], 3) for k in sorted(set(range(len(ours))) - {pair[0] for pair in found})]
    missing = [round(theirs[k], 3) for k in sorted(set(range(len(theirs))) - {pair[1] for pair in found})]
    return f"{len(ours)} instead of {len(theirs)}; at other times: {extra[:8]}, missing: {missing[:8]}"


def _same_aspect(ours: Shown, theirs: Shown) -> bool:
    height, width = ours.rgb.shape[:2]
    return abs(width - height * theirs.aspect) <= 1 or abs(height - width / theirs.aspect) <= 1


def _levels(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Mean absolute difference of two pictures."""
    return float(np.abs(ours.astype(np.int16) - theirs).mean())
