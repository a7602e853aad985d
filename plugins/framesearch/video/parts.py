"""Recordings that were written one after the other into one file, where FFmpeg reads the first only or mixes them up.

Recorders that go on after a break, editors and `cat` write such files. Each recording brings its own headers, and is
opened on its own. Streams that are made to be joined (MPEG-TS and -PS, DV, bare streams) need none of this.

Sources: RFC 3533, 4 and 6 (Ogg); Adobe's Flash Video File Format Specification, E.2; RFC 9559, 4.5 and 5.1 (Matroska);
ISO/IEC 14496-12, 4.3 (MP4); Microsoft's ASF Specification, 3.1; libavformat/rmdec.c, ivfdec.c.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from framesearch.video.boxes import boxes

_CHUNK = 1 << 20  # bytes read at a time
_HEAD = 96  # bytes by which a start is recognised
_LEAST = 4096  # bytes: no recording is shorter; those of Ogg start once for each of their tracks
_MOST = 10_000  # recordings in a file

_STARTS = {  # by container: what each start begins with, and what all of it looks like
    "ogg": (b"OggS\0\x02", rb"OggS\0\x02.{12}\0{4}"),  # a first page, number 0
    "flv": (b"FLV\x01", rb"FLV\x01[\x01\x04\x05]\0\0\0\x09\0{4}"),
    "matroska,webm": (b"\x1a\x45\xdf\xa3", rb"\x1a\x45\xdf\xa3.{1,50}?\x42\x82.{1,8}?(?:matroska|webm)"),
    "asf": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", rb""),
    "rm": (b".RMF\0\0\0", rb""),
    "ivf": (b"DKIF\0\0\x20\0", rb""),
    "nut": (b"nut/multimedia container\0", rb""),
    "wtv": (b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d", rb""),
}
_SEGMENT = b"\x18\x53\x80\x67"  # of Matroska: all that follows its header, with its length


@dataclass(frozen=True)
class Part:
    """The bytes of a file from `start` to before `end`; up to its end where that is None."""

    path: Path
    start: int = 0
    end: int | None = None

    @property
    def url(self) -> str:
        """How FFmpeg is asked for it."""
        if self.start == 0 and self.end is None:
            return str(self.path)
        return f"subfile,,start,{self.start},end,{self.end or 0},,:{self.path}"


def parts_of(path: Path, format_name: str) -> list[Part]:
    """The recordings in a file, in order; as a rule, one.

    Args:
        format_name: the container's name in FFmpeg.
    """
    with path.open("rb") as file:
        if format_name.startswith("mov,mp4"):
            found = _starts_in_mp4(file)
        else:
            found = _starts(file, *_STARTS[format_name]) if format_name in _STARTS else iter(())
        starts = [0]
        for start in found:
            if start - starts[-1] >= _LEAST:
                starts.append(start)
            if len(starts) == _MOST:
                break
    return [Part(path, start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _starts_in_mp4(file: BinaryIO) -> Iterator[int]:
    """Where a file type is told, and an index follows."""
    start: int | None = 0
    for kind, content, _ in boxes(file, 0, file.seek(0, 2)):
        if kind == b"ftyp":
            start = content - 8
        elif kind == b"moov" and start is not None:
            yield start
            start = None


def _starts(file: BinaryIO, signature: bytes, pattern: bytes) -> Iterator[int]:
    looks_right = re.compile(pattern, re.DOTALL).match
    size, at = file.seek(0, 2), 0
    while at + _LEAST < size:
        file.seek(at)
        chunk = file.read(_CHUNK + _HEAD)
        found = chunk.find(signature, 0, _CHUNK + len(signature) - 1)
        if found < 0:
            at += _CHUNK
            continue
        at += found
        head = chunk[found : found + _HEAD]
        if looks_right(head):
            yield at
        at += _passed_over(head, size - at)


def _passed_over(head: bytes, left: int) -> int:
    """How many bytes a start tells to be its own, 1 where it doesn't; what reaches beyond the file is not believed."""
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or at + 8 > len(head) or not head[at]:
        return 1
    length = 9 - head[at].bit_length()
    told = int.from_bytes(head[at : at + length], "big") & (1 << 7 * length) - 1
    whole = at + length + told
    return whole if whole <= left else 1
