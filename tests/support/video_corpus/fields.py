"""Pictures coded as fields, which no encoder of ffmpeg's writes: H.264 a field a packet, and MPEG-2 with fields shown
twice."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from generated_videos import Footage, Scene, draw_clock

from video_corpus.writing import SIZE, TIMES, Film, Recipe, ffmpeg, film

NTSC = Fraction(1001, 30_000)


def telecined(count: int = 30) -> Recipe:
    """MPEG-2 as films are broadcast: every second picture has its first field shown again."""
    options = "-c:v mpeg2video -bf 0 -q:v 3 -flags +ildct+ilme -f mpeg2video"
    fields = [0]
    for number in range(count - 1):
        fields.append(fields[-1] + (3 if number % 2 else 2))

    def write(path: Path) -> Film:
        bare = path.with_suffix(".m2v")
        shown = film(options, [float(number * NTSC) for number in range(count)], unit_s=NTSC)(bare)
        bare.write_bytes(_with_repeated_fields(bare.read_bytes(), count))
        ffmpeg("-fflags +genpts -i", bare, "-c copy", path)
        bare.unlink()
        return Film(tuple(float(field * NTSC / 2) for field in fields), shown.clocks_s)

    return write


def _with_repeated_fields(content: bytes, count: int) -> bytes:
    """Source: ISO/IEC 13818-2, 6.2.3.1, picture coding extension."""
    changed, at, number = bytearray(content), 0, 0
    top_first = True
    while (at := content.find(b"\0\0\1\xb5", at)) >= 0:
        at += 4
        if content[at] >> 4 == 8:
            repeated = number % 2 == 1 and number < count - 1
            changed[at + 3] = content[at + 3] & 0x7D | top_first << 7 | repeated << 1
            changed[at + 4] = content[at + 4] | 0x80  # progressive frame
            top_first ^= repeated
            number += 1
    return bytes(changed)


def field_coded(options: str = "", *, every: int = 5) -> Recipe:
    """H.264 by fields (PAFF) as camcorders and broadcasts have it: each field an access unit, most of them such that no
    other builds on them. Pixels are stored plain (I_PCM).

    Args:
        every: so manyth picture is one on which others may build.
    """

    def write(path: Path) -> Film:
        bare = path.with_name(path.name + ".h264")
        footage = Footage(SIZE, 3, [Scene(1.0), Scene(1.0)])
        pictures = [draw_clock(footage.at(time_s), time_s) for time_s in TIMES]
        bare.write_bytes(_parameter_sets() + b"".join(_fields(pictures, every)))
        ffmpeg("-framerate 50 -i", bare, "-c copy -bsf:v setts=pts=N/50/TB:dts=N/50/TB", options or "-v error", path)
        bare.unlink()
        return Film.of(TIMES)

    return write


class _Bits:
    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, length: int) -> "_Bits":
        self._bits.append(f"{value:0{length}b}")
        return self

    def golomb(self, *values: int) -> "_Bits":
        """Unsigned Exp-Golomb numbers."""
        for value in values:
            code = f"{value + 1:b}"
            self._bits.append("0" * (len(code) - 1) + code)
        return self

    def aligned(self, *, stop: bool = False) -> bytes:
        """The bits so far, filled up to whole bytes with zeros, after a one where `stop`."""
        bits = "".join(self._bits) + ("1" if stop else "")
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _unit(kind: int, importance: int, content: bytes) -> bytes:
    """A NAL unit with its start code; bytes that look like one are kept apart. Source: ITU-T H.264, 7.4.1.1."""
    escaped, zeros = bytearray(), 0
    for byte in content:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(escaped)


def _parameter_sets() -> bytes:
    """Source: ITU-T H.264, 7.3.2.1.1 and 7.3.2.2."""
    sequence = _Bits().put(77, 8).put(0, 8).put(30, 8)  # main profile, level 3
    sequence.golomb(0, 0, 0, 4, 1).put(0, 1)  # id, 4 bits of frame number, 8 of order, one reference frame
    sequence.golomb(SIZE[0] // 16 - 1, SIZE[1] // 32 - 1)
    sequence.put(0b001, 3).put(0, 1).put(0, 1)  # fields allowed, not by macroblock; no cropping, no VUI
    picture = _Bits().golomb(0, 0).put(0, 2).golomb(0, 0, 0).put(0, 3).golomb(0, 0, 0).put(0b100, 3)
    return _unit(7, 3, sequence.aligned(stop=True)) + _unit(8, 3, picture.aligned(stop=True))


def _fields(pictures: list[np.ndarray], every: int) -> list[bytes]:
    units, frame_number = [], 0
    for number, picture in enumerate(pictures):
        kept = number % every == 0
        planes = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p").to_ndarray()
        if number == 0:
            frame_number = 0
        elif (number - 1) % every == 0:
            frame_number = (frame_number + 1) % 16
        for bottom in (0, 1):
            start = _Bits().golomb(0, 7, 0).put(frame_number, 4).put(1, 1).put(bottom, 1)
            key = number == 0 and not bottom
            if key:
                start.golomb(0)
            start.put((2 * number + bottom) % 256, 8)
            if kept:
                start.put(0, 2 if key else 1)
            start.golomb(0, 1)  # no change of quantiser, no smoothing
            content = _macroblocks(planes, bottom, start)
            units.append(b"\0\0\0\1\x09\xf0" + _unit(5 if key else 1, 2 if kept else 0, content))
    return units


def _macroblocks(planes: np.ndarray, bottom: int, start: _Bits) -> bytes:
    """A field's slice: `planes` is a whole picture, YUV 4:2:0 as PyAV lays it out."""
    width, height = SIZE
    luma = planes[:height][bottom::2]
    chroma = planes[height:].reshape(2, height // 2, width // 2)[:, bottom::2]
    content = b""
    for y in range(0, height // 2, 16):
        for x in range(0, width, 16):
            bits = start if not content else _Bits()
            content += bits.golomb(25).aligned()  # I_PCM
            content += luma[y : y + 16, x : x + 16].tobytes()
            content += chroma[:, y // 2 : y // 2 + 8, x // 2 : x // 2 + 8].tobytes()
    return content + b"\x80"
