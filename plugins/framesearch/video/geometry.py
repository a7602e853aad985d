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


def _orientation_of(frame: VideoFrame) -> Orientation | None:
    """By the frame's display matrix, all of it: turned by quarters, mirrored, or both; None where it has none."""
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


class Geometry:
    """Asks frames how wide their pixels are, in heights, and which way up they are.

    PyAV does not tell the first of a frame, and the decoder's own answer may already be that of later ones. So FFmpeg's
    scaler is asked to make a patch of each frame's pixels square. And whoever asks PyAV which way up a frame is, keeps
    it in memory until Python collects its garbage: so the patch is asked for that, too.
    """

    def __init__(self) -> None:
        self._asked: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def of(self, frame: VideoFrame) -> tuple[float, Orientation | None]:
        """The frame's own: 1 and None where it doesn't say."""
        if min(frame.width, frame.height) < _PIXEL:
            return 1.0, None
        kind = frame.width, frame.height, frame.format.name
        if self._graph is None or self._asked != kind:
            self._graph, self._asked = self._ask_of(*kind), kind
        self._graph.push(frame)
        patch = self._graph.pull()
        assert isinstance(patch, VideoFrame)
        return plausible(patch.width / _WIDE), _orientation_of(patch)

    @staticmethod
    def _ask_of(width: int, height: int, pixels: str) -> Graph:
        graph = Graph()
        graph.threads = 1  # by default as many as cores, which the decoder's need
        source = graph.add_buffer(width=width, height=height, format=VideoFormat(pixels), time_base=_ANY_TIME_BASE)
        patch = graph.add("crop", f"{_PIXEL}:{_PIXEL}:0:0")
        square = graph.add("scale", f"w=clip(round({_WIDE}*sar)\\,16\\,65536):h=1:eval=frame:flags=neighbor")
        sink = graph.add("buffersink")
        source.link_to(patch)
        patch.link_to(square)
        square.link_to(sink)
        graph.configure()
        return graph


def plausible(aspect: float) -> float:
    """An aspect that pixels can have; square where it is none."""
    return aspect if _NARROWEST <= aspect <= _WIDEST else 1.0
