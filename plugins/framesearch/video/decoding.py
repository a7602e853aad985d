"""Decoding a track, and leaving out undecoded what nobody needs, where that is safe."""

from __future__ import annotations  # PyAV's packets can be subscripted by type checkers only

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framesearch.video.av1 import Av1Stream
from framesearch.video.h264 import H264Stream

DECODER_THREADS = 2  # a video: more is gained by reading several videos at a time
_ONE_THREAD_PIXELS = 1 << 18  # VP9 up to 360p: threads wait for each other's rows, and cost more than they gain
_MAX_PIXELS = 1 << 26  # a frame: twice 8K
_REORDERED = 16  # frames: no codec shows a frame before more than so many that were decoded earlier
_LIGHTER = {
    "skip_loop_filter": "noref",  # H.264: frames that no other builds on stay unsmoothed, unseen once shrunk
    "max_frame_delay": "1",  # AV1: threads share a frame; frames side by side cost dav1d a second pass over each
}


class Decoder:
    """The decoder of one track.

    Args:
        sparing: frames may be left out that no other builds on. Known of H.264 without fields, and of AV1.

    Attributes:
        failed: whether the last call met a packet that could not be decoded.
    """

    def __init__(self, stream: VideoStream, *, sparing: bool) -> None:
        self._context: Any = stream.codec_context
        codec = self._context.codec.canonical_name
        small = self._context.width * self._context.height <= _ONE_THREAD_PIXELS
        stream.thread_type = "AUTO"
        self._context.thread_count = 1 if codec == "vp9" and small else DECODER_THREADS
        self._context.options = {"max_pixels": str(_MAX_PIXELS), **_LIGHTER}
        extradata = bytes(self._context.extradata or b"") if sparing else b""
        self._av1 = Av1Stream(extradata) if sparing and codec == "av1" else None
        self._h264 = H264Stream(extradata) if sparing and codec == "h264" else None
        self.failed = False

    def can_spare(self, packet: Packet[Any]) -> bool:
        """Whether a packet, all of which must pass by here in order, may be left out as `pictures` does."""
        if self._h264 is not None:
            return self._h264.codes_frames(memoryview(packet))
        return self._av1 is not None

    def pictures(self, packet: Packet[Any] | None, *, wanted: bool = True) -> list[VideoFrame]:
        """The frames that are ready now, that of this packet perhaps not among them; None asks for the last ones.

        Args:
            wanted: False leaves the packet's frame out, if no other builds on it. See `can_spare`.
        """
        self.failed = False
        if self._av1 is not None and packet is not None and (not wanted or packet.is_keyframe):
            needed = self._av1.drop_disposable_frames(memoryview(packet))
            if not wanted and needed is not None:
                if not needed:
                    return []
                packet = _with(needed, packet)
        elif self._h264 is not None:
            self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            result: list[VideoFrame] = self._context.decode(packet)
            return result
        except (av.FFmpegError, MemoryError):
            self.failed = packet is not None or self.failed
            return []


def _with(content: bytes, packet: Packet[Any]) -> Packet[Any]:
    lighter = Packet(content)
    lighter.pts, lighter.dts, lighter.time_base = packet.pts, packet.dts, packet.time_base
    lighter.duration = packet.duration
    return lighter


class Grid:
    """Marks the packets whose frames are the first since a multiple of some seconds.

    Packets come in order of decoding: which frame is the first of a cell of the grid is known once all those have been
    seen that may be shown before it.
    """

    def __init__(self, grid_s: float) -> None:
        self._grid_s = grid_s
        self._ahead: deque[tuple[Packet[Any], float | None]] = deque()
        self._first: dict[int, float] = {}  # by cell, the earliest time

    def marked(self, packet: Packet[Any], shown_s: float | None) -> Iterator[tuple[Packet[Any], float | None, bool]]:
        """Take a packet in, and give the one that is due, if any, with whether its frame is one of the firsts.

        A packet that does not say when it is shown is taken for one.
        """
        if shown_s is not None:
            cell = self._cell(shown_s)
            self._first[cell] = min(self._first.get(cell, shown_s), shown_s)
        self._ahead.append((packet, shown_s))
        if len(self._ahead) > _REORDERED:
            yield self._oldest()
        if len(self._first) > 4 * _REORDERED:
            del self._first[min(self._first)]

    def rest(self) -> Iterator[tuple[Packet[Any], float | None, bool]]:
        """Those that are left at the end."""
        while self._ahead:
            yield self._oldest()

    def _oldest(self) -> tuple[Packet[Any], float | None, bool]:
        packet, shown_s = self._ahead.popleft()
        return packet, shown_s, shown_s is None or shown_s <= self._first.get(self._cell(shown_s), shown_s)

    def _cell(self, shown_s: float) -> int:
        return math.floor(shown_s / self._grid_s + 1e-6)
