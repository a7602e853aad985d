"""When an answer is right: one rule for the calibration, the gate and the benchmarks."""

import numpy as np

ON_TIME_S = 1.0  # a match this close to the true moment shows the same scene


def on_time(late_s: float | np.ndarray) -> np.ndarray:
    """Whether answers name the right video at the right time: bool, of the shape of `late_s`.

    Args:
        late_s: seconds between the asked moment and the frame that was found, or the still scene that it stands for;
            infinite in another film.
    """
    return np.less_equal(late_s, ON_TIME_S)


def is_right(late_s: float | np.ndarray, looks_same: bool | np.ndarray) -> np.ndarray:
    """Whether answers are right: on time, or a frame that looks the same as the one asked for, whenever it is shown.

    Args:
        looks_same: as `images.sameness.looks_alike` tells it.
    """
    right: np.ndarray = np.logical_or(on_time(late_s), looks_same)
    return right
