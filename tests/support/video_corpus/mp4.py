"""MP4 files changed box by box."""

import struct

from video_corpus.writing import Film, Recipe, changed


def find_box(content: bytes, *kinds: bytes) -> tuple[int, int]:
    """Start and end of the first box at the end of a path of types, its header included."""
    start, end = 0, len(content)
    for depth, kind in enumerate(kinds):
        at = start + 8 if depth else 0
        while content[at + 4 : at + 8] != kind:
            at += int.from_bytes(content[at : at + 4], "big")
            assert at < end, f"no box {kind!r}"
        start, end = at, at + int.from_bytes(content[at : at + 4], "big")
    return start, end


def with_edits(recipe: Recipe, *edits: tuple[float, float]) -> Recipe:
    """An MP4 file that shows only these pieces of its film, one after the other.

    Args:
        edits: start and length of each in the film, seconds.
    """

    def change(content: bytes) -> bytes:
        path = (b"moov", b"trak", b"edts", b"elst")
        boxes = [find_box(content, *path[: depth + 1])[0] for depth in range(len(path))]
        start, end = find_box(content, *path)
        delay, header = struct.unpack(">i", content[start + 20 : start + 24])[0], find_box(content, b"moov", b"mvhd")[0]
        media = find_box(content, b"moov", b"trak", b"mdia", b"mdhd")[0]
        unit, media_unit = (int.from_bytes(content[at + 20 : at + 24], "big") for at in (header, media))
        entries = b"".join(
            struct.pack(">IiI", round(length_s * unit), delay + round(first_s * media_unit), 1 << 16)
            for first_s, length_s in edits
        )
        box = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
        grown = len(box) - (end - start)
        assert content.index(b"moov") > content.index(b"mdat"), "its offsets would have to grow, too"
        changed_bytes = bytearray(content[:start] + box + content[end:])
        for at in boxes[:-1]:
            size = int.from_bytes(content[at : at + 4], "big") + grown
            changed_bytes[at : at + 4] = size.to_bytes(4, "big")
        return bytes(changed_bytes)

    def shown(right: Film) -> Film:
        whole, at_s = Film((), ()), 0.0
        for first_s, length_s in edits:
            inside = [
                k for k, time_s in enumerate(right.times_s) if first_s - 1e-6 <= time_s < first_s + length_s - 1e-6
            ]
            whole += right[inside[0] : inside[-1] + 1].later(at_s - first_s)
            at_s += length_s
        return whole

    return changed(recipe, change, shown)
