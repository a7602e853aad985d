"""Reading a video file from its first frame to its last."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from av.container import InputContainer

from framesearch.errors import VideoUnavailable
from framesearch.records import Reason
from framesearch.video.containers import open_container
from framesearch.video.damage import Damage
from framesearch.video.frames import DecodedFrame
from framesearch.video.parts import Part, parts_of
from framesearch.video.protection import encrypted
from framesearch.video.recording import Recording

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_BATCH = 8  # wanted frames handed on together


class VideoFile:
    """An open video file; a context manager.

    Read is the track that is the film: see `tracks.film_of`. A file is read as far as it goes: where it is damaged,
    ends early or is shorter than it says, `shortfall` says so afterwards. Several recordings in one file follow each
    other on one time line.

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
        self._path, self._max_s = path, max_hours * 3600
        self._height, self._grid_s = height, grid_s
        self._duration_s = 0.0
        self._shortfall: str | None = None
        if encrypted(path):
            raise VideoUnavailable(
                f"{path.name} is encrypted (protected by DRM or scrambled), and there is no key: get a copy that isn't",
                Reason.ENCRYPTED,
            )
        container = open_container(Part(path))
        self._parts = parts_of(path, container.format.name)
        if len(self._parts) == 1:
            self._recording = self._open(self._parts[0], container=container)
        else:
            container.close()
            self._recording = self._open(self._parts[0])
        try:
            if self._recording.stated_s > self._max_s:  # look before all of it is decoded: it may only say so
                self._refuse_longer(self._recording.holds_later_than_s(self._max_s) or 0.0)
        except BaseException:
            self._recording.close()
            raise

    def _open(self, part: Part, start_s: float = 0.0, container: InputContainer | None = None) -> Recording:
        return Recording(part, height=self._height, grid_s=self._grid_s, start_s=start_s, container=container)

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
        self._recording.close()

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
        damage = Damage()
        pictures = unread = 0
        for number, part in enumerate(self._parts):
            if number:
                before = self._recording
                try:
                    self._recording = self._open(part, before.end_s)
                except VideoUnavailable as refusal:
                    if refusal.reason is not Reason.NO_VIDEO_STREAM:
                        log.warning("recording %d of %d: %s", number + 1, len(self._parts), refusal)
                        unread += 1
                    continue
                before.close()
            for frame in self._recording.frames(damage):
                self._refuse_longer(frame.timestamp_s)
                yield frame
            pictures += self._recording.pictures
        last = self._recording
        if not pictures:
            raise VideoUnavailable(
                f"{self._path.name}: not one of its pictures can be decoded: check that it plays, or fetch it again",
                Reason.CORRUPT,
            )
        self._duration_s = max(last.duration_s, last.end_s)
        told = [damage.told(last.film_end_s, last.end_s, last.says_more_s)]
        if unread:
            told.append(f"{unread} of the {len(self._parts)} recordings in it can't be read")
        self._shortfall = "; ".join(filter(None, told)) or None

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
