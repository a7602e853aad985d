"""What of an H.264 stream need not be decoded: whether each of its packets is one picture.

FFmpeg can leave out, packet by packet, frames that no other builds on. That is safe where a packet is a whole frame. In
a stream that may code fields (PAFF), one packet may be half a picture, whose other half would be mixed with another's.
Sequence parameter sets tell (`frame_mbs_only_flag`).

Source: ITU-T H.264: 7.3.1 (NAL units), 7.3.2.1.1 (sequence parameter set); ISO/IEC 14496-15: 5.3.3 (avcC).
"""

_SPS, _SUBSET_SPS = 7, 15  # types of NAL unit
_FIRST_SLICE, _LAST_SLICE = 1, 5
_CHROMA_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}
_HEAD = 512  # bytes of a parameter set: more than the flag is ever away from its start


class H264Stream:
    """Tells whether a stream codes whole frames only, by all parameter sets seen so far.

    Args:
        configuration: the codec's extradata, as the container holds it: an avcC box, or NAL units, or nothing.
    """

    def __init__(self, configuration: bytes) -> None:
        self._length_bytes = 0  # before each NAL unit; 0 where start codes stand before them
        self._seen: set[bytes] = set()
        self._frames_only = True
        if configuration[:1] == b"\1" and len(configuration) > 6:
            self._length_bytes = (configuration[4] & 3) + 1
            at = 6
            for _ in range(configuration[5] & 31):
                size = int.from_bytes(configuration[at : at + 2], "big")
                self._learn(configuration[at + 2 : at + 2 + size])
                at += 2 + size
        else:
            self.codes_frames(configuration)

    def codes_frames(self, packet: bytes | memoryview) -> bool:
        """Whether this packet, like all before it, codes whole frames; packets must pass by in order."""
        units = self._with_lengths if self._length_bytes else self._with_start_codes
        units(packet)
        return self._frames_only and bool(self._seen)

    def _with_lengths(self, packet: bytes | memoryview) -> None:
        at, end = 0, len(packet)
        while at + self._length_bytes < end:
            size = int.from_bytes(packet[at : at + self._length_bytes], "big")
            at += self._length_bytes
            kind = packet[at] & 31
            if _FIRST_SLICE <= kind <= _LAST_SLICE:
                return
            if kind in (_SPS, _SUBSET_SPS):
                self._learn(bytes(packet[at : min(at + size, at + _HEAD)]))
            at += size

    def _with_start_codes(self, packet: bytes | memoryview) -> None:
        head = bytes(packet[: 8 * _HEAD])
        at = head.find(b"\0\0\1")
        while 0 <= at < len(head) - 3:
            kind = head[at + 3] & 31
            if _FIRST_SLICE <= kind <= _LAST_SLICE:
                return
            if kind in (_SPS, _SUBSET_SPS):
                self._learn(head[at + 3 : at + 3 + _HEAD])
            at = head.find(b"\0\0\1", at + 3)

    def _learn(self, unit: bytes) -> None:
        if unit not in self._seen:
            self._seen.add(unit)
            self._frames_only = self._frames_only and _frames_only(unit)


class _Bits:
    """Reads numbers off a NAL unit, without the bytes that keep start codes from appearing in it."""

    def __init__(self, unit: bytes) -> None:
        content = unit.replace(b"\0\0\3", b"\0\0")[:_HEAD]
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the parameter set ends early")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number; signed ones take as many bits."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _frames_only(unit: bytes) -> bool:
    """`frame_mbs_only_flag` of a sequence parameter set; False where it can't be read."""
    try:
        bits = _Bits(unit[1:])
        profile = bits.take(8)
        bits.take(16)
        bits.golomb()
        if profile in _CHROMA_PROFILES:
            chroma = bits.golomb()
            if chroma == 3:
                bits.take(1)
            bits.golomb(), bits.golomb()
            bits.take(1)
            if bits.take(1):
                for number in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        _pass_scaling_list(bits, 16 if number < 6 else 64)
        bits.golomb()
        order = bits.golomb()
        if order == 0:
            bits.golomb()
        elif order == 1:
            bits.take(1)
            bits.golomb(), bits.golomb()
            for _ in range(bits.golomb()):
                bits.golomb()
        bits.golomb()
        bits.take(1)
        bits.golomb(), bits.golomb()
        return bool(bits.take(1))
    except ValueError:
        return False


def _pass_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last
