"""What is missing from a file: told in words, once all of it was read.

A hole in time alone is no damage: a screen recording pauses, a slide show waits. It is one where something complained:
the decoder about a packet, the container about bytes that it could not place, or a picture that came out broken. And a
complaint alone is none, where no picture is missing.
"""

import heapq
from bisect import bisect_left, insort

_NEAR_S = 1.0  # a complaint so near to a hole is about it: decoders complain a few frames late
_EDGE_S = 1.0  # at either end so little is how recordings start and stop: amid a picture, before a key frame
_APART_S = 2.0  # holes closer together are one
_LONG_S = 0.5  # a shorter one is told as a place
_LOST = 1.5  # times the usual step from one picture to the next: at least one is missing
_SAME_S = 1e-4
_STEADY = 1 / 8  # how much a step changes what is usual
_TOLD = 3  # by name
_LENGTH_S, _LENGTH_SHARE = 2.0, 0.002  # a file that states this much more than it holds is whole


class Damage:
    """Collects what goes wrong while a file is read. Times are seconds on its time line."""

    def __init__(self) -> None:
        self._complaints: list[float] = []  # in order
        self._left_out: list[float] = []  # a heap: pictures that were not decoded, on purpose
        self._open: list[tuple[float, float]] = []  # holes about which a complaint may still come
        self._holes: list[tuple[float, float]] = []
        self._end_s = 0.0  # of the last picture
        self._last_s: float | None = None  # when it was shown
        self._usual_s = 0.0  # from one picture to the next

    def complain(self, at_s: float) -> None:
        """Something was wrong about here; whether it cost a picture will show."""
        insort(self._complaints, at_s)

    def left_out(self, at_s: float) -> None:
        """A picture was, perhaps, not decoded on purpose that would be shown here."""
        heapq.heappush(self._left_out, at_s)

    def shown(self, at_s: float, lasts_s: float) -> None:
        """An intact picture is shown; pictures come in order."""
        while self._left_out and self._left_out[0] <= at_s:
            self._step(heapq.heappop(self._left_out))
        self._step(at_s)
        self._end_s = at_s + lasts_s

    def _step(self, at_s: float) -> None:
        if self._last_s is None:
            if at_s > 0:
                self._open.append((0.0, at_s))
        else:
            step_s = at_s - self._last_s
            if step_s < _SAME_S:
                return
            if self._usual_s and step_s > _LOST * self._usual_s:
                self._open.append((self._last_s + self._usual_s, at_s))
                step_s = min(step_s, 2 * self._usual_s)
            self._usual_s += (step_s - self._usual_s) * (_STEADY if self._usual_s else 1)
        self._last_s = self._end_s = at_s
        if self._open and at_s - self._open[0][1] > 2 * _NEAR_S:
            self._judge()

    def _judge(self) -> None:
        """Keep the holes about which something complained."""
        for start_s, end_s in self._open:
            at = bisect_left(self._complaints, start_s - _NEAR_S)
            if at < len(self._complaints) and self._complaints[at] <= end_s + _NEAR_S:
                self._holes.append((start_s, end_s))
        self._open.clear()

    def told(self, film_s: float, held_s: float, stated_s: float) -> str | None:
        """What is missing, in words; None where nothing is.

        Args:
            film_s: up to where the file holds packets of the film.
            held_s: up to where the file holds anything.
            stated_s: how long it says it is, 0 where it doesn't.
        """
        if film_s > self._end_s:
            self._open.append((self._end_s, film_s))
        self._judge()
        whole_s = max(held_s, stated_s)
        told = []
        if stated_s - held_s > max(_LENGTH_S, _LENGTH_SHARE * stated_s):
            told.append(f"ends after {_seconds(held_s)} of {_seconds(stated_s)} s")
        stretches = self._stretches(film_s)
        for start_s, end_s in stretches[:_TOLD]:
            if end_s - start_s < _LONG_S:
                told.append(f"damaged at {_seconds(start_s)} of {_seconds(whole_s)} s")
            else:
                told.append(f"a damaged stretch from {_seconds(start_s)} to {_seconds(end_s)} of {_seconds(whole_s)} s")
        if len(stretches) > _TOLD:
            told.append(f"{len(stretches) - _TOLD} more up to {_seconds(stretches[-1][1])} s")
        return "; ".join(told) or None

    def _stretches(self, film_s: float) -> list[tuple[float, float]]:
        """The holes that matter; those that nearly touch are one."""
        merged: list[tuple[float, float]] = []
        for start_s, end_s in sorted(self._holes):
            if merged and start_s - merged[-1][1] < _APART_S:
                start_s, end_s = merged[-1][0], max(merged.pop()[1], end_s)
            merged.append((start_s, end_s))
        return [(a, b) for a, b in merged if b - a >= _EDGE_S or (a > 0 and b < film_s)]


def _seconds(time_s: float) -> str:
    """To whole seconds, but to tenths where those would hide it all."""
    return f"{time_s:.0f}" if time_s >= 10 or abs(time_s - round(time_s)) < 0.05 else f"{time_s:.1f}"
