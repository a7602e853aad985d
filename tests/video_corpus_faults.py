"""Files that are damaged, cut off, lie about themselves, or give nothing."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from generated_videos import Footage, Scene, even_times
from video_corpus_containers import AAC, X264
from video_corpus_entry import Entry
from video_corpus_timing import MPEG2, MPEG4, THEORA, VP9
from video_corpus_writing import (
    TIMES,
    Film,
    Recipe,
    but,
    changed,
    cut_off,
    film,
    overwritten,
    patched,
    without,
)

from framesearch.records import Reason

H264 = f"{X264} -g 12"
TS_PACKET = 188
CENC = (
    " -encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff"
    " -encryption_kid 0123456789abcdef0123456789abcdef"
)
DAMAGE = "damaged|missing"
LOST, SMEARED = 16, 16  # pictures: what a group of 12 and its surroundings may cost
LONG = even_times(10.0, 5)
JUNK = np.random.default_rng(1).bytes(3000)


def nothing_but(content: bytes) -> Recipe:
    """A file of these bytes."""

    def write(path: Path) -> Film:
        path.write_bytes(content)
        return Film((), ())

    return write


def useless(recipe: Recipe, change: Callable[[bytes], bytes] = bytes) -> Recipe:
    """A recipe's file, changed, of which nothing can be shown."""
    return changed(recipe, change, lambda shown: Film((), ()))


def stating(find: bytes, skip: int, value: bytes) -> Callable[[bytes], bytes]:
    """The file with a number in its header replaced, so many bytes after its name."""

    def change(content: bytes) -> bytes:
        at = content.index(find) + len(find) + skip
        return content[:at] + value + content[at + len(value) :]

    return change


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


def without_end(of: bytes) -> Callable[[bytes], bytes]:
    """Zeros from the middle of what follows a mark to the end: a file whose room was taken before it was fetched."""

    def change(content: bytes) -> bytes:
        start = (content.index(of) + len(content)) // 2
        return content[:start] + bytes(len(content) - start)

    return change


def photo(path: Path) -> Film:
    """A JPEG."""
    cv2.imwrite(str(path.with_suffix(".jpg")), Footage((320, 192), 5, [Scene(1.0)]).at(0.0))
    path.with_suffix(".jpg").rename(path)
    return Film((), ())


TWO_HOURS_MS, MINUTE_MS = struct.pack(">d", 7_200_000.0), struct.pack(">d", 60_000.0)
MKV_LENGTH = b"\x44\x89\x88"
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")

ENTRIES = [
    Entry("cut-off.mp4", "MP4 cut off after its index", changed(film(f"{H264} -movflags +faststart", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off-sound.mp4", "the same with sound", changed(film(f"{H264} -movflags +faststart", LONG, sound=AAC), cut_off(0.6)), sound=True, may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.mkv", "Matroska cut off", changed(film(H264, LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.webm", "WebM cut off", changed(film(f"{VP9} -g 12", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.avi", "AVI cut off, its index lost", changed(film(f"{MPEG4} -g 12", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.flv", "Flash video cut off", changed(film(H264, LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.wmv", "Windows Media cut off", changed(film("-c:v wmv2 -q:v 3 -g 12", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.mov", "QuickTime: ProRes cut off after its index", changed(film("-c:v prores_ks -movflags +faststart", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall="ends after"),
    Entry("cut-off.ts", "transport stream cut off: it tells no length", changed(film(H264, LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall=""),
    Entry("cut-off.mpg", "program stream cut off: it tells no length", changed(film(f"{MPEG2} -g 12", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall=""),
    Entry("cut-off.ogv", "Ogg cut off: it tells no length", changed(film(f"{THEORA} -g 12", LONG), cut_off(0.6)), may_miss=27, may_smear=1, shortfall=""),
    Entry("cut-off-fragments.mp4", "fragmented MP4 cut off: it tells no length", changed(film(f"{H264} -movflags +frag_keyframe+empty_moov+delay_moov", LONG), cut_off(0.6)), may_miss=32, may_smear=1, shortfall=""),
    Entry("states-60s.mkv", "Matroska that states 60 s, as recorders that crashed leave it", changed(film(H264), stating(MKV_LENGTH, 0, MINUTE_MS)), shortfall="ends after 2 of 60 s"),
    Entry("states-2h.mkv", "the same stating 2 hours, where 1 hour is allowed", changed(film(H264), stating(MKV_LENGTH, 0, TWO_HOURS_MS)), shortfall="ends after 2 of 7200 s"),
    Entry("states-60s.flv", "Flash video that states 60 s", changed(film(H264), stating(b"duration\0", 0, struct.pack(">d", 60.0))), shortfall="ends after 2 of 60 s"),
    Entry("states-60s.wmv", "Windows Media that states 60 s", changed(film("-c:v wmv2 -q:v 3"), stating(ASF_PROPERTIES, 8 + 16 + 8 + 8 + 8, struct.pack("<Q", 631_000_000))), shortfall="ends after 2 of"),
    Entry("packet-lost.ts", "a packet of 188 bytes lost", changed(film(H264), without(0.5, TS_PACKET)), may_miss=LOST, may_smear=SMEARED, shortfall=""),
    Entry("packet-lost-mpeg2.ts", "the same in MPEG-2", changed(film(f"{MPEG2} -g 12"), without(0.5, TS_PACKET)), may_miss=LOST, may_smear=SMEARED, shortfall=""),
    Entry("packets-lost.ts", "100 packets in a row lost", changed(film(f"{H264} -b:v 3M"), without(0.5, 100 * TS_PACKET)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.ts", "3 kB overwritten in a transport stream", changed(film(H264), overwritten(0.5, 3000)), may_miss=LOST, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.mp4", "the same in MP4", changed(film(H264), overwritten(0.5, 3000)), may_miss=LOST, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.mkv", "the same in Matroska", changed(film(H264), overwritten(0.5, 3000)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.avi", "the same in AVI, which counts pictures: those after the damage come a picture early", changed(film(f"{MPEG4} -g 12"), overwritten(0.5, 3000)), may_miss=LOST, may_smear=30, shortfall=DAMAGE),
    Entry("damaged.mpg", "the same in a program stream", changed(film(f"{MPEG2} -g 12"), overwritten(0.5, 3000)), may_miss=LOST, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.flv", "the same in Flash video", changed(film(H264), overwritten(0.5, 3000)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged.ogv", "the same in Ogg", changed(film(f"{THEORA} -g 12"), overwritten(0.5, 3000)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged-h265.mp4", "the same in H.265", changed(film("-c:v libx265 -preset ultrafast -g 12 -x265-params log-level=error:pools=1:frame-threads=1"), overwritten(0.5, 3000)), may_miss=LOST, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("damaged-av1.mp4", "the same in AV1", changed(film("-c:v libsvtav1 -preset 10 -g 12 -svtav1-params lp=1"), overwritten(0.5, 3000)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("hole.mp4", "8 kB of zeros in MP4", changed(film(f"{H264} -movflags +faststart"), overwritten(0.5, 8000, zeros=True)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("hole.mkv", "8 kB of zeros in Matroska", changed(film(H264), overwritten(0.5, 8000, zeros=True)), may_miss=LOST + 12, may_smear=SMEARED, shortfall=DAMAGE),
    Entry("unfinished.mp4", "MP4 whose second half is zeros, as of an unfinished download", changed(film(f"{H264} -movflags +faststart", LONG), without_end(b"mdat")), may_miss=30, may_smear=2, shortfall=f"ends after|{DAMAGE}"),
    Entry("starts-midway.ts", "transport stream that starts within a packet", changed(film(H264), lambda content: content[100:])),
    Entry("starts-after-key.ts", "transport stream that starts between key pictures: time counts from its first packet", changed(film(H264), lambda content: content[:564] + content[564 + 188 * 20 :], lambda shown: shown[12:].later(-0.24))),
    Entry("junk-first.ts", "3 kB of noise before a transport stream", changed(film(H264), lambda content: JUNK + content)),
    Entry("junk-first.mpg", "3 kB of noise before a program stream", changed(film(MPEG2), lambda content: JUNK + content)),
    Entry("junk-last.mp4", "noise after MP4", changed(film(H264), lambda content: content + JUNK)),
    Entry("junk-last.mkv", "noise after Matroska", changed(film(H264), lambda content: content + JUNK)),
    Entry("junk-last.avi", "noise after AVI", changed(film(MPEG4), lambda content: content + JUNK)),
    Entry("zeros-last.ts", "zeros after a transport stream", changed(film(H264), lambda content: content + bytes(100_000))),
    Entry("no-index.mkv", "Matroska without its index", changed(film(H264), patched(b"\x1c\x53\xbb\x6b", b"\x1c\x53\xbb\x6c", times=2))),
    Entry("misnamed.mp4", "Matroska called .mp4", film(f"{H264} -f matroska")),
    Entry("misnamed.avi", "transport stream called .avi", film(f"{H264} -f mpegts")),
    Entry("cenc.mp4", "encrypted (Common Encryption)", useless(film(H264 + CENC)), refused=Reason.ENCRYPTED, says="DRM|encrypted|protected"),
    Entry("cenc-fragments.mp4", "the same in fragments", useless(film(f"{H264} -movflags +frag_keyframe+empty_moov{CENC}")), refused=Reason.ENCRYPTED, says="DRM|encrypted|protected"),
    Entry("scrambled.ts", "scrambled pay television", useless(film(H264), scrambled), refused=Reason.ENCRYPTED, says="DRM|encrypted|protected|scrambled"),
    Entry("too-long.mp4", "a slide show of 70 minutes, where 1 hour is allowed", useless(film(f"{X264} -vf setpts=3*PTS", [0.0, 700.0, 1400.0])), refused=Reason.TOO_LONG, says="hours"),
    Entry("no-index.mp4", "MP4 cut off before its index", useless(film(H264), cut_off(0.6)), refused=Reason.CORRUPT),
    Entry("index-only.mp4", "MP4 cut off right after its index", useless(film(f"{H264} -movflags +faststart"), lambda content: content[: content.index(b"mdat") + 4]), refused=Reason.CORRUPT),
    Entry("noise-inside.mkv", "Matroska whose every picture is noise", useless(film(H264), lambda content: content[:700] + np.random.default_rng(2).bytes(len(content) - 700)), refused=Reason.CORRUPT),
    Entry("unknown-codec.mp4", "a codec that nobody knows", useless(film(H264), patched(b"avc1", b"xyz1", times=2)), refused=Reason.UNSUPPORTED),
    Entry("empty.mp4", "0 bytes", nothing_but(b""), refused=Reason.CORRUPT, says="empty"),
    Entry("noise.mkv", "noise", nothing_but(JUNK), refused=Reason.CORRUPT),
    Entry("page.mp4", "a web page called .mp4", nothing_but(b"<!DOCTYPE html><html><body>404 not found</body></html>" * 20), refused=Reason.CORRUPT),
    Entry("playlist.ts", "a playlist that names other files", nothing_but(b"#EXTM3U\n#EXTINF:2,\nfile:///etc/hostname\n"), refused=Reason.CORRUPT),
    Entry("photo.mp4", "a photo called .mp4", photo, refused=Reason.CORRUPT),
]
