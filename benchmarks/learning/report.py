"""What is told of a learning curve: Markdown tables and JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.learning.judging import Marks, Share, difference, share
from benchmarks.learning.trainings import Trained

PAGE = "learning.md"
PAIR = ("with them", "without them", "without them, then a day with them")
"""How the encoders were trained whose answers on late films are compared."""


@dataclass(frozen=True, slots=True)
class Point:
    """An encoder and how it did: alone, and in the whole search where that was asked."""

    trained: Trained
    alone: Marks
    whole: Marks | None

    def figures(self) -> dict[str, Share]:
        """R1 and video@1 alone, R1 of the whole search."""
        assert self.alone.film is not None
        told = {"r1": share(self.alone.right), "video1": share(self.alone.film)}
        return told if self.whole is None else told | {"search_r1": share(self.whole.right)}

    def less(self, other: "Point") -> dict[str, Share]:
        """By how much each figure exceeds another's, on the same queries."""
        assert self.alone.film is not None and other.alone.film is not None
        told = {
            "r1": difference(self.alone.right, other.alone.right),
            "video1": difference(self.alone.film, other.alone.film),
        }
        if self.whole is not None and other.whole is not None:
            told["search_r1"] = difference(self.whole.right, other.whole.right)
        return told


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured.

    Attributes:
        videos, frames: of the gallery.
        bases: probe frames asked.
        curve: from nothing, fewest CPU-minutes first.
        days: each from the weights of the one before, the first from nothing.
        late: videos that the second of `PAIR` did not see.
        of_late, of_others: the encoders of `PAIR` on the queries of late films, and on all other queries.
    """

    source: str
    family: str
    seed: int
    videos: int
    frames: int
    bases: int
    curve: tuple[Point, ...]
    days: tuple[Point, ...]
    late: tuple[str, ...]
    day_minutes: float
    of_late: tuple[Point, ...]
    of_others: tuple[Point, ...]


def write(told: Report, folder: Path) -> Path:
    """Write learning.json and learning.md; returns the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "learning.json").write_text(json.dumps(summary(told), indent=1), encoding="utf-8")
    page = folder / PAGE
    page.write_text(markdown(told), encoding="utf-8")
    return page


def summary(told: Report) -> dict[str, object]:
    """Everything as plain values."""
    plain = ("source", "family", "seed", "videos", "frames", "bases", "late", "day_minutes")
    return {name: getattr(told, name) for name in plain} | {
        name: [_entry(point, against(number, points)) for number, point in enumerate(points)]
        for name, points, against in (
            ("curve", told.curve, _before),
            ("days", told.days, _before),
            ("of_late", told.of_late, _first),
            ("of_others", told.of_others, _first),
        )
    }


def _before(number: int, points: Sequence[Point]) -> Point | None:
    return points[number - 1] if number else None


def _first(number: int, points: Sequence[Point]) -> Point | None:
    return points[0] if number else None


def _entry(point: Point, other: Point | None) -> dict[str, object]:
    trained = point.trained
    return {
        "cpu_minutes": trained.cpu_minutes,
        "steps": trained.steps,
        "trainings": trained.trainings,
        "bases": len(point.alone.right),
        "figures": {name: asdict(value) for name, value in point.figures().items()},
        "difference": {name: asdict(value) for name, value in (point.less(other) if other else {}).items()},
    }


# ---- tables


def markdown(told: Report) -> str:
    """The report for people."""
    lines = [
        "# Learning",
        "",
        f"{told.source}: {told.frames:,} stored frames of {told.videos} videos; {told.bases} probe frames x 21 "
        f"transforms; family {told.family}, seed {told.seed}. R1 and video@1 are of the encoder alone (one vector a "
        "frame, plain query); the last columns are of the whole search with it, on fewer queries. 95 % intervals over "
        "base frames in brackets; differences are paired, on the same queries.",
        "",
        "## From nothing",
        "",
        *_table(told.curve, _before, "the one before", _budget),
    ]
    if told.days:
        lines += ["", "## Day after day: each from the weights of the last", ""]
        lines += _table(told.days, _before, "the day before", lambda number, point: f"day {number + 1}")
    if told.late:
        lines += ["", f"## Late films: {', '.join(told.late)}", "", f"A day has {told.day_minutes:g} CPU-minutes."]
    for title, points in (("Queries of the late films", told.of_late), ("Queries of all other films", told.of_others)):
        if points:
            lines += ["", f"{title}, {len(points[0].alone.right)} probe frames, by how the encoder was trained:", ""]
            lines += _table(points, _first, "with them", lambda number, _: PAIR[number])
    return "\n".join([*lines, ""])


def _budget(_: int, point: Point) -> str:
    return f"{point.trained.cpu_minutes:.1f} min"


def _table(
    points: Sequence[Point],
    against: Callable[[int, Sequence[Point]], Point | None],
    whom: str,
    label: Callable[[int, Point], str],
) -> list[str]:
    searched = any(point.whole is not None for point in points)
    heads = ["", "CPU-minutes in all", "steps", "R1", f"less {whom}", "video@1", f"less {whom}"]
    heads += ["R1, whole search", f"less {whom}"] if searched else []
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for number, point in enumerate(points):
        other = against(number, points)
        figures, less = point.figures(), point.less(other) if other else {}
        cells = [label(number, point), f"{point.trained.cpu_minutes:.1f}", f"{point.trained.steps:,}"]
        for name in ("r1", "video1", "search_r1") if searched else ("r1", "video1"):
            cells += [_told(figures.get(name), "{:.3f}"), _told(less.get(name), "{:+.3f}")]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _told(value: Share | None, form: str) -> str:
    """.553 [.520, .586], +.024 [+.002, +.046], or nothing."""
    if value is None:
        return ""
    share, low, high = (form.format(one).replace("0.", ".", 1) for one in (value.share, value.low, value.high))
    return f"{share} [{low}, {high}]"
