"""Which way up, how wide and how large pictures are, frame by frame."""

from video_corpus.codecs import X265
from video_corpus.containers import SITING, X264
from video_corpus.entry import Entry
from video_corpus.timing import MPEG2, VP9, part
from video_corpus.writing import TIMES, Recipe, copied, film, glued, joined

SHORT = TIMES[:25]
ASPECTS = (4 / 3, 16 / 9)


def turned(stored: str, told: str) -> Recipe:
    """Pictures that are stored turned or mirrored by a filter, and shown upright by what the container tells."""
    return copied(film(f"{X264} -vf {stored}", SHORT), via=".mp4", before=told)


def turned_in_stream(stored: str, told: str) -> Recipe:
    """The same told by the stream itself (a message of H.264), with every key picture."""
    return film(f"{X264} -vf {stored} -bsf:v h264_metadata={told}", SHORT)


ENTRIES = [
    Entry("anamorphic.mp4", "pixels wider than high (16:11) in MP4", film(f"{X264} -vf setsar=16/11", SHORT)),
    Entry("anamorphic.ts", "the same told by H.264 alone", film(f"{X264} -vf setsar=16/11", SHORT)),
    Entry("anamorphic.mkv", "the same in Matroska", film(f"{X264} -vf setsar=16/11", SHORT)),
    Entry("anamorphic.avi", "the same in AVI: MPEG-4", film("-c:v mpeg4 -q:v 3 -vf setsar=16/11", SHORT)),
    Entry("anamorphic.webm", "the same in WebM: VP9", film(f"{VP9} -vf setsar=16/11", SHORT)),
    Entry("anamorphic.ogv", "the same in Ogg", film("-c:v libtheora -q:v 8 -vf setsar=16/11", SHORT)),
    Entry("anamorphic.mov", "the same in QuickTime: ProRes", film("-c:v prores_ks -vf setsar=16/11", SHORT)),
    Entry("anamorphic.wmv", "the same in Windows Media", film("-c:v wmv2 -q:v 3 -vf setsar=16/11", SHORT)),
    Entry("widescreen.mpg", "a DVD's 16:9", film(f"{MPEG2} -vf setdar=16/9", SHORT)),
    Entry("narrow.mp4", "pixels higher than wide", film(f"{X264} -vf setsar=3/4", SHORT)),
    Entry(
        "container-aspect.mp4",
        "MP4 that tells another aspect than its H.264",
        copied(film(f"{X264} -vf setsar=1/1", SHORT), "-aspect 16/9", via=".mkv"),
    ),
    Entry(
        "aspect-switch.ts",
        "H.264 broadcast that switches between 4:3 and 16:9",
        glued(part(f"{X264} -vf setsar=4/5", 0), part(f"{X264} -vf setsar=16/15", 1)),
        aspects=ASPECTS,
    ),
    Entry(
        "aspect-switch.mpg",
        "the same in MPEG-2",
        joined(part(f"{MPEG2} -vf setdar=4/3", 0), part(f"{MPEG2} -vf setdar=16/9", 1), via=".mpg"),
        aspects=ASPECTS,
    ),
    Entry(
        "aspect-switch-mpeg2.ts",
        "the same in a transport stream",
        glued(part(f"{MPEG2} -vf setdar=4/3", 0), part(f"{MPEG2} -vf setdar=16/9", 1)),
        aspects=ASPECTS,
    ),
    Entry(
        "size-switch.ts",
        "H.264 broadcast that switches to a larger picture",
        glued(part(X264, 0), part(X264, 1, size=(240, 144))),
    ),
    Entry(
        "size-switch-mpeg2.ts",
        "the same in MPEG-2, whose decoder loses the last picture before the switch",
        glued(part(MPEG2, 0), part(MPEG2, 1, size=(240, 144))),
        may_miss=1,
    ),
    Entry(
        "size-switch.webm",
        "VP9 that switches to a larger picture, as calls do",
        joined(part(VP9, 0), part(VP9, 1, size=(240, 144)), via=".webm"),
    ),
    Entry(
        "size-switch-vp8.webm",
        "VP8 that switches to a smaller picture",
        joined(
            *(
                part("-c:v libvpx -b:v 1M -deadline realtime", number, size=size)
                for number, size in enumerate([(240, 144), (160, 96)])
            ),
            via=".webm",
        ),
    ),
    Entry(
        "shape-switch.ts",
        "broadcast that switches to upright pictures",
        glued(part(X264, 0), part(X264, 1, size=(96, 160))),
    ),
    Entry(
        "turned-90.mp4",
        "stored turned by 90 degrees, as telephones do",
        turned("transpose=clock", "-display_rotation 90"),
    ),
    Entry("turned-180.mp4", "stored upside down", turned("hflip,vflip", "-display_rotation 180")),
    Entry("turned-270.mov", "stored turned by 270 degrees", turned("transpose=cclock", "-display_rotation 270")),
    Entry("turned-90.mkv", "the same in Matroska, by 90 degrees", turned("transpose=clock", "-display_rotation 90")),
    Entry("mirrored.mp4", "stored mirrored", turned("hflip", "-display_hflip")),
    Entry("flipped.mp4", "stored mirrored top to bottom", turned("vflip", "-display_vflip")),
    Entry(
        "turned-mirrored.mp4",
        "stored turned and mirrored",
        turned("transpose=clock_flip", "-display_rotation 90 -display_hflip"),
    ),
    Entry(
        "turned-anamorphic.mp4",
        "stored turned, with pixels that are not square",
        turned("setsar=11/16,transpose=clock", "-display_rotation 90"),
    ),
    Entry(
        "turned-90.ts",
        "turned by 90 degrees, as H.264 itself tells",
        turned_in_stream("transpose=clock", "display_orientation=insert:rotate=90"),
    ),
    Entry(
        "mirrored.ts",
        "mirrored, as H.264 itself tells",
        turned_in_stream("hflip", "display_orientation=insert:flip=horizontal"),
    ),
    Entry("cropped.mp4", "H.264 whose size is no multiple of 16", film(X264, SHORT, size=(150, 90))),
    Entry("cropped-h265.mp4", "H.265 whose size is no multiple of 8", film(X265, SHORT, size=(150, 90))),
    Entry("odd.webm", "VP9 of odd width and height", film(f"{VP9} -vf scale=161:97 -pix_fmt yuv420p", SHORT)),
    Entry("odd.avi", "Motion JPEG of odd width and height", film("-c:v mjpeg -q:v 3 -vf scale=161:97", SHORT)),
    Entry(
        "odd-444.mp4",
        "H.264 4:4:4 of odd width and height",
        film("-c:v libx264 -preset veryfast -vf scale=161:97 -pix_fmt yuv444p", SHORT),
        levels=SITING,
    ),
    Entry("upright.mp4", "higher than wide, not turned", film(X264, SHORT, size=(96, 160))),
    Entry("wide.mp4", "very wide", film(X264, SHORT, size=(320, 48))),
    Entry("tiny.mp4", "16 by 16 pixels", film(X264, SHORT, size=(16, 16)), clocks=False),
    Entry("large.mp4", "larger than the pictures asked for", film(X264, TIMES[:8], size=(640, 480))),
    Entry(
        "large-interlaced.ts", "the same, interlaced", film(f"{MPEG2} -flags +ildct+ilme", TIMES[:8], size=(720, 576))
    ),
]
