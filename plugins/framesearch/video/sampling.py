"""Which frames of a video are kept: a decision per frame, as the video goes by.

Density decides accuracy more than any model, so frames are kept as densely as the picture changes: up to
`candidates_per_second` where it moves, one a second where it stands still, and the first frame of every shot. A small
share is set apart as probe frames, taken between the others: queries whose right answer is known.
"""

import hashlib
import math
from enum import Enum
from typing import Protocol

import numpy as np

from framesearch.images.pixels import correlation, difference, luma_change
from framesearch.records import FrameRole

VISIBLE_CHANGE = 0.015  # `pixels.difference`: grain and compression noise of a still scene stay below a third of it
_EVIDENT_CHANGE = 12.0  # grey levels, of single brightness samples: more than the coarsest grain makes
LONGEST_GAP_S = 1.0  # between kept frames, however still the picture

# A new shot looks unlike the frame before it, and changes far more than the frames before it did.
_CUT_CHANGE = 4.0  # grey levels: less is no cut even between dark pictures
_CUT_RATIO = 3.0  # to the average change of the frames before
_CUT_CORRELATION = 0.6  # a fast pan keeps more than this from one frame to the next
_MEMORY = 0.85  # weight of the past in the average change, a frame: about a quarter of a second

# Index frames before the first and second probe frame, so that even a short video has them.
_FIRST_PROBES = ((1, 3), (3, 6))


class Candidate(Protocol):
    """What a decision is made on: see `video.DecodedFrame`."""

    timestamp_s: float
    luma: np.ndarray

    def thumbnail(self) -> np.ndarray:
        """What `pixels.difference` compares; asked for only where the decision needs it."""


class ShotDetector:
    """Tells the first frame of every shot from the brightness samples of one frame after the other."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._usual = 0.0

    def starts_shot(self, luma: np.ndarray) -> bool:
        """Whether a shot starts with the frame of these samples, uint8 of a fixed shape; the first frame does."""
        before, self._before = self._before, luma
        if before is None or before.shape != luma.shape:
            return True
        change = luma_change(before, luma)
        cut = change > max(_CUT_CHANGE, _CUT_RATIO * self._usual) and correlation(before, luma) < _CUT_CORRELATION
        # Cuts count, too: a shot in which everything changes with every frame would else be all cuts.
        self._usual = _MEMORY * self._usual + (1 - _MEMORY) * change
        return cut


class Occasion(Enum):
    """Why a frame is looked at at all."""

    SHOT = "the first of its shot"
    TICK = "the first since a tick of the sampling grid"
    BETWEEN = "the first since the middle between two ticks"


class Sampler:
    """Decides about the frames of one video, which must all pass by in order of presentation.

    The same frames of the same `video_id` get the same decisions, always.

    Args:
        candidates_per_second: ticks of the sampling grid, and so most index frames a second within a shot.
        probe_share: probe frames per index frame.
    """

    def __init__(self, video_id: str, *, candidates_per_second: float, probe_share: float) -> None:
        self._pace, self._probe_share = candidates_per_second, probe_share
        self._shots = ShotDetector()
        self._half_tick = -1  # of the last frame
        self._rng = np.random.default_rng(list(hashlib.sha256(video_id.encode()).digest()[:8]))
        self._kept: Candidate | None = None  # the last index frame
        self._probes = 0
        self._until_probe = self._frames_to_next_probe()
        self._probe_from_s = np.inf  # where a probe frame is due: the middle between two ticks

    @property
    def grid_s(self) -> float:
        """Half the time between two ticks: besides shots, only the first frame of each such stretch can be kept."""
        return 0.5 / self._pace

    def role(self, frame: Candidate) -> FrameRole | None:
        """What the next frame is kept for; None where it is not kept."""
        occasion = self._occasion(frame)
        return None if occasion is None else self._decide(frame, occasion)

    def _occasion(self, frame: Candidate) -> Occasion | None:
        half_tick = int(2 * frame.timestamp_s * self._pace + 1e-6)
        before, self._half_tick = self._half_tick, half_tick
        if self._shots.starts_shot(frame.luma):
            return Occasion.SHOT
        if half_tick // 2 > before // 2:
            return Occasion.TICK
        return Occasion.BETWEEN if half_tick > before else None

    def _decide(self, frame: Candidate, occasion: Occasion) -> FrameRole | None:
        if self._kept is None or occasion is Occasion.SHOT:
            return self._keep(frame)
        overdue = frame.timestamp_s - self._kept.timestamp_s >= LONGEST_GAP_S - 0.5 / self._pace
        on_grid = occasion is Occasion.TICK
        if frame.timestamp_s >= self._probe_from_s and not (on_grid and overdue):
            return self._set_apart()
        if on_grid and (overdue or self._differs(frame, self._kept)):
            return self._keep(frame)
        return None

    @staticmethod
    def _differs(frame: Candidate, kept: Candidate) -> bool:
        """Whether the frame differs visibly from the last one kept."""
        if kept.luma.shape != frame.luma.shape or luma_change(kept.luma, frame.luma) > _EVIDENT_CHANGE:
            return True
        return difference(kept.thumbnail(), frame.thumbnail()) > VISIBLE_CHANGE

    def _keep(self, frame: Candidate) -> FrameRole:
        self._kept = frame
        self._until_probe -= 1
        if self._until_probe <= 0 and self._probe_from_s == np.inf:
            middles = math.floor(frame.timestamp_s * self._pace - 0.5 + 1e-6) + 1  # passed by now
            self._probe_from_s = (middles + 0.5) / self._pace
        return FrameRole.INDEX

    def _set_apart(self) -> FrameRole:
        self._probe_from_s = np.inf
        self._probes += 1
        self._until_probe += self._frames_to_next_probe()
        return FrameRole.PROBE

    def _frames_to_next_probe(self) -> float:
        if not self._probe_share:
            return np.inf
        if self._probes < len(_FIRST_PROBES):
            return float(self._rng.integers(*_FIRST_PROBES[self._probes], endpoint=True))
        return self._rng.uniform(0.5, 1.5) / self._probe_share
