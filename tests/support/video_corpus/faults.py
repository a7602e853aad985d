"""Files that are damaged, cut off, lie about themselves, or give nothing."""

import struct
from collections.abc import Callable

import numpy as np
from generated_videos import even_times

from video_corpus.containers import AAC, X264
from video_corpus.entry import Entry
from video_corpus.timing import MPEG2, MPEG4, THEORA, VP9
from video_corpus.writing import (
    changed,
    cut_off,
    film,
    overwritten,
    patched,
    without,
)

H264 = f"{X264} -g 12"
TS_PACKET = 188
DAMAGE = r"^(?!.*from 0 ).*(damaged|missing)"  # not the intact first half
LOST, SMEARED = 16, 16  # pictures: what a group of 12 and its surroundings may cost
LONG = even_times(10.0, 5)
JUNK = np.random.default_rng(1).bytes(3000)


def stating(find: bytes, skip: int, value: bytes) -> Callable[[bytes], bytes]:
    """The file with a number in its header replaced, so many bytes after its name."""

    def change(content: bytes) -> bytes:
        at = content.index(find) + len(find) + skip
        return content[:at] + value + content[at + len(value) :]

    return change


def without_end(of: bytes) -> Callable[[bytes], bytes]:
    """Zeros from the middle of what follows a mark to the end: a file whose room was taken before it was fetched."""

    def change(content: bytes) -> bytes:
        start = (content.index(of) + len(content)) // 2
        return content[:start] + bytes(len(content) - start)

    return change


TWO_HOURS_MS, MINUTE_MS = struct.pack(">d", 7_200_000.0), struct.pack(">d", 60_000.0)
MKV_LENGTH = b"\x44\x89\x88"
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")

ENTRIES = [
    Entry(
        "cut-off.mp4",
        "MP4 cut off after its index",
        changed(film(f"{H264} -movflags +faststart", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off-sound.mp4",
        "the same with sound",
        changed(film(f"{H264} -movflags +faststart", LONG, sound=AAC), cut_off(0.6)),
        sound=True,
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.mkv",
        "Matroska cut off",
        changed(film(H264, LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.webm",
        "WebM cut off",
        changed(film(f"{VP9} -g 12", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.avi",
        "AVI cut off, its index lost",
        changed(film(f"{MPEG4} -g 12", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.flv",
        "Flash video cut off",
        changed(film(H264, LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.wmv",
        "Windows Media cut off",
        changed(film("-c:v wmv2 -q:v 3 -g 12", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.mov",
        "QuickTime: ProRes cut off after its index",
        changed(film("-c:v prores_ks -movflags +faststart", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="ends after",
    ),
    Entry(
        "cut-off.ts",
        "transport stream cut off: it tells no length",
        changed(film(H264, LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="",
    ),
    Entry(
        "cut-off.mpg",
        "program stream cut off: it tells no length",
        changed(film(f"{MPEG2} -g 12", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="",
    ),
    Entry(
        "cut-off.ogv",
        "Ogg cut off: it tells no length",
        changed(film(f"{THEORA} -g 12", LONG), cut_off(0.6)),
        may_miss=27,
        may_smear=1,
        shortfall="",
    ),
    Entry(
        "cut-off-fragments.mp4",
        "fragmented MP4 cut off: it tells no length",
        changed(film(f"{H264} -movflags +frag_keyframe+empty_moov+delay_moov", LONG), cut_off(0.6)),
        may_miss=32,
        may_smear=1,
        shortfall="",
    ),
    Entry(
        "states-60s.mkv",
        "Matroska that states 60 s, as recorders that crashed leave it",
        changed(film(H264), stating(MKV_LENGTH, 0, MINUTE_MS)),
        shortfall="ends after 2 of 60 s",
    ),
    Entry(
        "states-2h.mkv",
        "the same stating 2 hours, where 1 hour is allowed",
        changed(film(H264), stating(MKV_LENGTH, 0, TWO_HOURS_MS)),
        shortfall="ends after 2 of 7200 s",
    ),
    Entry(
        "states-60s.flv",
        "Flash video that states 60 s",
        changed(film(H264), stating(b"duration\0", 0, struct.pack(">d", 60.0))),
        shortfall="ends after 2 of 60 s",
    ),
    Entry(
        "states-60s.wmv",
        "Windows Media that states 60 s",
        changed(film("-c:v wmv2 -q:v 3"), stating(ASF_PROPERTIES, 8 + 16 + 8 + 8 + 8, struct.pack("<Q", 631_000_000))),
        shortfall="ends after 2 of",
    ),
    Entry(
        "packet-lost.ts",
        "a packet of 188 bytes lost",
        changed(film(H264), without(0.5, TS_PACKET)),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall="",
    ),
    Entry(
        "packet-lost-mpeg2.ts",
        "the same in MPEG-2",
        changed(film(f"{MPEG2} -g 12"), without(0.5, TS_PACKET)),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall="",
    ),
    Entry(
        "packets-lost.ts",
        "100 packets in a row lost",
        changed(film(f"{H264} -b:v 3M"), without(0.5, 100 * TS_PACKET)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.ts",
        "3 kB overwritten in a transport stream",
        changed(film(H264), overwritten(0.5, 3000)),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.mp4",
        "the same in MP4",
        changed(film(H264), overwritten(0.5, 3000)),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.mkv",
        "the same in Matroska",
        changed(film(H264), overwritten(0.5, 3000)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.avi",
        "the same in AVI, which counts pictures: those after the damage come a picture early",
        changed(film(f"{MPEG4} -g 12"), overwritten(0.5, 3000)),
        may_miss=LOST,
        may_smear=30,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.mpg",
        "the same in a program stream",
        changed(film(f"{MPEG2} -g 12"), overwritten(0.5, 3000)),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.flv",
        "the same in Flash video",
        changed(film(H264), overwritten(0.5, 3000)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged.ogv",
        "the same in Ogg",
        changed(film(f"{THEORA} -g 12"), overwritten(0.5, 3000)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged-h265.mp4",
        "the same in H.265",
        changed(
            film("-c:v libx265 -preset ultrafast -g 12 -x265-params log-level=error:pools=1:frame-threads=1"),
            overwritten(0.5, 3000),
        ),
        may_miss=LOST,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "damaged-av1.mp4",
        "the same in AV1",
        changed(film("-c:v libsvtav1 -preset 10 -g 12 -svtav1-params lp=1"), overwritten(0.5, 3000)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "hole.mp4",
        "8 kB of zeros in MP4",
        changed(film(f"{H264} -movflags +faststart"), overwritten(0.5, 8000, zeros=True)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "hole.mkv",
        "8 kB of zeros in Matroska",
        changed(film(H264), overwritten(0.5, 8000, zeros=True)),
        may_miss=LOST + 12,
        may_smear=SMEARED,
        shortfall=DAMAGE,
    ),
    Entry(
        "unfinished.mp4",
        "MP4 whose second half is zeros, as of an unfinished download",
        changed(film(f"{H264} -movflags +faststart", LONG), without_end(b"mdat")),
        may_miss=30,
        may_smear=2,
        shortfall=f"ends after|{DAMAGE}",
    ),
    Entry(
        "starts-midway.ts",
        "transport stream that starts within a packet",
        changed(film(H264), lambda content: content[100:]),
    ),
    Entry(
        "starts-after-key.ts",
        "transport stream that starts between key pictures: time counts from its first packet",
        changed(
            film(H264), lambda content: content[:564] + content[564 + 188 * 20 :], lambda shown: shown[12:].later(-0.24)
        ),
    ),
    Entry(
        "junk-first.ts", "3 kB of noise before a transport stream", changed(film(H264), lambda content: JUNK + content)
    ),
    Entry(
        "junk-first.mpg", "3 kB of noise before a program stream", changed(film(MPEG2), lambda content: JUNK + content)
    ),
    Entry("junk-last.mp4", "noise after MP4", changed(film(H264), lambda content: content + JUNK)),
    Entry("junk-last.mkv", "noise after Matroska", changed(film(H264), lambda content: content + JUNK)),
    Entry("junk-last.avi", "noise after AVI", changed(film(MPEG4), lambda content: content + JUNK)),
    Entry(
        "zeros-last.ts", "zeros after a transport stream", changed(film(H264), lambda content: content + bytes(100_000))
    ),
    Entry(
        "no-index.mkv",
        "Matroska without its index",
        changed(film(H264), patched(b"\x1c\x53\xbb\x6b", b"\x1c\x53\xbb\x6c", times=2)),
    ),
    Entry("misnamed.mp4", "Matroska called .mp4", film(f"{H264} -f matroska")),
    Entry("misnamed.avi", "transport stream called .avi", film(f"{H264} -f mpegts")),
]
