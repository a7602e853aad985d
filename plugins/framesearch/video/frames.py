"""Decoded frames, and how their pictures are made: small, upright, in display aspect and in the right colours.

Only frames that somebody asks the picture of are scaled and converted, straight to the small size: decoding is nearly
all that reading a video costs.
"""

from dataclasses import dataclass, field

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from framesearch.images.pixels import thumbnail
from framesearch.video.geometry import UPRIGHT, Geometry, Orientation, plausible

LUMA = (12, 16)  # rows, columns of brightness samples: each costs every frame a look into main memory
_HD_HEIGHT = 720  # from here on players take untagged colours for BT.709, below for BT.601
_UNTAGGED = 2  # AVCOL_SPC_UNSPECIFIED
_TOLD_IN_STREAM = {
    "h264",
    "hevc",
    "vvc",
}  # codecs that tell at key frames, for those that follow, which way up they are
_YUV = ("yuv420p", "yuvj420p")
_YUV_LIKE = ("yuv4", "nv12", "nv21", "p010")


class DecodedFrame:
    """A decoded frame whose picture is converted only when asked for.

    Attributes:
        timestamp_s: presentation time, seconds.
        luma: brightness sampled at `LUMA` points, uint8, for comparing frames of one video.
    """

    __slots__ = ("_frame", "_orientation", "_renderer", "_rgb", "_run", "_small", "_thumbnail", "luma", "timestamp_s")

    def __init__(self, timestamp_s: float, frame: VideoFrame, renderer: "Renderer") -> None:
        self.timestamp_s, self.luma = timestamp_s, _luma(frame)
        self._frame: VideoFrame | None = frame
        self._renderer = renderer
        self._run = renderer.run_of(frame)
        self._orientation = UPRIGHT
        self._small: VideoFrame | None = None
        self._thumbnail: np.ndarray | None = None
        self._rgb: np.ndarray | None = None

    def shrunk(self) -> VideoFrame:
        """The picture in its small size, not yet turned upright nor coloured; the large one is let go of."""
        if self._small is None:
            assert self._frame is not None
            self._small, self._orientation = self._renderer.shrink(self._frame, self._run)
            self._frame = None
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
            small = self.shrunk()
            self._rgb = self._orientation.upright(self._renderer.colour(small))
        return self._rgb


@dataclass(slots=True)
class FrameRun:
    """The frames from one key frame to the next. They share what headers say, and those stand at key frames.

    Attributes:
        orientation: which way up those frames are that don't say; None before the first key frame that was asked.
        shapes: by width, height and pixel format, the pixels' aspect and the orientation of a frame that was asked.
    """

    orientation: Orientation | None
    shapes: dict[tuple[int, int, str], tuple[float, Orientation | None]] = field(default_factory=dict)


class Renderer:
    """Makes the pictures of one track, no higher than `height` pixels."""

    # In two steps: scaling to YUV, then colouring the small picture, is a third of the work of both at once.

    def __init__(self, stream: VideoStream, height: int) -> None:
        self._height = height
        self._scaler, self._colourer = VideoReformatter(), VideoReformatter()
        self._geometry = Geometry()
        self._run: FrameRun | None = None
        self._told_in_stream = stream.codec_context.codec.canonical_name in _TOLD_IN_STREAM
        told, coded = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
        # What a container tells overrules its frames, in FFmpeg, too.
        self._told = plausible(float(told)) if told and told != coded else None

    def run_of(self, frame: VideoFrame) -> FrameRun:
        """The run that a frame belongs to; frames must pass by in order."""
        if self._run is None or frame.key_frame:
            before = self._run.orientation if self._run else None
            self._run = FrameRun(before)
            if self._told_in_stream and frame.key_frame and (before != UPRIGHT or frame.rotation):
                self._run.orientation = self._shape_of(frame, self._run)[1] or before or UPRIGHT
        return self._run

    def _shape_of(self, frame: VideoFrame, run: FrameRun) -> tuple[float, Orientation | None]:
        """As `Geometry.of`, asked once a run: beside decoding a small frame it is slow."""
        kind = frame.width, frame.height, frame.format.name
        if kind not in run.shapes:
            run.shapes[kind] = self._geometry.of(frame)
        return run.shapes[kind]

    def shrink(self, frame: VideoFrame, run: FrameRun) -> tuple[VideoFrame, Orientation]:
        """The frame in its small size and in square pixels, and which way up it is."""
        aspect, told = self._shape_of(frame, run)
        aspect, orientation = self._told or aspect, told or run.orientation or UPRIGHT
        width, height = self._shown_size(frame.width, frame.height, aspect, sideways=orientation.swapped)
        name = frame.format.name
        target = "yuvj420p" if name.startswith("yuvj") else "yuv420p" if name.startswith(_YUV_LIKE) else "rgb24"
        small = self._scaler.reformat(frame, width, height, target, interpolation=Interpolation.AREA, threads=1)
        if frame.colorspace == _UNTAGGED and frame.height >= _HD_HEIGHT:
            small.colorspace = Colorspace.ITU709
        return small, orientation

    def colour(self, small: VideoFrame) -> np.ndarray:
        """A shrunk frame as RGB uint8 (H, W, 3)."""
        return self._colourer.reformat(small, format="rgb24", threads=1).to_ndarray()

    def _shown_size(self, width: int, height: int, aspect: float, *, sideways: bool) -> tuple[int, int]:
        """Width and height of the picture, before it is turned, in square pixels and not above the reader's height."""
        shown_width = width * aspect
        scale = min(1.0, self._height / (shown_width if sideways else height))
        return max(1, round(shown_width * scale)), max(1, round(height * scale))


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
