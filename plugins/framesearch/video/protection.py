"""Whether a file's pictures are encrypted, by what its bytes say of it: FFmpeg tells it of few containers.

Sources: ISO/IEC 14496-12, 8 and 23001-7, 4 (MP4); ISO/IEC 13818-1, 2.4 (MPEG-TS, -PS); Apple's "MPEG-2 Stream
Encryption Format for HTTP Live Streaming", 2; RFC 9559, 5.1.4 (Matroska); Microsoft's ASF Specification, 3.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from framesearch.video.boxes import boxes

_HEAD = 1 << 22  # bytes of a file in which its tracks are told, but for MP4
_BOX_READ = 1 << 16  # bytes

_SEALED_ENTRIES = {b"encv", b"drmi"}  # Common Encryption; Apple's FairPlay
_TO_ENTRIES = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}

_TS_PACKET, _TS_SYNC = 188, 0x47
_TS_SPACINGS = (188, 192, 204)  # bytes from packet to packet; Blu-ray puts a time before each, DVB a checksum behind
_TS_HEAD = 1 << 20  # bytes: programs are told ten times a second
_PROGRAM_MAP = 2  # type of table
_SAMPLE_AES = 0xDB  # type of stream: H.264 whose samples are encrypted

_PS_PACK, _PS_PICTURES = b"\0\0\1\xba", b"\0\0\1\xe0"

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _TRACK, _TYPE = 0x18538067, 0x1654AE6B, 0xAE, 0x83
_ENCODINGS, _ENCODING, _ENCRYPTION = 0x6D80, 0x6240, 0x5035
_VIDEO = b"\1"

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_ENCRYPTION = (  # content, extended content and advanced content encryption objects
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),
)


def encrypted(path: Path) -> bool:
    """Whether the pictures of a file are encrypted, wholly or for the most part."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(_EBML):
            return _encrypted_matroska(head)
        if head.startswith(_ASF):
            length = int.from_bytes(head[16:24], "little")
            return any(kind in head[:length] for kind in _ASF_ENCRYPTION)
        if head.startswith(_PS_PACK):
            return _scrambled_program(head)
        spacing = _ts_spacing(head)
        if spacing is not None:
            return _scrambled_transport(head[:_TS_HEAD], *spacing)
        return any(kind in _SEALED_ENTRIES for kind in _sample_entries(file))


# ---- MP4


def _sample_entries(file: BinaryIO) -> Iterator[bytes]:
    """What kinds of samples the tracks of an MP4 file hold."""
    for kind, start, end in boxes(file, 0, file.seek(0, 2), _TO_ENTRIES):
        if kind == b"stsd":
            file.seek(start + 8)  # version, flags, count
            entries = file.read(min(end - start, _BOX_READ))
            while len(entries) >= 8:
                yield entries[4:8]
                entries = entries[max(8, int.from_bytes(entries[:4], "big")) :]


# ---- MPEG-TS and -PS


def _ts_spacing(head: bytes) -> tuple[int, int] | None:
    """Where the first packet starts, and how far apart packets are; None where this is no MPEG-TS."""
    for spacing in _TS_SPACINGS:
        for start in range(spacing):
            syncs = head[start : start + 8 * spacing : spacing]
            if len(syncs) >= 3 and syncs == bytes([_TS_SYNC]) * len(syncs):
                return start, spacing
    return None


def _scrambled_transport(head: bytes, start: int, spacing: int) -> bool:
    """Whether most of the packets are scrambled, as pay television sends them, or the pictures' samples are."""
    packets = scrambled = 0
    for at in range(start, len(head) - _TS_PACKET + 1, spacing):
        packet = head[at : at + _TS_PACKET]
        first_of_unit, control = packet[1] & 0x40, packet[3]
        if packet[0] != _TS_SYNC or not control & 0x10:  # no payload
            continue
        packets += 1
        scrambled += control & 0x80 != 0
        if first_of_unit and not control & 0xC0:
            payload = packet[5 + packet[4] :] if control & 0x20 else packet[4:]
            if _SAMPLE_AES in _streams_of_program(payload):
                return True
    return 2 * scrambled > packets


def _streams_of_program(payload: bytes) -> Iterator[int]:
    """The types of a program's streams, where this is the start of a program map."""
    section = payload[1 + payload[0] :] if payload else b""
    if len(section) < 12 or section[0] != _PROGRAM_MAP or section[1] & 0xC0 != 0x80:
        return
    end = 3 + int.from_bytes(section[1:3], "big") % 4096 - 4
    at = 12 + int.from_bytes(section[10:12], "big") % 4096
    while at + 5 <= min(end, len(section)):
        yield section[at]
        at += 5 + int.from_bytes(section[at + 3 : at + 5], "big") % 4096


def _scrambled_program(head: bytes) -> bool:
    """Whether most packets of pictures are scrambled, as on a DVD."""
    packets = scrambled = 0
    at = head.find(_PS_PICTURES)
    while 0 <= at < len(head) - 6:
        flags = head[at + 6]
        if flags & 0xC0 == 0x80:
            packets += 1
            scrambled += flags & 0x30 != 0
        at = head.find(_PS_PICTURES, at + 4)
    return 2 * scrambled > packets


# ---- Matroska


def _encrypted_matroska(head: bytes) -> bool:
    for kind, content in _elements(head):
        if kind == _SEGMENT:
            for tracks in (inside for name, inside in _elements(content) if name == _TRACKS):
                return any(_is_encrypted_video(track) for name, track in _elements(tracks) if name == _TRACK)
    return False


def _is_encrypted_video(track: bytes) -> bool:
    fields = dict(_elements(track))
    return fields.get(_TYPE) == _VIDEO and _holds_encryption(fields.get(_ENCODINGS, b""))


def _holds_encryption(encodings: bytes) -> bool:
    return any(
        kind == _ENCRYPTION or (kind == _ENCODING and _holds_encryption(content))
        for kind, content in _elements(encodings)
    )


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The id and content of each EBML element; the last one may be cut off."""
    at = 0
    while at < len(content):
        id_bytes = 9 - content[at].bit_length()
        name, at = int.from_bytes(content[at : at + id_bytes], "big"), at + id_bytes
        if id_bytes > 4 or at >= len(content) or not content[at]:
            return
        size_bytes = 9 - content[at].bit_length()
        unknown = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(content[at : at + size_bytes], "big") & unknown
        at += size_bytes
        end = len(content) if size == unknown else at + size
        yield name, content[at:end]
        at = end
