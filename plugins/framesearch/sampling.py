"""Which frames of a video are kept: a decision per frame, as the video goes by.

Density decides accuracy more than any model, so frames are kept as densely as the picture changes: up to
`candidates_per_second` where it moves, one a second where it stands still, and the first frame of every shot. A small
share is set apart as probe frames, taken between the others: queries whose right answer is known.
"""

import hashlib
from collections import deque
from typing import Protocol

import numpy as np

from framesearch.images.pixels import correlation, difference, luma_change, thumbnail
from framesearch.records import FrameRole

VISIBLE_CHANGE = 0.015  # `pixels.difference`: grain and compression noise of a still scene stay below a third of it
LONGEST_GAP_S = 1.0  # between kept frames, however still the picture

# A new shot looks unlike the frame before it, and changes far more than the frames before it did.
_CUT_CHANGE = 4.0  # grey levels: less is no cut even between dark pictures
_CUT_RATIO = 3.0  # to the average change of the frames before
_CUT_CORRELATION = 0.6  # a fast pan keeps more than this from one frame to the next
_REMEMBERED_CHANGES = 8  # frames

# Index frames before the first and second probe frame, so that even a short video has them.
_FIRST_PROBES = ((1, 3), (3, 6))


class Candidate(Protocol):
    """What a decision is made on: see `video.DecodedFrame`."""

    timestamp_s: float
    luma: np.ndarray

    def picture(self) -> np.ndarray:
        """The picture; asked for only where the decision needs it."""


class ShotDetector:
    """Tells the first frame of every shot from the brightness samples of one frame after the other."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=_REMEMBERED_CHANGES)

    def starts_shot(self, luma: np.ndarray) -> bool:
        """Whether a shot starts with the frame of these samples, uint8 of a fixed shape; the first frame does."""
        before, self._before = self._before, luma
        if before is None:
            return True
        change = luma_change(before, luma)
        usual = sum(self._changes) / len(self._changes) if self._changes else 0.0
        if change > max(_CUT_CHANGE, _CUT_RATIO * usual) and correlation(before, luma) < _CUT_CORRELATION:
            self._changes.clear()
            return True
        self._changes.append(change)
        return False


class Sampler:
    """Decides about the frames of one video, which must all pass by in order of presentation.

    The same frames of the same `video_id` get the same decisions, always.

    Args:
        candidates_per_second: most index frames a second within a shot.
        probe_share: probe frames per index frame.
    """

    def __init__(self, video_id: str, *, candidates_per_second: float, probe_share: float) -> None:
        self._pace, self._probe_share = candidates_per_second, probe_share
        self._shots = ShotDetector()
        self._rng = np.random.default_rng(list(hashlib.sha256(video_id.encode()).digest()[:8]))
        self._tick = -1  # of the last candidate
        self._kept_s = -np.inf
        self._kept: np.ndarray | None = None  # thumbnail of the last index frame
        self._probes = 0
        self._until_probe = self._frames_to_next_probe()
        self._probe_from_s = np.inf  # where a probe frame is due: the middle between two candidates

    def decide(self, frame: Candidate) -> FrameRole | None:
        """What the next frame is kept for; None where it is not kept."""
        now = frame.timestamp_s
        tick = int(now * self._pace + 1e-6)
        on_grid, self._tick = tick > self._tick, tick
        if self._shots.starts_shot(frame.luma):
            return self._keep(now, thumbnail(frame.picture()))
        overdue = now - self._kept_s >= LONGEST_GAP_S - 0.5 / self._pace
        if now >= self._probe_from_s and not (on_grid and overdue):
            return self._set_apart()
        if not on_grid:
            return None
        shown = thumbnail(frame.picture())
        if overdue or self._kept is None or difference(shown, self._kept) > VISIBLE_CHANGE:
            return self._keep(now, shown)
        return None

    def _keep(self, now: float, shown: np.ndarray) -> FrameRole:
        self._kept_s, self._kept = now, shown
        self._until_probe -= 1
        if self._until_probe <= 0 and self._probe_from_s == np.inf:
            self._probe_from_s = (self._tick + 0.5) / self._pace
            if self._probe_from_s <= now:  # a shot that started in the later half of a tick
                self._probe_from_s += 1 / self._pace
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
