"""Reading one recording: a file, or one of several in it."""

from __future__ import annotations  # PyAV's packets can be subscripted by type checkers only

import contextlib
from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet

from framesearch.video.clock import Clock, FrameTimes
from framesearch.video.containers import open_container, packets_of, stated_s, tells_when_shown
from framesearch.video.damage import Damage
from framesearch.video.decoding import Decoder, Grid
from framesearch.video.frames import DecodedFrame, Renderer
from framesearch.video.parts import Part
from framesearch.video.tracks import film_of

_LOOK_AHEAD = 2000  # packets
_OWN_BYTES = 1 << 14  # more between two packets than containers need for themselves
_OWN_BYTES_MATROSKA = 1 << 10


class Recording:
    """An open recording.

    Args:
        start_s: where it starts on the time line of its file.
        height, grid_s: as `VideoFile` has them.
        container: the part, where it is open already.

    Attributes:
        duration_s: up to where pictures were shown, on the file's time line.
        pictures: how many were.

    Raises:
        VideoUnavailable: nothing here can be decoded as video.
    """

    def __init__(
        self,
        part: Part,
        *,
        height: int,
        grid_s: float | None,
        start_s: float = 0.0,
        container: InputContainer | None = None,
    ) -> None:
        self._part, self._grid_s = part, grid_s
        self.duration_s, self.pictures = start_s, 0
        self._container = container or open_container(part)
        try:
            self._stream = film_of(self._container, part.path.name, lambda: open_container(part))
            self._renderer = Renderer(self._stream, height)
            self._decoder = Decoder(self._stream, sparing=grid_s is not None and tells_when_shown(self._container))
            self._clock = Clock(self._container, start_s)
            self._own_bytes = _OWN_BYTES_MATROSKA if "matroska" in self._container.format.name else _OWN_BYTES
        except BaseException:
            self._container.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def stated_s(self) -> float:
        """How long the recording says it is, 0 where it doesn't; known before it is read."""
        return stated_s(self._container, self._stream, self._part)

    @property
    def film_end_s(self) -> float:
        """Up to where packets of the film were read, on the file's time line."""
        return self._clock.track_end_s(self._stream.index)

    @property
    def end_s(self) -> float:
        """Up to where anything was read, on the file's time line."""
        return self._clock.end_s

    @property
    def says_more_s(self) -> float:
        """Where it says that it ends, on the file's time line; no later than it does where it doesn't say."""
        stated_s = self.stated_s
        # Some count from their clock's zero, not from their first stamp.
        return self.end_s if self._clock.unmoved_end_s >= stated_s else self._clock.start_s + stated_s

    def holds_later_than_s(self, limit_s: float) -> float | None:
        """The time of a picture beyond a limit, if there is one, found without decoding all up to there."""
        with contextlib.closing(open_container(self._part)) as ahead, contextlib.suppress(av.FFmpegError, IndexError):
            start_us = ahead.start_time or 0
            ahead.seek(start_us + int(limit_s * av.time_base))
            unit_s = float(ahead.streams[self._stream.index].time_base or 0)
            for number, packet in enumerate(ahead.demux()):
                if packet.pts is not None and packet.stream_index == self._stream.index:
                    shown_s = packet.pts * unit_s - start_us / av.time_base
                    if shown_s > limit_s:
                        return shown_s
                if number >= _LOOK_AHEAD:
                    break
        return None

    def frames(self, damage: Damage) -> Iterator[DecodedFrame]:
        """Every intact frame in order of presentation, times strictly rising; damaged frames are left out."""
        decoder, times = self._decoder, FrameTimes(self._clock, self._stream)
        for packet, placed_s, wanted in self._marked(self._packets(damage)):
            spared = packet is not None and decoder.can_spare(packet) and not wanted
            decoded = decoder.pictures(packet, wanted=not spared)
            if decoder.failed:
                damage.complain(self._clock.end_s if placed_s is None else placed_s)
            elif spared and placed_s is not None:
                damage.left_out(placed_s)
            for frame in decoded:
                shown = times.next(frame)
                if shown is None:
                    damage.complain(self.duration_s)
                    continue
                timestamp_s, lasts_s = shown
                if frame.is_corrupt:
                    damage.complain(timestamp_s)
                    continue
                if timestamp_s < self._clock.start_s:  # cut off by an edit list
                    continue
                damage.shown(timestamp_s, lasts_s)
                self.duration_s = max(self.duration_s, timestamp_s + lasts_s)
                self.pictures += 1
                yield DecodedFrame(timestamp_s, frame, self._renderer)

    def _packets(self, damage: Damage) -> Iterator[tuple[Packet[Any], float | None]]:
        """The packets of the film, each with when it is shown, if it says so; the others only move the clock."""
        clock, film = self._clock, self._stream.index
        read_to = 0  # bytes
        for packet in packets_of(self._container, self._part.path.name):
            if packet is None:
                damage.complain(clock.end_s)
                continue
            if self._passes_over(packet.pos, read_to):
                damage.complain(clock.end_s)
            read_to = max(read_to, (packet.pos or 0) + packet.size)
            shown_s = clock.place(packet)
            if packet.stream_index != film:
                continue
            if packet.is_corrupt:
                damage.complain(clock.end_s if shown_s is None else shown_s)
            yield packet, shown_s

    def _passes_over(self, position: int | None, read_to: int) -> bool:
        """Whether the container passed over more bytes than it needs for itself: perhaps it found nothing in them."""
        return position is not None and position - read_to > self._own_bytes

    def _marked(
        self, packets: Iterator[tuple[Packet[Any], float | None]]
    ) -> Iterator[tuple[Packet[Any] | None, float | None, bool]]:
        """The packets, each with whether its frame is wanted, even if no other builds on it; at last, None."""
        if self._grid_s is None:
            yield from ((packet, shown_s, True) for packet, shown_s in packets)
        else:
            grid = Grid(self._grid_s)
            for packet, shown_s in packets:
                yield from grid.marked(packet, shown_s)
            yield from grid.rest()
        yield None, None, True
