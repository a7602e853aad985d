"""The pictures of a training that people look at in MLflow. The only user of matplotlib."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from framesearch.errors import ImageUnreadable, NotStored, ObjectDamaged
from framesearch.images.distortions import DISTORTIONS
from framesearch.images.pixels import decode_jpeg
from framesearch.store import layout
from framesearch.store.storage import Storage
from framesearch.store.tables import read_frames_at
from training.gate.encoder_exam import Exam, Marks, query_picture

matplotlib.use("Agg")  # no window, ever

OURS, THEIRS = "#d9480f", "#868e96"
SHOWN = 10  # pictures in a grid, queries in a sheet


def loss_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Every loss over the epochs, training and test frames."""
    names = sorted({name.partition("/")[2] for row in history for name in row if "/" in name})
    figure = Figure(figsize=(4.5 * len(names), 3.5), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), place + 1)
        for part, colour in (("train", OURS), ("test", THEIRS)):
            points = [(row["epoch"], row[f"{part}/{name}"]) for row in history if f"{part}/{name}" in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", color=colour, label=part)
        axes.set(title=name.replace("_", " "), xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def reconstructions(clean: np.ndarray, views: np.ndarray, reconstructed: np.ndarray) -> Figure:
    """Frames, what the encoder saw of them, and what it made of that.

    Args:
        clean, views: RGB uint8 (N, side, side, 3).
        reconstructed: float32 (N, 64, 64, 3), 0 to 1.
    """
    shown = min(SHOWN, len(clean))
    figure = Figure(figsize=(1.4 * shown, 2.9), layout="constrained")
    for row, (title, pictures) in enumerate((("frame", clean), ("seen", views), ("reconstructed", reconstructed))):
        for column in range(shown):
            axes = figure.add_subplot(3, shown, row * shown + column + 1)
            axes.imshow(pictures[column], aspect=9 / 16)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(title)
    return figure


def recall_by_transform(challenger: Marks, champion: Marks | None, called: str) -> Figure:
    """R1 under each transform, beside the champion's (`called` so) where there is one."""
    names = list(DISTORTIONS)
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(names))
    height = 0.4 if champion else 0.7
    shift = height / 2 if champion else 0.0
    axes.barh(places - shift, challenger.right.mean(axis=0), height, color=OURS, label="this model")
    if champion:
        axes.barh(places + shift, champion.right.mean(axis=0), height, color=THEIRS, label=called)
        axes.legend(frameon=False, loc="lower right")
    axes.set(yticks=places, yticklabels=names, xlim=(0, 1), xlabel="R1: share of queries whose first answer is right")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return figure


def answer_sheet(exam: Exam, marks: Marks, storage: Storage) -> Figure:
    """Queries with the frame they are of and the frame that was answered: some right ones, more wrong ones."""
    kinds = list(DISTORTIONS)
    rng = np.random.default_rng(0)
    right = marks.right.reshape(-1)
    wrong = rng.permutation(np.flatnonzero(~right))[: SHOWN - min(SHOWN * 2 // 5, int(right.sum()))]
    good = rng.permutation(np.flatnonzero(right))[: SHOWN - len(wrong)]
    figure = Figure(figsize=(2.1 * (len(good) + len(wrong)), 4.6), layout="constrained")
    for column, query in enumerate([*good.tolist(), *wrong.tolist()]):
        probe, kind = exam.probes[query // len(kinds)], kinds[query % len(kinds)]
        row = marks.answers[query, 0]
        answered, at_s = exam.video_ids[exam.video[row]], float(exam.timestamps_s[row])
        asked = exam.video_ids[probe.video]
        cells = (
            (query_picture(probe, kind, asked), f"query: {kind}"),
            (probe.rgb, f"of {_short(asked)} {probe.timestamp_s:.1f} s"),
            (_frame(storage, answered, at_s), f"answer {_short(answered)} {at_s:.1f} s"),
        )
        for line, (picture, title) in enumerate(cells):
            axes = figure.add_subplot(3, len(good) + len(wrong), line * (len(good) + len(wrong)) + column + 1)
            if picture is not None:
                axes.imshow(picture)
            axes.set_title(
                title, fontsize=7, color=("#2b8a3e" if right[query] else "#c92a2a") if line == 2 else "black"
            )
            axes.set(xticks=[], yticks=[])
    return figure


def _short(video_id: str) -> str:
    return video_id if len(video_id) <= 18 else f"{video_id[:17]}…"


def _frame(storage: Storage, video_id: str, timestamp_s: float) -> np.ndarray | None:
    try:
        with storage.open(layout.frames(video_id)) as file:
            return decode_jpeg(read_frames_at(file, [timestamp_s])[timestamp_s].jpeg)
    except (NotStored, ObjectDamaged, ImageUnreadable, KeyError):
        return None  # gone since it was judged: the sheet has a hole, the training goes on
