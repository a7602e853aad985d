"""Video files, frame by frame, each with its exact presentation time. The only user of PyAV (FFmpeg).

Frames carry the time that a player shows for them: from the stream's own timestamps, never counted from a frame rate.
Every frame is decoded, but only those that somebody asks the picture of are scaled and converted, straight to the
small size: decoding is nearly all that reading a video costs.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from framesearch.errors import VideoUnavailable
from framesearch.images.pixels import sample_points
from framesearch.records import Reason

log = logging.getLogger(__name__)

DECODER_THREADS = 2  # a video: more is gained by reading several videos at a time
LUMA = (24, 32)  # height, width of the brightness samples that every frame carries

# Containers that hold their own pictures. Without this list FFmpeg takes a text file for a film of its letters, and
# playlist formats (HLS, concat, ...) open whatever other files they name.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,avi,flv,live_flv,kux,asf,asf_o,ogg,ivf,"
    "obu,av1,h264,hevc,vvc,rm,mxf,nut,wtv,dv,gxf,gif,swf,vob,nsv,nuv,y4m,yuv4mpegpipe,h261,h263,vc1,mjpeg,webm_dash"
)
_MAX_PIXELS = 1 << 26  # a frame: twice 8K
_FREE_ORIGIN = {"mpegts", "mpegtsraw", "mpeg", "flv", "live_flv"}  # their clocks start anywhere: the first stamp is 0
_HD_HEIGHT = 720  # from here on players take untagged colours for BT.709, below for BT.601
_ENOUGH = 0.5  # of the stated length, and of the pictures: less than this is a damaged file
_NEGLIGIBLE_S = 2.0  # a file that states this much more than it holds is not damaged

av.logging.set_level(av.logging.PANIC)  # FFmpeg's own complaints about strangers' files: what matters is raised

_ROUNDED_S = 1e-5  # a container's start is told in whole microseconds: its first frame may seem to lie before it


class DecodedFrame:
    """A decoded frame whose picture is converted only when asked for.

    Attributes:
        timestamp_s: presentation time, seconds.
        luma: brightness sampled at `LUMA` points, uint8 (24, 32); of no use but for comparing frames of one video.
    """

    __slots__ = ("_frame", "_reader", "luma", "timestamp_s")

    def __init__(self, timestamp_s: float, luma: np.ndarray, frame: VideoFrame, reader: "VideoFile") -> None:
        self.timestamp_s, self.luma = timestamp_s, luma
        self._frame, self._reader = frame, reader

    def picture(self) -> np.ndarray:
        """The picture upright, in display aspect, no higher than the reader's height: RGB uint8 (H, W, 3)."""
        return self._reader._convert(self._frame)


class VideoFile:
    """An open video file; a context manager.

    Args:
        height: of the pictures, pixels; smaller videos are not scaled up.
        max_hours: videos that are longer are refused.

    Raises:
        VideoUnavailable: nothing here can be decoded as video, or it is too long. Reading can raise it, too.
    """

    def __init__(self, path: Path, *, height: int, max_hours: float) -> None:
        self._path, self._height, self._max_s = path, height, max_hours * 3600
        self._read_to_s = 0.0
        self._shrink, self._colour = VideoReformatter(), VideoReformatter()
        self._container = self._open()
        try:
            self._stream = self._picture_stream()
            self._origin_s = self._origin()
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
        stream.codec_context.thread_count = DECODER_THREADS
        stream.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
        return stream

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

    def frames(self) -> Iterator[DecodedFrame]:
        """Every intact frame in order of presentation, times strictly rising; damaged frames are left out.

        Raises:
            VideoUnavailable: no frame at all, or far fewer than the file says it holds (at the end), or too long.
        """
        packets = pictures = decoded = 0
        last_s = -1.0
        time_base = self._stream.time_base
        assert time_base is not None
        unit_s = float(time_base)
        timed = False  # whether frames carry presentation times; in some AVI files they carry decoding times only
        for packet in self._packets():
            if packet.pts is not None or packet.dts is not None:
                packets += not packet.is_discard
            for frame in self._decode(packet):
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
        self._check_whole(packets, decoded, pictures)

    def _packets(self) -> Iterator[Packet]:
        """The packets of the video stream; those of the others only tell how far the file goes."""
        try:
            for packet in self._container.demux():
                if packet.stream_index == self._stream.index and not packet.is_corrupt:
                    yield packet
                end = packet.pts if packet.pts is not None else packet.dts
                if end is not None and packet.time_base is not None and not packet.is_corrupt:
                    end_s = (end + (packet.duration or 0)) * float(packet.time_base) - self._origin_s
                    self._read_to_s = max(self._read_to_s, end_s)
        except av.FFmpegError as error:
            log.warning("%s: reading stopped at %.1f s: %s", self._path.name, self._read_to_s, error)

    def _decode(self, packet: Packet) -> list[VideoFrame]:
        with suppress(av.FFmpegError):  # a damaged packet costs its own frame
            return packet.decode()  # type: ignore[return-value]
        return []

    def _check_whole(self, packets: int, decoded: int, pictures: int) -> None:
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
            raise VideoUnavailable(
                f"{name} ends after {self._read_to_s:.0f} of {self._stated_s:.0f} s: it was cut off, fetch it again",
                Reason.CORRUPT,
            )
        if pictures < _ENOUGH * packets:
            raise VideoUnavailable(
                f"{name}: only {pictures} of its {packets} pictures can be decoded: fetch it again", Reason.CORRUPT
            )

    def _convert(self, frame: VideoFrame) -> np.ndarray:
        turns = round(frame.rotation / 90) % 4
        aspect = float(self._stream.sample_aspect_ratio or 1) or 1.0
        shown_width, shown_height = frame.width * aspect, float(frame.height)
        scale = min(1.0, self._height / (shown_height if turns % 2 == 0 else shown_width))
        width, height = max(1, round(shown_width * scale)), max(1, round(shown_height * scale))
        # In two steps: scaling to YUV, then colouring the small picture, is a third of the work of both at once.
        small = self._shrink.reformat(frame, width, height, _scaled_format(frame), interpolation=_SCALING, threads=1)
        untagged_hd = frame.colorspace == _UNTAGGED and frame.height >= _HD_HEIGHT
        source = Colorspace.ITU709 if untagged_hd else None
        rgb = self._colour.reformat(small, format="rgb24", src_colorspace=source, threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


_NO_STREAM = Reason.NO_VIDEO_STREAM
_SCALING = Interpolation.AREA
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED


def _area(stream: VideoStream) -> int:
    context: Any = stream.codec_context
    return context.width * context.height if context is not None else 0


def _scaled_format(frame: VideoFrame) -> str:
    name = frame.format.name
    if name.startswith("yuvj"):
        return "yuvj420p"
    return "yuv420p" if name.startswith(("yuv4", "nv12", "nv21", "p010")) else "rgb24"


def _luma(frame: VideoFrame) -> np.ndarray:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
    bits = frame.format.components[0].bits
    if bits > 8:
        points = sample_points(rows.view(np.uint16)[:, : plane.width], *LUMA)
        return (points >> (bits - 8)).astype(np.uint8)
    return sample_points(rows[:, : plane.width], *LUMA)
