"""When an answer is right: one rule for the calibration, the gate and the benchmarks."""

from typing import TypeVar

import numpy as np

ON_TIME_S = 1.0  # a match this close to the true moment shows the same scene

Numbers = TypeVar("Numbers", float, np.ndarray)


def on_time(late_s: Numbers) -> Numbers:
    """Whether answers name the right video at the right time.

    Args:
        late_s: seconds between the asked moment and the frame that was found, or the still scene that it stands for;
            infinite in another film.
    """
    return late_s <= ON_TIME_S  # type: ignore[return-value]


def is_right(late_s: Numbers, looks_same: Numbers) -> Numbers:
    """Whether answers are right: on time, or a frame that looks the same as the one asked for, whenever it is shown.

    Args:
        looks_same: as `images.sameness.looks_alike` tells it.
    """
    return np.logical_or(on_time(late_s), looks_same)  # type: ignore[return-value]
