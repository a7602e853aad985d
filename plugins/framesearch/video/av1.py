"""What of an AV1 stream need not be decoded: frames that no other builds on.

FFmpeg can leave such frames out only for a whole stream (dav1d is told when it is opened), not packet by packet as with
H.264. But a frame that refreshes no reference slot leaves nothing behind in an AV1 decoder: every state that a later
frame could start from lies in those slots. So it can be taken out of its packet, and a few bits of its header tell.

Source: AV1 Bitstream & Decoding Process Specification: 5.3 (OBUs), 5.5 (sequence header), 5.9.2 (frame header).
"""

from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE_HEADER, _FRAME_HEADER, _TILES, _FRAME, _REPEATED_HEADER = 1, 3, 4, 6, 7  # types of OBU
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3  # types of frame
_EACH_FRAME_TELLS = 2
_LONGEST_HEADER = 64  # bytes: more than is ever looked at
_CONFIGURATION = 4  # bytes of the box in an MP4 or WebM file before the sequence header


class _Bits:
    """Reads numbers off the front of some bytes; past their end come zeros."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content[:_LONGEST_HEADER].ljust(_LONGEST_HEADER, b"\0"), "big")
        self._left = 8 * _LONGEST_HEADER

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the header is longer than any can be")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What of a sequence header is needed to read the frame headers after it."""

    frame_id_bits: int
    order_hint_bits: int
    screen_content: int  # 0, 1 or _EACH_FRAME_TELLS; so the next
    integer_motion: int


def _sequence(header: bytes) -> _Sequence | None:
    """Read a sequence header; None where the frames after it are of a rare kind that is always decoded."""
    bits = _Bits(header)
    take = bits.take
    take(3 + 1)  # profile, still picture
    if take(1):  # a still picture's short header
        return None
    if take(1):  # timing
        take(32 + 32)
        if take(1):
            zeros = 0
            while not take(1):
                zeros += 1
            take(zeros)
        if take(1):  # a decoder model, with more fields in each frame header
            return None
    delay_told = take(1)
    for _ in range(take(5) + 1):
        take(12)
        if take(5) > 7:
            take(1)
        if delay_told and take(1):
            take(4)
    width_bits, height_bits = take(4) + 1, take(4) + 1
    take(width_bits + height_bits)
    frame_id_bits = take(4) + take(3) + 3 if take(1) else 0
    take(3 + 4)
    ordered = take(1)
    if ordered:
        take(2)
    screen_content = _EACH_FRAME_TELLS if take(1) else take(1)
    integer_motion = _EACH_FRAME_TELLS
    if screen_content and not take(1):
        integer_motion = take(1)
    return _Sequence(frame_id_bits, take(3) + 1 if ordered else 0, screen_content, integer_motion)


def _refreshes(header: bytes, sequence: _Sequence) -> bool:
    """Whether a frame leaves something behind in the decoder, or shows what was left there."""
    take = _Bits(header).take
    if take(1):  # shows a frame decoded earlier, which costs nothing
        return True
    kind, shown = take(2), take(1)
    if kind == _SWITCH or (kind == _KEY and shown):
        return True
    if not shown:
        take(1)
    resilient = take(1)
    take(1)
    screen_content = take(1) if sequence.screen_content == _EACH_FRAME_TELLS else sequence.screen_content
    if screen_content and sequence.integer_motion == _EACH_FRAME_TELLS:
        take(1)
    take(sequence.frame_id_bits + 1 + sequence.order_hint_bits)
    if not resilient and kind not in (_KEY, _INTRA_ONLY):
        take(3)
    return take(8) != 0


class Av1Stream:
    """Takes out of the packets of a stream the frames that no other builds on.

    Args:
        configuration: the codec's extradata, as the container holds it; may be empty.
    """

    def __init__(self, configuration: bytes) -> None:
        self._header = b""
        self._sequence: _Sequence | None = None
        self.drop_disposable_frames(configuration[_CONFIGURATION:])

    def drop_disposable_frames(self, packet: bytes | memoryview) -> bytes | None:
        """What of a packet must be decoded for the sake of others; None where that is all of it, b"" where nothing.

        Where the bytes don't tell for sure, all of it must. Key frames must be passed by in order, for what they say of
        the frames after them.
        """
        try:
            kept, parts = [], 0
            disposable = has_frame = False
            for kind, start, body, end in _parts(packet):
                parts += 1
                if kind == _SEQUENCE_HEADER:
                    self._learn(bytes(packet[body:end]))
                elif kind in (_FRAME_HEADER, _FRAME):
                    head = bytes(packet[body : min(end, body + _LONGEST_HEADER)])
                    disposable = self._sequence is not None and not _refreshes(head, self._sequence)
                    has_frame = has_frame or not disposable
                if not (disposable and kind in (_FRAME_HEADER, _FRAME, _TILES, _REPEATED_HEADER)):
                    kept.append(packet[start:end])
        except (ValueError, IndexError):  # damaged, or hostile: the decoder will judge it
            return None
        if len(kept) == parts:
            return None
        return b"".join(kept) if has_frame else b""

    def _learn(self, header: bytes) -> None:
        if header != self._header:
            self._header, self._sequence = header, None
            self._sequence = _sequence(header)


def _parts(packet: bytes | memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Type, start, start of the body, and end of each OBU of a packet."""
    at = 0
    while at < len(packet):
        start, first = at, packet[at]
        at += 2 if first & 4 else 1
        size = len(packet) - at
        if first & 2:
            size = 0
            for shift in range(0, 56, 7):
                size |= (packet[at] & 127) << shift
                at += 1
                if packet[at - 1] < 128:
                    break
        if at + size > len(packet):
            raise ValueError("an OBU goes beyond its packet")
        yield first >> 3 & 15, start, at, at + size
        at += size
