"""Reading a video file from its first frame to its last."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import av
from av.packet import Packet

from framesearch.errors import VideoUnavailable
from framesearch.records import Reason
from framesearch.video.clock import Clock, FrameTimes
from framesearch.video.containers import open_container, packets_of, stated_s, tells_when_shown
from framesearch.video.damage import Damage
from framesearch.video.decoding import Decoder, Grid
from framesearch.video.frames import DecodedFrame, Renderer
from framesearch.video.protection import encrypted
from framesearch.video.tracks import film_of

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_BATCH = 8  # wanted frames handed on together
_LOOK_AHEAD = 2000  # packets
_OWN_BYTES = 1 << 14  # more between two packets than containers need for themselves


class VideoFile:
    """An open video file; a context manager.

    Read is the track that is the film: see `tracks.film_of`. A file is read as far as it goes: where it is damaged, ends
    early or is shorter than it says, `shortfall` says so afterwards.

    Args:
        height: of the pictures, pixels; smaller videos are not scaled up.
        max_hours: videos that are longer are refused: not those that only say so.
        grid_s: where given, frames may be left out, undecoded, that no other frame builds on (as H.264 and AV1 mark
            them) and that are not the first since a multiple of so many seconds. A shot may then seem to start a frame
            or two late, where the encoder began it with such frames: when the next frame shows that a shot has begun,
            what they build on may be gone from the decoder.

    Raises:
        VideoUnavailable: nothing here can be decoded as video, it is encrypted, or it is too long. Reading can raise
            it, too.
    """

    def __init__(self, path: Path, *, height: int, max_hours: float, grid_s: float | None = None) -> None:
        self._path, self._max_s, self._grid_s = path, max_hours * 3600, grid_s
        self._duration_s = 0.0
        self._shortfall: str | None = None
        if encrypted(path):
            raise VideoUnavailable(
                f"{path.name} is encrypted (protected by DRM or scrambled), and there is no key: get a copy that is not",
                Reason.ENCRYPTED,
            )
        self._container = open_container(path)
        try:
            self._stream = film_of(self._container, path.name, lambda: open_container(path))
            self._renderer = Renderer(self._stream, height)
            self._decoder = Decoder(self._stream, sparing=grid_s is not None and tells_when_shown(self._container))
            self._clock = Clock(self._container)
            if stated_s(self._container, self._stream) > self._max_s:
                self._refuse_what_goes_on_too_long()
        except BaseException:
            self._container.close()
            raise

    def _refuse_what_goes_on_too_long(self) -> None:
        """Look whether a file that says it is too long holds anything so late, before all of it is decoded."""
        with contextlib.closing(open_container(self._path)) as ahead, contextlib.suppress(av.FFmpegError):
            start_us = ahead.start_time or 0
            ahead.seek(start_us + int(self._max_s * av.time_base))
            unit_s = [float(stream.time_base or 0) for stream in ahead.streams]
            for number, packet in enumerate(ahead.demux()):
                if packet.pts is not None and packet.stream_index == self._stream.index:
                    self._refuse_longer(packet.pts * unit_s[packet.stream_index] - start_us / av.time_base)
                if number >= _LOOK_AHEAD:
                    break

    def _refuse_longer(self, length_s: float) -> None:
        if length_s > self._max_s:
            raise VideoUnavailable(
                f"{self._path.name} is more than {length_s / 3600:.1f} hours long: FRAMESEARCH_MAX_VIDEO_HOURS allows "
                f"{self._max_s / 3600:g}",
                Reason.TOO_LONG,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()

    @property
    def duration_s(self) -> float:
        """How long the video was found to be; known once `frames` has ended."""
        return self._duration_s

    @property
    def shortfall(self) -> str | None:
        """What is missing from the video, such as "ends after 12 of 60 s"; None where it is whole.

        Known once `frames` or `wanted_frames` has ended. Several things are joined by "; ".
        """
        return self._shortfall

    def frames(self) -> Iterator[DecodedFrame]:
        """Every intact frame in order of presentation, times strictly rising; damaged frames are left out.

        Raises:
            VideoUnavailable: there is no frame at all (at the end), or too long a video.
        """
        damage, decoder = Damage(), self._decoder
        times = FrameTimes(self._clock, self._stream)
        pictures = 0
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
                    damage.complain(self._duration_s)
                    continue
                timestamp_s, lasts_s = shown
                if frame.is_corrupt:
                    damage.complain(timestamp_s)
                    continue
                if timestamp_s < 0:  # cut off by an edit list
                    continue
                self._refuse_longer(timestamp_s)
                damage.shown(timestamp_s, lasts_s)
                self._duration_s = max(self._duration_s, timestamp_s + lasts_s)
                pictures += 1
                yield DecodedFrame(timestamp_s, frame, self._renderer)
        self._sum_up(damage, pictures)

    def _sum_up(self, damage: Damage, pictures: int) -> None:
        name = self._path.name
        if not pictures:
            raise VideoUnavailable(
                f"{name}: not one of its pictures can be decoded: check that it plays, or fetch it again",
                Reason.CORRUPT,
            )
        self._duration_s = max(self._duration_s, self._clock.end_s)
        stated = stated_s(self._container, self._stream)
        if self._clock.unmoved_end_s >= stated:  # some count from their clock's zero, not from their first stamp
            stated = 0.0
        self._shortfall = damage.told(self._clock.track_end_s(self._stream.index), self._clock.end_s, stated)

    def _packets(self, damage: Damage) -> Iterator[tuple[Packet, float | None]]:
        """The packets of the film, each with when it is shown, if it says so; the others only move the clock."""
        clock, film = self._clock, self._stream.index
        read_to = 0  # bytes
        for packet in packets_of(self._container, self._path.name):
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
        return position is not None and position - read_to > _OWN_BYTES

    def _marked(
        self, packets: Iterator[tuple[Packet, float | None]]
    ) -> Iterator[tuple[Packet | None, float | None, bool]]:
        """The packets, each with whether its frame is wanted, even if no other builds on it; at last, None."""
        if self._grid_s is None:
            yield from ((packet, shown_s, True) for packet, shown_s in packets)
        else:
            grid = Grid(self._grid_s)
            for packet, shown_s in packets:
                yield from grid.marked(packet, shown_s)
            yield from grid.rest()
        yield None, None, True

    def wanted_frames(self, wanted: Callable[[DecodedFrame], Found | None]) -> Iterator[tuple[DecodedFrame, Found]]:
        """The frames that are wanted, each with what `wanted` says of it; None passes a frame over.

        Decoding goes on in a thread of its own, which also asks `wanted` about every frame and shrinks the wanted
        ones, while the caller works on those before. Large frames are thus touched only while the processor's cache
        holds them, and never pile up.

        Raises:
            VideoUnavailable: as `frames` does.
        """
        ahead: queue.Queue[list[tuple[DecodedFrame, Found]] | BaseException | None] = queue.Queue(1)
        left = threading.Event()

        def hand_over(item: list[tuple[DecodedFrame, Found]] | BaseException | None) -> None:
            while not left.is_set():
                with contextlib.suppress(queue.Full):
                    return ahead.put(item, timeout=0.1)
            raise _NobodyReads

        def decode() -> None:
            batch: list[tuple[DecodedFrame, Found]] = []
            end: BaseException | None = None
            try:
                for frame in self.frames():
                    found = wanted(frame)
                    if found is not None:
                        frame.shrunk()
                        batch.append((frame, found))
                        if len(batch) == _BATCH:
                            hand_over(batch)
                            batch = []
            except _NobodyReads:
                return
            except BaseException as error:
                end = error
            with contextlib.suppress(_NobodyReads):
                hand_over(batch)
                hand_over(end)

        decoder = threading.Thread(target=decode, name=f"decode {self._path.name}", daemon=True)
        decoder.start()
        try:
            while (item := ahead.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield from item
        finally:
            left.set()
            decoder.join()


class _NobodyReads(Exception):
    """The caller left before the end of the video."""
