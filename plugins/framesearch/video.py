"""Video files, frame by frame, each with its exact presentation time. The only user of PyAV (FFmpeg).

Frames carry the time that a player shows for them: from the stream's own timestamps, never counted from a frame rate.
Every frame is decoded, but only those that somebody asks the picture of are scaled and converted, straight to the
small size: decoding is nearly all that reading a video costs.
"""

import contextlib
import logging
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from framesearch.av1 import Av1Stream
from framesearch.errors import VideoUnavailable
from framesearch.images.pixels import thumbnail
from framesearch.records import Reason

log = logging.getLogger(__name__)

Found = TypeVar("Found")

DECODER_THREADS = 2  # a video: more is gained by reading several videos at a time
_ONE_THREAD_PIXELS = 1 << 18  # VP9 up to 360p: threads wait for each other's rows, and cost more than they gain
_BATCH = 8  # wanted frames handed on together
_REORDERED = 16  # frames: no codec shows a frame before more than so many that were decoded earlier
LUMA = (12, 16)  # rows, columns of brightness samples: each costs every frame a look into main memory

# Containers that hold their own pictures. Without this list FFmpeg takes a text file for a film of its letters, and
# playlist formats (HLS, concat, ...) open whatever other files they name.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,avi,flv,live_flv,kux,asf,asf_o,ogg,ivf,"
    "obu,av1,h264,hevc,vvc,rm,mxf,nut,wtv,dv,gxf,gif,swf,vob,nsv,nuv,y4m,yuv4mpegpipe,h261,h263,vc1,mjpeg,webm_dash"
)
_LIGHTER = {
    "skip_loop_filter": "noref",  # H.264: frames that no other builds on stay unsmoothed, unseen once shrunk
    "max_frame_delay": "1",  # AV1: threads share a frame; frames side by side cost dav1d a second pass over each
}
_MAX_PIXELS = 1 << 26  # a frame: twice 8K
_FREE_ORIGIN = {"mpegts", "mpegtsraw", "mpeg", "flv", "live_flv"}  # their clocks start anywhere: the first stamp is 0
_HD_HEIGHT = 720  # from here on players take untagged colours for BT.709, below for BT.601
_ENOUGH = 0.5  # of the stated length, and of the pictures: less than this is a damaged file
_NEGLIGIBLE_S = 2.0  # a file that states this much more than it holds is not damaged

# FFmpeg's own complaints about strangers' files stay unheard: what matters is raised. No other level will do: from any
# level on PyAV listens with a callback that takes the GIL, and closing a file waits, with the GIL held, for decoder
# threads that complain: both wait for ever.
av.logging.set_level(None)

_ROUNDED_S = 1e-5  # a container's start is told in whole microseconds: its first frame may seem to lie before it


class DecodedFrame:
    """A decoded frame whose picture is converted only when asked for.

    Attributes:
        timestamp_s: presentation time, seconds.
        luma: brightness sampled at `LUMA` points, uint8, for comparing frames of one video.
    """

    __slots__ = ("_frame", "_reader", "_rgb", "_small", "_thumbnail", "luma", "timestamp_s")

    def __init__(self, timestamp_s: float, luma: np.ndarray, frame: VideoFrame, reader: "VideoFile") -> None:
        self.timestamp_s, self.luma = timestamp_s, luma
        self._frame: VideoFrame | None = frame
        self._reader = reader
        self._small: VideoFrame | None = None
        self._thumbnail: np.ndarray | None = None
        self._rgb: np.ndarray | None = None

    def shrunk(self) -> VideoFrame:
        """The picture in its small size, not yet turned upright nor coloured; the large one is let go of."""
        if self._small is None:
            assert self._frame is not None
            self._small, self._frame = self._reader._shrink(self._frame), None
        return self._small

    def thumbnail(self) -> np.ndarray:
        """Average brightness of the picture's cells, before it is turned upright: see `images.pixels.thumbnail`."""
        if self._thumbnail is None:
            small = self.shrunk()
            self._thumbnail = thumbnail(_plane(small) if small.format.name in _YUV else self.picture())
        return self._thumbnail

    def picture(self) -> np.ndarray:
        """The picture upright, in display aspect, no higher than the reader's height: RGB uint8 (H, W, 3)."""
        if self._rgb is None:
            self._rgb = self._reader._colour(self.shrunk())
        return self._rgb


class VideoFile:
    """An open video file; a context manager.

    Args:
        height: of the pictures, pixels; smaller videos are not scaled up.
        max_hours: videos that are longer are refused.
        grid_s: where given, frames may be left out, undecoded, that no other frame builds on (as H.264 and AV1 mark
            them) and that are not the first since a multiple of so many seconds. A shot may then seem to start a frame
            or two late, where the encoder began it with such frames: when the next frame shows that a shot has begun,
            what they build on may be gone from the decoder.

    Raises:
        VideoUnavailable: nothing here can be decoded as video, or it is too long. Reading can raise it, too.
    """

    def __init__(self, path: Path, *, height: int, max_hours: float, grid_s: float | None = None) -> None:
        self._path, self._height, self._max_s, self._grid_s = path, height, max_hours * 3600, grid_s
        self._read_to_s = 0.0
        self._shortfall: str | None = None
        self._scaler, self._colourer = VideoReformatter(), VideoReformatter()
        self._container = self._open()
        try:
            self._stream = self._picture_stream()
            self._origin_s = self._origin()
            self._av1 = self._av1_stream()
            self._pixel_aspect = float(self._stream.sample_aspect_ratio or 1)
            stated_us = self._container.duration
            self._stated_s = stated_us / av.time_base if stated_us and stated_us > 0 else 0.0
            self._refuse_longer(self._stated_s)
        except BaseException:
            self._container.close()
            raise

    def _open(self) -> InputContainer:
        if self._path.stat().st_size == 0:
            raise VideoUnavailable(f"{self._path.name} is empty (0 bytes): fetch it again", Reason.CORRUPT)
        options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
        try:
            return av.open(str(self._path), options=options, metadata_errors="replace")
        except av.FFmpegError as error:
            raise VideoUnavailable(
                f"{self._path.name} is no video file that can be read ({error.strerror}): "
                "check that it plays, or fetch it again",
                Reason.CORRUPT,
            ) from error

    def _picture_stream(self) -> VideoStream:
        unwanted = Disposition.attached_pic | Disposition.timed_thumbnails
        streams = [stream for stream in self._container.streams.video if not stream.disposition & unwanted]
        if not streams:
            raise VideoUnavailable(f"{self._path.name} has no video stream, only sound or pictures", _NO_STREAM)
        stream = max(streams, key=_area)
        if stream.codec_context is None:
            raise VideoUnavailable(f"{self._path.name}: its video codec is unknown to FFmpeg", Reason.UNSUPPORTED)
        stream.thread_type = "AUTO"
        small_vp9 = stream.codec_context.codec.canonical_name == "vp9" and _area(stream) <= _ONE_THREAD_PIXELS
        stream.codec_context.thread_count = 1 if small_vp9 else DECODER_THREADS
        stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS), **_LIGHTER}
        return stream

    def _av1_stream(self) -> Av1Stream | None:
        context = self._stream.codec_context
        if self._grid_s is None or context.codec.canonical_name != "av1":
            return None
        return Av1Stream(bytes(context.extradata or b""))

    def _origin(self) -> float:
        start_us = self._container.start_time
        free = not _FREE_ORIGIN.isdisjoint(self._container.format.name.split(","))
        return start_us / av.time_base if free and start_us is not None else 0.0

    def _refuse_longer(self, length_s: float) -> None:
        if length_s > self._max_s:
            raise VideoUnavailable(
                f"{self._path.name} is {length_s / 3600:.1f} hours long: FRAMESEARCH_MAX_VIDEO_HOURS allows "
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
        return self._read_to_s

    @property
    def shortfall(self) -> str | None:
        """What of the video could not be read, in words; None where it is whole. Known once `frames` has ended."""
        return self._shortfall

    def frames(self) -> Iterator[DecodedFrame]:
        """Every intact frame in order of presentation, times strictly rising; damaged frames are left out.

        Raises:
            VideoUnavailable: no frame at all (at the end), or too long.
        """
        expected = pictures = decoded = 0
        last_s = -1.0
        time_base = self._stream.time_base
        assert time_base is not None
        unit_s = float(time_base)
        timed = False  # whether frames carry presentation times; in some AVI files they carry decoding times only
        for packet, wanted in self._marked(self._packets(), unit_s):
            if wanted and (packet.pts is not None or packet.dts is not None):
                expected += not packet.is_discard
            for frame in self._decode(packet, wanted=wanted):
                decoded += 1
                if frame.is_corrupt:
                    continue
                timed = timed or frame.pts is not None
                stamp = frame.pts if timed else frame.dts
                if stamp is None:
                    continue
                timestamp_s = stamp * unit_s - self._origin_s
                if -_ROUNDED_S < timestamp_s < 0:
                    timestamp_s = 0.0
                if timestamp_s <= last_s or timestamp_s < 0:
                    continue
                last_s = timestamp_s
                self._read_to_s = max(self._read_to_s, timestamp_s + (frame.duration or 0) * unit_s)
                self._refuse_longer(timestamp_s)
                pictures += 1
                yield DecodedFrame(timestamp_s, _luma(frame), frame, self)
        self._check_whole(expected, decoded, pictures)

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

    def _packets(self) -> Iterator[Packet]:
        """The packets of the video stream; those of the others only tell how far the file goes."""
        # A packet's own time base is the stream's; asking every packet would build a Fraction each time.
        unit_s = [float(stream.time_base or 0) for stream in self._container.streams]
        wanted = self._stream.index
        try:
            for packet in self._container.demux():
                stream = packet.stream_index
                if packet.is_corrupt:
                    continue
                if stream == wanted:
                    yield packet
                end = packet.pts if packet.pts is not None else packet.dts
                if end is not None and stream < len(unit_s):  # some files bring new streams as they go
                    end_s = (end + (packet.duration or 0)) * unit_s[stream] - self._origin_s
                    if end_s > self._read_to_s:
                        self._read_to_s = end_s
        except av.FFmpegError as error:
            log.warning("%s: reading stopped at %.1f s: %s", self._path.name, self._read_to_s, error)

    def _decode(self, packet: Packet, *, wanted: bool) -> list[VideoFrame]:
        """The frames that are ready now; that of this packet may be left out where it is not wanted."""
        context = self._stream.codec_context
        if self._av1 is None:
            context.skip_frame = "DEFAULT" if wanted else "NONREF"
        elif not wanted or packet.is_keyframe:
            needed = self._av1.without_passing_frames(memoryview(packet))
            if not wanted and needed is not None:
                if not needed:
                    return []
                lighter = Packet(needed)
                lighter.pts, lighter.dts, lighter.time_base = packet.pts, packet.dts, packet.time_base
                packet = lighter
        try:
            return context.decode(packet)
        except av.FFmpegError:  # a damaged packet costs its own frame
            return []

    def _marked(self, packets: Iterator[Packet], unit_s: float) -> Iterator[tuple[Packet, bool]]:
        """The packets, each with whether its frame is wanted, even if no other builds on it.

        Packets come in order of decoding: which frame is the first of a cell of the grid is known once all those have
        been seen that may be shown before it.
        """
        if self._grid_s is None:
            yield from ((packet, True) for packet in packets)
            return
        ahead: deque[tuple[Packet, int | None]] = deque()
        first: dict[int, int] = {}  # by cell, the earliest stamp

        def oldest() -> tuple[Packet, bool]:
            packet, cell = ahead.popleft()
            stamp = packet.pts
            return packet, cell is None or stamp is None or stamp <= first.get(cell, stamp)

        for packet in packets:
            cell = None
            if packet.pts is not None:
                cell = math.floor((packet.pts * unit_s - self._origin_s) / self._grid_s + 1e-6)
                first[cell] = min(first.get(cell, packet.pts), packet.pts)
            ahead.append((packet, cell))
            if len(ahead) > _REORDERED:
                yield oldest()
            if len(first) > 4 * _REORDERED:
                del first[min(first)]
        while ahead:
            yield oldest()

    def _check_whole(self, packets: int, decoded: int, pictures: int) -> None:
        # MPEG-TS and its like state no length: a file of theirs that was cut off passes as a shorter one, for even a
        # last packet that is broken off doesn't tell how much is missing.
        name = self._path.name
        if decoded and not packets:
            raise VideoUnavailable(
                f"{name} is a bare stream without times: put it into a container, such as MP4", Reason.UNSUPPORTED
            )
        if not pictures:
            raise VideoUnavailable(
                f"{name}: not one of its {packets} pictures can be decoded: fetch it again", Reason.CORRUPT
            )
        if self._read_to_s < _ENOUGH * self._stated_s - _NEGLIGIBLE_S:
            self._shortfall = f"ends after {self._read_to_s:.0f} of {self._stated_s:.0f} s"
        elif pictures < _ENOUGH * packets:
            self._shortfall = f"only {pictures} of {packets} pictures can be decoded"

    # In two steps: scaling to YUV, then colouring the small picture, is a third of the work of both at once.

    def _shrink(self, frame: VideoFrame) -> VideoFrame:
        width, height = self._shown_size(frame.width, frame.height, sideways=_turns(frame) % 2 == 1)
        name = frame.format.name
        target = "yuvj420p" if name.startswith("yuvj") else "yuv420p" if name.startswith(_YUV_LIKE) else "rgb24"
        small = self._scaler.reformat(frame, width, height, target, interpolation=Interpolation.AREA, threads=1)
        if frame.colorspace == _UNTAGGED and frame.height >= _HD_HEIGHT:
            small.colorspace = Colorspace.ITU709
        return small

    def _colour(self, small: VideoFrame) -> np.ndarray:
        rgb = self._colourer.reformat(small, format="rgb24", threads=1).to_ndarray()
        turns = _turns(small)
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    def _shown_size(self, width: int, height: int, *, sideways: bool) -> tuple[int, int]:
        """Width and height of the picture, before it is turned, in square pixels and not above the reader's height."""
        shown_width = width * self._pixel_aspect
        scale = min(1.0, self._height / (shown_width if sideways else height))
        return max(1, round(shown_width * scale)), max(1, round(height * scale))


class _NobodyReads(Exception):
    """The caller left before the end of the video."""


_NO_STREAM = Reason.NO_VIDEO_STREAM
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
_YUV = ("yuv420p", "yuvj420p")
_YUV_LIKE = ("yuv4", "nv12", "nv21", "p010")


def _area(stream: VideoStream) -> int:
    context: Any = stream.codec_context
    return context.width * context.height if context is not None else 0


def _turns(frame: VideoFrame) -> int:
    """Quarter turns counter-clockwise that bring the frame upright."""
    return round(frame.rotation / 90) % 4


def _plane(frame: VideoFrame) -> np.ndarray:
    """The brightness of an 8-bit YUV frame: uint8 (H, W), a view."""
    plane = frame.planes[0]
    strides = (plane.line_size, 1)
    return np.ndarray((plane.height, plane.width), np.uint8, plane, strides=strides)  # type: ignore[arg-type]


def _luma(frame: VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    bits = frame.format.components[0].bits
    size = 2 if bits > 8 else 1
    rows, columns = max(1, plane.height // LUMA[0]), max(1, plane.width // LUMA[1])
    shape = min(LUMA[0], plane.height), min(LUMA[1], plane.width)
    points: np.ndarray = np.ndarray(
        shape,
        np.uint16 if bits > 8 else np.uint8,
        plane,  # type: ignore[arg-type]
        offset=rows // 2 * plane.line_size + columns // 2 * size,  # the middles of the cells
        strides=(rows * plane.line_size, columns * size),
    )
    return (points >> (bits - 8)).astype(np.uint8) if bits > 8 else points.copy()
