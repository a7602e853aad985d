"""How a frame is to be shown: which way up, mirrored or not, and how wide its pixels are."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

_PIXEL = 4  # a patch of so many pixels a side is enough to ask for its proportions
_WIDE = 4096  # wide a patch of square pixels is made: tells proportions to so many parts
_ANY_TIME_BASE = Fraction(1, 90_000)
_NARROWEST, _WIDEST = 1 / 16, 16.0  # pixels: beyond that a header is wrong


@dataclass(frozen=True, slots=True)
class Orientation:
    """What brings a picture upright: rows and columns swapped first, then mirrored."""

    swapped: bool = False
    left_right: bool = False
    upside_down: bool = False

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """The picture (H, W, 3) as it is to be seen."""
        if self.swapped:
            picture = picture.swapaxes(0, 1)
        rows, columns = (
            slice(None, None, -1 if self.upside_down else 1),
            slice(None, None, -1 if self.left_right else 1),
        )
        return np.ascontiguousarray(picture[rows, columns])


UPRIGHT = Orientation()


class Orientations:
    """Tells how each frame of a track is to be turned; frames must be asked for in order.

    H.264 and H.265 may tell it of one frame for those that follow: it holds until something else is told, as in the
    ffmpeg program.
    """

    def __init__(self) -> None:
        self._last = UPRIGHT

    def of(self, frame: VideoFrame) -> Orientation:
        """The frame's own, else that of the frame before."""
        self._last = _told_orientation(frame) or self._last
        return self._last


def _told_orientation(frame: VideoFrame) -> Orientation | None:
    """By the frame's display matrix, all of it: turned by quarters, mirrored, or both."""
    side_data: Any = frame.side_data
    try:
        matrix = struct.unpack("9i", bytes(side_data[Type.DISPLAYMATRIX]))
    except KeyError:
        return None
    except (ValueError, struct.error):  # PyAV fails over kinds of side data that it does not know
        return _TURNED[round(frame.rotation / 90) % 4]
    # A pixel at (x, y) is shown at (a x + c y, b x + d y). Source: ISO/IEC 14496-12, 6.2.2.
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


_TURNED = (
    UPRIGHT,
    Orientation(True, False, True),
    Orientation(False, True, True),
    Orientation(True, True, False),
)


class PixelAspect:
    """Asks frames how wide their pixels are, in heights.

    PyAV does not tell it of a frame, and the decoder's own answer may already be that of later ones. So FFmpeg's scaler
    is asked to make a patch of each frame's pixels square.
    """

    def __init__(self) -> None:
        self._asked: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def of(self, frame: VideoFrame) -> float:
        """The frame's own; 1 where it doesn't say."""
        if min(frame.width, frame.height) < _PIXEL:
            return 1.0
        kind = frame.width, frame.height, frame.format.name
        if self._graph is None or self._asked != kind:
            self._graph, self._asked = self._ask_of(*kind), kind
        self._graph.push(frame)
        answer = self._graph.pull()
        assert isinstance(answer, VideoFrame)
        return plausible(answer.width / _WIDE)

    @staticmethod
    def _ask_of(width: int, height: int, pixels: str) -> Graph:
        graph = Graph()
        source = graph.add_buffer(width=width, height=height, format=VideoFormat(pixels), time_base=_ANY_TIME_BASE)
        patch = graph.add("crop", f"{_PIXEL}:{_PIXEL}:0:0")
        square = graph.add("scale", f"w=clip(round({_WIDE}*sar)\\,16\\,65536):h={_PIXEL}:eval=frame:flags=neighbor")
        sink = graph.add("buffersink")
        source.link_to(patch)
        patch.link_to(square)
        square.link_to(sink)
        graph.configure()
        return graph


def plausible(aspect: float) -> float:
    """An aspect that pixels can have; square where it is none."""
    return aspect if _NARROWEST <= aspect <= _WIDEST else 1.0
