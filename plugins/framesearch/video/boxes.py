"""The boxes that an MP4 file is made of. Source: ISO/IEC 14496-12, 4.2."""

from collections.abc import Container, Iterator
from typing import BinaryIO

_MOST_BOXES = 200_000  # in a row
_DEEPEST = 8


def boxes(
    file: BinaryIO, start: int, end: int, into: Container[bytes] = (), depth: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box, in order.

    Args:
        into: types of boxes whose own boxes are given, too, after them.
    """
    for _ in range(_MOST_BOXES):
        if start >= end:
            return
        file.seek(start)
        header = file.read(16)
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        size = size or end - start
        if len(header) < 8 or size < content - start:
            return
        yield kind, content, min(start + size, end)
        if kind in into and depth < _DEEPEST:
            yield from boxes(file, content, min(start + size, end), into, depth + 1)
        start += size
