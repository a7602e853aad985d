"""Files that give nothing: encrypted, too long, or no video at all."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from generated_videos import Footage, Scene

from framesearch.records import Reason
from video_corpus.containers import X264
from video_corpus.entry import Entry
from video_corpus.faults import H264, JUNK, TS_PACKET
from video_corpus.timing import VP9
from video_corpus.writing import Film, Recipe, changed, cut_off, film, patched

CENC = (
    " -encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff"
    " -encryption_kid 0123456789abcdef0123456789abcdef"
)
LOCKED = "DRM|encrypted|protected|scrambled"


def nothing_but(content: bytes) -> Recipe:
    """A file of these bytes."""

    def write(path: Path) -> Film:
        path.write_bytes(content)
        return Film((), ())

    return write


def useless(recipe: Recipe, change: Callable[[bytes], bytes] = bytes) -> Recipe:
    """A recipe's file, changed, of which nothing can be shown."""
    return changed(recipe, change, lambda shown: Film((), ()))


def scrambled(content: bytes) -> bytes:
    """A transport stream as pay television sends it: pictures and sound marked as scrambled, and noise."""
    noise, packets = np.random.default_rng(0), []
    for at in range(0, len(content), TS_PACKET):
        packet = content[at : at + TS_PACKET]
        if packet[1] & 0x1F == 1:  # the elementary streams that ffmpeg writes: 0x100 and on
            packet = packet[:3] + bytes([packet[3] | 0x80]) + packet[4:]
            if packet[3] & 0x20 == 0:
                packet = packet[:4] + noise.bytes(TS_PACKET - 4)
        packets.append(packet)
    return b"".join(packets)


def with_licence(content: bytes) -> bytes:
    """Windows Media that asks for a licence. Source: Advanced Systems Format, 3.14, Content Encryption Object."""
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (b"secret", b"DRM\0", b"key\0", b"http://x/\0"))
    box = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e") + struct.pack("<Q", 24 + len(texts)) + texts
    size, count = struct.unpack("<QI", content[16:28])
    return content[:16] + struct.pack("<QI", size + len(box), count + 1) + content[28:30] + box + content[30:]


def with_key(content: bytes) -> bytes:
    """Matroska whose first track is encrypted with AES. Source: RFC 9559, 5.1.4.1.31."""
    cipher = _element("5035", _element("47e1", b"\5") + _element("47e2", bytes(range(16))))
    coding = _element("5031", b"\0") + _element("5032", b"\1") + _element("5033", b"\1") + cipher
    box = _element("6d80", _element("6240", coding))
    tracks = content.rindex(bytes.fromhex("1654ae6b")) + 4  # the index before them names them, too
    track = content.index(b"\xae", tracks) + 1
    end = _length(content, track)[1]
    content = content[:end] + box + content[end:]
    for at in (track, tracks):
        width, (inside, ends) = 9 - content[at].bit_length(), _length(content, at)
        size = ends - inside + len(box)
        assert size < (1 << 7 * width) - 1
        content = content[:at] + (size | 1 << 7 * width).to_bytes(width, "big") + content[at + width :]
    return content


def _element(kind: str, content: bytes) -> bytes:
    return bytes.fromhex(kind) + bytes([0x80 | len(content)]) + content


def _length(content: bytes, at: int) -> tuple[int, int]:
    """Start and end of what an element holds whose length is told at a place."""
    width = 9 - content[at].bit_length()
    size = int.from_bytes(content[at : at + width], "big") & (1 << 7 * width) - 1
    return at + width, at + width + size


def photo(path: Path) -> Film:
    """A JPEG."""
    cv2.imwrite(str(path.with_suffix(".jpg")), Footage((320, 192), 5, [Scene(1.0)]).at(0.0))
    path.with_suffix(".jpg").rename(path)
    return Film((), ())


ENTRIES = [
    Entry(
        "cenc.mp4",
        "encrypted (Common Encryption)",
        useless(film(H264 + CENC)),
        refused=Reason.ENCRYPTED,
        says=LOCKED,
    ),
    Entry(
        "cenc-fragments.mp4",
        "the same in fragments",
        useless(film(f"{H264} -movflags +frag_keyframe+empty_moov{CENC}")),
        refused=Reason.ENCRYPTED,
        says=LOCKED,
    ),
    Entry(
        "scrambled.ts",
        "scrambled pay television",
        useless(film(H264), scrambled),
        refused=Reason.ENCRYPTED,
        says=LOCKED,
    ),
    Entry(
        "key.webm", "encrypted WebM", useless(film(f"{VP9} -live 1"), with_key), refused=Reason.ENCRYPTED, says=LOCKED
    ),
    Entry(
        "licence.wmv",
        "Windows Media that asks for a licence",
        useless(film("-c:v wmv2 -q:v 3"), with_licence),
        refused=Reason.ENCRYPTED,
        says=LOCKED,
    ),
    Entry(
        "too-long.mp4",
        "a slide show of 70 minutes, where 1 hour is allowed",
        useless(film(f"{X264} -vf setpts=3*PTS", [0.0, 700.0, 1400.0])),
        refused=Reason.TOO_LONG,
        says="hours",
    ),
    Entry("no-index.mp4", "MP4 cut off before its index", useless(film(H264), cut_off(0.6)), refused=Reason.CORRUPT),
    Entry(
        "index-only.mp4",
        "MP4 cut off right after its index",
        useless(film(f"{H264} -movflags +faststart"), lambda content: content[: content.index(b"mdat") + 4]),
        refused=Reason.CORRUPT,
    ),
    Entry(
        "noise-inside.mkv",
        "Matroska whose every picture is noise",
        useless(film(H264), lambda content: content[:700] + np.random.default_rng(2).bytes(len(content) - 700)),
        refused=Reason.CORRUPT,
    ),
    Entry(
        "unknown-codec.mp4",
        "a codec that nobody knows",
        useless(film(H264), patched(b"avc1", b"xyz1", times=2)),
        refused=Reason.UNSUPPORTED,
    ),
    Entry("empty.mp4", "0 bytes", nothing_but(b""), refused=Reason.CORRUPT, says="empty"),
    Entry("noise.mkv", "noise", nothing_but(JUNK), refused=Reason.CORRUPT),
    Entry(
        "page.mp4",
        "a web page called .mp4",
        nothing_but(b"<!DOCTYPE html><html><body>404 not found</body></html>" * 20),
        refused=Reason.CORRUPT,
    ),
    Entry(
        "playlist.ts",
        "a playlist that names other files",
        nothing_but(b"#EXTM3U\n#EXTINF:2,\nfile:///etc/hostname\n"),
        refused=Reason.CORRUPT,
    ),
    Entry("photo.mp4", "a photo called .mp4", photo, refused=Reason.CORRUPT),
]
