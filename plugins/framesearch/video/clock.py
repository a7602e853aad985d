"""One rising time line over all that a file holds.

The rule, for every container: times count from the earliest stamp of any stream (FFmpeg's `start_time`), as the ffmpeg
program and players show them. A picture that starts after the sound stays that much later; a file whose clock starts
at 100 s starts at 0.

Recordings that were written one after the other bring clocks that start again, leap or roll over. A clock that steps
back, or, where the format allows it, leaps by more than `_LEAP_S`, starts a new stretch of the time line where the
footage before it ended. So does the ffmpeg program (fftools/ffmpeg_demux.c, `ts_discontinuity_detect`), by the same
bounds; unlike it, a stream that merely pauses while another goes on is not taken for a leap.
"""

from __future__ import annotations  # PyAV's packets can be subscripted by type checkers only

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesearch.video.containers import clock_may_leap, has_only_decoding_times, has_times

_LEAP_S = 10.0  # ffmpeg's dts_delta_threshold
_BACK_S = 0.1  # a decoding time that steps back further is a clock that starts again
_BACK_ELSEWHERE_S = 1.0  # the same in formats whose clocks should not: fragments of an MP4 may overlap a little
_NEAR_S = 1.0  # a stamp so near to where its stream is expected belongs to a stretch known before
_ROUNDED_S = 1e-5  # a container's start is told in whole microseconds: its first frame may seem to lie before it
_STEP_S = 1e-3  # a frame whose stamp is not after that of the frame before comes so much after it
_KNOWN = 8  # stretches of the time line to which a track may still go back
_SOUND_S = 10.0  # no packet of sound is longer: FFmpeg counts the last one of Vorbis below zero, in 32 bits
_USUAL_S = 0.04  # a frame, where nothing tells
_FASTEST = 1000  # pictures a second: a higher rate is how finely a stream tells time
_LATE = 16  # frames in a row whose stamps lie before others' already shown; more mean that those were wrong


@dataclass
class _Track:
    unit_s: float
    frame_s: float  # how long a packet lasts where it does not say
    timed: bool  # sound or picture: others don't move the clock
    longest_s: float  # that a packet is believed to last
    shift_s: float = 0.0  # added to its stamps
    dts_s: float | None = None  # of its last packet, on the time line
    ordered: bool = True  # whether that is a decoding time; a time to be shown at may be followed by earlier ones
    next_s: float | None = None  # where its next packet is expected
    end_s: float = 0.0
    leapt: bool = False  # its last stamp was far ahead of all others: not believed until another follows it there


@dataclass
class Clock:
    """Puts packets on the time line, in the order in which the file holds them.

    Args:
        start_s: where the time line starts: behind the recordings before this one.

    Attributes:
        end_s: up to where the file was read, over all its streams.
        unmoved_end_s: the same by the file's own clock.
    """

    container: InputContainer
    start_s: float = 0.0
    end_s: float = field(init=False)
    unmoved_end_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.origin_s = (self.container.start_time or 0) / av.time_base - self.start_s
        self.end_s = self.start_s
        self._may_leap = clock_may_leap(self.container)
        self._only_decoding_times = has_only_decoding_times(self.container)
        self._read_s = self.start_s  # up to where packets are expected, by their decoding times
        self._back_s = _BACK_S if self._may_leap else _BACK_ELSEWHERE_S
        self._shifts_s = deque([0.0], _KNOWN)
        self._tracks = [self._track(stream) for stream in self.container.streams]

    def _track(self, stream: Stream) -> _Track:
        rate = stream.average_rate if isinstance(stream, VideoStream) else None
        return _Track(
            float(stream.time_base or 0),
            float(1 / rate) if rate else _USUAL_S,
            stream.type in ("video", "audio"),
            math.inf if stream.type == "video" else _SOUND_S,
        )

    def place(self, packet: Packet[Any]) -> float | None:
        """Move a packet's stamps onto the time line; when it is shown there, in seconds, None where it doesn't say."""
        track = self._tracks[packet.stream_index]
        if self._only_decoding_times:
            packet.pts = None
        pts, dts, unit_s = packet.pts, packet.dts, track.unit_s
        stamp = dts if dts is not None else pts
        if stamp is None or not unit_s or not track.timed:
            return None
        if pts is not None and self._may_leap and (pts - stamp) * unit_s > _LEAP_S:
            stamp, dts = pts, None  # the clock leaps, and decoding times, a few pictures behind, have not followed yet
        lasts_s = (packet.duration or 0) * unit_s
        if not 0 < lasts_s < track.longest_s:
            lasts_s = track.frame_s
        shown_s = (stamp if pts is None else pts) * unit_s - self.origin_s
        stamp_s = stamp * unit_s - self.origin_s
        if track.dts_s is None or not track.dts_s <= stamp_s + track.shift_s <= track.dts_s + _LEAP_S:
            self._follow(track, stamp_s, shown_s, ordered=dts is not None)
        track.dts_s, track.ordered = stamp_s + track.shift_s, dts is not None
        track.next_s = track.dts_s + lasts_s
        self._read_s = max(self._read_s, track.next_s)
        if track.shift_s:
            ticks = round(track.shift_s / unit_s)
            packet.pts = None if pts is None else pts + ticks
            packet.dts = None if dts is None else dts + ticks
            shown_s += ticks * unit_s
        self._reach(track, shown_s + lasts_s)
        return None if pts is None else shown_s

    def _reach(self, track: _Track, end_s: float) -> None:
        track.leapt = not track.leapt and end_s > self.end_s + _LEAP_S
        if track.leapt:
            return
        track.end_s = max(track.end_s, end_s)
        if track.end_s > self.end_s:
            self.end_s = track.end_s
            self.unmoved_end_s = max(self.unmoved_end_s, self.end_s - track.shift_s + self.origin_s)

    def track_end_s(self, index: int) -> float:
        """Up to where a track was read."""
        return self._tracks[index].end_s

    def _follow(self, track: _Track, stamp_s: float, shown_s: float, *, ordered: bool) -> None:
        """Keep or change the shift of a track for its next stamp; one without decoding time may step back a little."""
        if not self._goes_on(track, stamp_s + track.shift_s, ordered):
            expected_s = track.next_s if track.next_s is not None else self.end_s
            nearest = min(self._shifts_s, key=lambda shift_s: abs(stamp_s + shift_s - expected_s))
            newest = self._shifts_s[-1]
            if newest != track.shift_s and self._goes_on(track, stamp_s + newest, ordered):
                track.shift_s = newest
            elif nearest != track.shift_s and abs(stamp_s + nearest - expected_s) <= _NEAR_S:
                track.shift_s = nearest
            elif self._may_leap or (  # elsewhere, what is shown later is no step back
                self._steps_back(track, max(stamp_s, shown_s) + track.shift_s, ordered)
            ):
                track.shift_s = self.end_s - shown_s
                self._shifts_s.append(track.shift_s)

    def _steps_back(self, track: _Track, stamp_s: float, ordered: bool) -> bool:
        return track.dts_s is not None and stamp_s < track.dts_s - (
            self._back_s if ordered and track.ordered else _LEAP_S
        )

    def _goes_on(self, track: _Track, stamp_s: float, ordered: bool) -> bool:
        if track.next_s is None:
            return not self._may_leap or abs(stamp_s - self.end_s) <= _LEAP_S or self.end_s == self.start_s
        if self._steps_back(track, stamp_s, ordered):
            return False
        return stamp_s <= self._read_s + _LEAP_S


class FrameTimes:
    """The time at which each frame is shown, strictly rising.

    Frames carry a presentation time and the decoding time at which they came out. Which of them to believe is decided
    as FFmpeg does (libavcodec/decode.c, `guess_correct_pts`): AVI files, for one, may hold decoding times only.

    Where frames carry none, each is shown for as long as the stream says. A frame whose stamp lies before one that was
    shown already, as damage leaves it, is left out.
    """

    def __init__(self, clock: Clock, stream: VideoStream) -> None:
        self._clock, self._unit_s = clock, float(stream.time_base or 0)
        told = (stream.codec_context.framerate, stream.average_rate)
        rate = next((rate for rate in told if rate and rate <= _FASTEST), None)
        self._frame_s = float(1 / rate) if rate else _USUAL_S
        self._timed = has_times(clock.container)
        self._faulty_pts = self._faulty_dts = 0
        self._last_pts = self._last_dts = -(1 << 63)
        self._last_s: float | None = None
        self._stamp_s = -math.inf  # of the last one shown
        self._lasts_s = 0.0
        self._late = 0  # in a row

    def next(self, frame: VideoFrame) -> tuple[float, float] | None:
        """When the next frame is shown, and for how long, in seconds; before the clock's start where it is cut off.

        None where it comes too late to be shown.
        """
        start_s = self._clock.start_s
        stamp = self._believed(frame.pts, frame.dts) if self._timed else None
        last_s, lasts_s = self._last_s, (frame.duration or 0) * self._unit_s if self._timed else 0.0
        if stamp is not None:
            time_s = stamp * self._unit_s - self._clock.origin_s
        else:
            time_s = start_s if last_s is None else last_s + self._lasts_s
        if -_ROUNDED_S < time_s - start_s < 0:
            time_s = start_s
        if time_s < self._stamp_s and self._late < _LATE:
            self._late += 1
            return None
        self._stamp_s, self._late = time_s, 0
        if last_s is not None and time_s <= last_s:
            time_s = last_s + _STEP_S
        self._last_s, self._lasts_s = time_s, lasts_s or self._frame_s
        return time_s, self._lasts_s

    def _believed(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        return pts if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts) else dts
