"""What is told at the end: Markdown tables, JSON, plots."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy import marking
from benchmarks.accuracy.marking import Marks

PAGE = "accuracy.md"


@dataclass(frozen=True, slots=True)
class Result:
    """One system's marks with what else is told of it.

    Attributes:
        told: note, bytes_per_frame, ...
        abstains: whether it can say "not in the library".
    """

    name: str
    marks: Marks
    abstains: bool
    told: dict[str, object]
    severities: Marks | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What all systems were asked, for the head of the report.

    Attributes:
        frames, hours: of the library.
        frames_an_hour, frames_a_moving_hour, frames_a_still_hour: stored, of all its videos, of those that move nearly
            all the time, of those that hardly do; NaN where there is none.
        nearest_s, alike: see `limits`.
        severity_steps: kind and step of each column of the results' severities.
    """

    folder: str
    transforms: str
    seed: int
    indexed_videos: int
    absent_videos: tuple[str, ...]
    indexed_bases: int
    absent_bases: int
    frames: int
    hours: float
    frames_an_hour: float
    frames_a_moving_hour: float
    frames_a_still_hour: float
    absent_peers: tuple[str, ...]
    nearest_s: float
    alike: float
    severity_steps: tuple[tuple[str, str], ...] = ()


def summary(results: Sequence[Result], setting: Setting) -> dict[str, object]:
    """Everything as plain values, to be kept as JSON."""
    first = results[0]
    systems = {}
    for result in results:
        cpu = result.marks.cpu_ms
        bytes_per_frame = float(result.told["bytes_per_frame"])  # type: ignore[arg-type]
        systems[result.name] = {
            "figures": marking.figures(result.marks)
            | {
                "threshold_at_p90": marking.threshold_at_p90(result.marks),
                "cpu_ms": float(cpu.mean()),
                "cpu_ms_p95": float(np.quantile(cpu, 0.95)),
                "bytes_per_frame": bytes_per_frame,
                "bytes_per_hour": bytes_per_frame * setting.frames_an_hour,
                "bytes_per_moving_hour": bytes_per_frame * setting.frames_a_moving_hour,
                "bytes_per_still_hour": bytes_per_frame * setting.frames_a_still_hour,
            },
            "intervals": marking.intervals(result.marks, setting.seed),
            "r1_of_first_less_this": marking.difference(first.marks, result.marks, setting.seed),
            "abstains": result.abstains,
            "by_transform": marking.by_kind(result.marks),
            "severities": _severities(result, setting),
            "told": result.told,
        }
    return {
        "protocol": {name: getattr(setting, name) for name in setting.__dataclass_fields__ if name != "severity_steps"},
        "systems": systems,
    }


def _severities(result: Result, setting: Setting) -> dict[str, dict[str, float]]:
    told: dict[str, dict[str, float]] = {}
    if result.severities is not None:
        for number, (kind, step) in enumerate(setting.severity_steps):
            told.setdefault(kind, {})[step] = float(result.severities.right[:, number, 0].mean())
    return told


def write(results: Sequence[Result], setting: Setting, folder: Path) -> dict:
    """Write accuracy.json and accuracy.md; returns what the JSON holds."""
    folder.mkdir(parents=True, exist_ok=True)
    told = summary(results, setting)
    (folder / "accuracy.json").write_text(json.dumps(told, indent=1, default=str), encoding="utf-8")
    (folder / PAGE).write_text(markdown(told, results, setting), encoding="utf-8")
    return told


# ---- tables


def markdown(told: dict, results: Sequence[Result], setting: Setting) -> str:
    """The report for people."""
    absent = ", ".join(setting.absent_videos) or "none"
    lines = [
        "# Accuracy",
        "",
        f"{setting.folder}: {setting.indexed_videos} videos indexed ({setting.frames:,} stored frames, "
        f"{setting.hours:.2f} h), held out as not in the library: {absent}. {setting.indexed_bases} base frames off "
        f"the sampling grid x {len(results[0].marks.kinds)} transforms ({setting.transforms}), and "
        f"{setting.absent_bases} of held-out videos x the same; seed {setting.seed}. "
        "95 % intervals over base frames in brackets.",
        "",
        *_main_table(told),
        "",
        f"What the footage allows: the stored frame nearest to a base frame is {setting.nearest_s:.2f} s away "
        f"(median), and the most alike of all is the moment for {_p(setting.alike)} of the base frames before they are "
        "distorted.",
        "",
        *_saying_table(told, results),
        "",
        *_cost_table(told),
        "",
        "## R1, static-aware, by transform",
        "",
        *_kind_table(told),
    ]
    if any(result.severities is not None for result in results):
        lines += ["", "## R1, static-aware, by severity", "", *_severity_table(told)]
    lines += ["", *(f"- {name}: {entry['told']['note']}" for name, entry in told["systems"].items())]
    lines += [f"- {why}" for why in setting.absent_peers]
    return "\n".join([*lines, ""])


def _main_table(told: dict) -> list[str]:
    lines = [
        "| | R1 | R1 strict | R5 | R5 strict | video@1 | micro AP | R@P90 | at confidence "
        "| R1 of the first less this |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in told["systems"].items():
        f, spread = entry["figures"], entry["intervals"]
        less, low, high = entry["r1_of_first_less_this"]
        cells = [
            name,
            f"**{_p(f['r1'])}** {_span(spread['r1'])}",
            _p(f["r1_strict"]),
            f"{_p(f['r5'])} {_span(spread['r5'])}",
            _p(f["r5_strict"]),
            f"{_p(f['video1'])} {_span(spread['video1'])}",
            f"{_p(f['micro_ap'])} {_span(spread['micro_ap'])}",
            f"{_p(f['recall_at_p90'])} {_span(spread['recall_at_p90'])}",
            f"{f['threshold_at_p90']:.3f}",
            "" if less == low == high == 0 else f"{less:+.3f} [{low:+.3f}, {high:+.3f}]",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cost_table(told: dict) -> list[str]:
    lines = [
        "| | time error, s: median | 95th percentile | CPU ms/query: mean | 95th percentile | bytes/frame "
        "| MB/hour: all | moving | still |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in told["systems"].items():
        f = entry["figures"]
        cells = [
            name,
            f"{f['time_error_median_s']:.2f}",
            f"{f['time_error_p95_s']:.1f}",
            f"{f['cpu_ms']:.1f}",
            f"{f['cpu_ms_p95']:.0f}",
            f"{f['bytes_per_frame']:,.0f}",
            *(_megabytes(f[f"bytes_per_{hour}"]) for hour in ("hour", "moving_hour", "still_hour")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _megabytes(count: float) -> str:
    return "–" if math.isnan(count) else f"{count / 1e6:.1f}"


def _saying_table(told: dict, results: Sequence[Result]) -> list[str]:
    lines = [
        "| at its own threshold | found, right moment | found, wrong | not found | right video among found "
        "| not in the library, yet found |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        f, spread = told["systems"][result.name]["figures"], told["systems"][result.name]["intervals"]
        cells = [
            result.name if result.abstains else f"{result.name} (always answers)",
            _p(f["found_right"]),
            _p(f["found_wrong"]),
            _p(f["not_found"]),
            f"{_p(f['found_right_video'])} {_span(spread['found_right_video'])}",
            f"{_p(f['falsely_found'])} {_span(spread['falsely_found'])}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _kind_table(told: dict) -> list[str]:
    systems = told["systems"]
    lines = [f"| | {' | '.join(systems)} |", "|---" * (len(systems) + 1) + "|"]
    for kind in next(iter(systems.values()))["by_transform"]:
        lines.append(f"| {kind} | {' | '.join(_p(one['by_transform'][kind]['r1']) for one in systems.values())} |")
    return lines


def _severity_table(told: dict) -> list[str]:
    systems = {name: one["severities"] for name, one in told["systems"].items() if one["severities"]}
    lines = [f"| | | {' | '.join(systems)} |", "|---" * (len(systems) + 2) + "|"]
    for kind, steps in next(iter(systems.values())).items():
        for number, step in enumerate(steps):
            shares = " | ".join(_p(one[kind][step]) for one in systems.values())
            lines.append(f"| {kind if number == 0 else ''} | {step} | {shares} |")
    return lines


def _p(share: float) -> str:
    """.873, 1.000; a dash where there is nothing to share."""
    return "–" if math.isnan(share) else f"{share:.3f}".removeprefix("0")


def _span(edges: Sequence[float]) -> str:
    return "" if any(map(math.isnan, edges)) else f"[{_p(edges[0])}, {_p(edges[1])}]"
