"""The report's pictures. The only user of matplotlib's figures here."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.accuracy import marking
from benchmarks.accuracy.report import Result
from training.gate.precision import PRECISION

_MARKS = "osD^vP*Xhd<>"


def recall_by_transform(results: Sequence[Result]) -> Figure:
    """R1 of every system under every transform; framesearch's line is the thick one."""
    kinds = results[0].marks.kinds
    figure, axes = plt.subplots(figsize=(11, 5.5), layout="constrained")
    for number, result in enumerate(results):
        shares = result.marks.right[..., 0].mean(axis=0)
        first = number == 0
        axes.plot(
            range(len(kinds)),
            shares,
            _MARKS[number % len(_MARKS)] + "-",
            label=f"{result.name} ({result.marks.right[..., 0].mean():.3f})",
            lw=2.6 if first else 1.0,
            ms=7 if first else 5,
            alpha=1.0 if first else 0.75,
            zorder=3 if first else 2,
        )
    axes.set_xticks(range(len(kinds)), kinds, rotation=60, ha="right")
    axes.set(ylim=(0, 1.02), ylabel="R1, static-aware", title="The right moment comes first, by transform")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def precision_and_recall(results: Sequence[Result]) -> Figure:
    """Precision against recall of the pooled first answers, distractors among them."""
    figure, axes = plt.subplots(figsize=(7.5, 5.5), layout="constrained")
    for number, result in enumerate(results):
        curve = marking.pooled(result.marks)
        label = f"{result.name} (AP {curve.average:.3f})"
        axes.plot(curve.recalls, curve.precisions, label=label, lw=2.4 if number == 0 else 1.2)
    axes.axhline(PRECISION, color="grey", lw=0.8, ls=":")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall of the right moment", ylabel="precision",
             title="How well a system knows when it is right")  # fmt: skip
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    return figure


def recall_by_severity(results: Sequence[Result], steps: Sequence[tuple[str, str]]) -> Figure:
    """R1 as each kind of transform is driven further, a panel a kind."""
    kinds = list(dict.fromkeys(kind for kind, _ in steps))
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(4 * columns, 3 * rows), layout="constrained", sharey=True, squeeze=False
    )
    for place, kind in enumerate(kinds):
        axes = panels.flat[place]
        own = [number for number, (one, _) in enumerate(steps) if one == kind]
        for number, result in enumerate(results):
            assert result.severities is not None
            shares = result.severities.right[:, own, 0].mean(axis=0)
            style = _MARKS[number % len(_MARKS)] + "-"
            axes.plot(range(len(own)), shares, style, label=result.name, lw=2.4 if number == 0 else 1.0, ms=4)
        axes.set_xticks(range(len(own)), [steps[number][1] for number in own])
        axes.set(title=kind, ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    for axes in panels.flat[len(kinds) :]:
        axes.set_visible(False)
    panels[0, 0].legend(fontsize=6)
    return figure


def write_plots(results: Sequence[Result], steps: Sequence[tuple[str, str]], folder: Path) -> None:
    """Write recall_by_transform.png, precision_recall.png and, where measured, severities.png."""
    figures = {
        "recall_by_transform": recall_by_transform(results),
        "precision_recall": precision_and_recall(results),
    }
    swept = [result for result in results if result.severities is not None]
    if steps and swept:
        figures["severities"] = recall_by_severity(swept, steps)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=130)
        plt.close(figure)
