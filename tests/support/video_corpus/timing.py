"""When pictures are shown: rates, starts, cuts, gaps, and clocks that start again."""

from fractions import Fraction

from generated_videos import even_times, uneven_times

from video_corpus.containers import AAC, MP2, SITING, X264
from video_corpus.entry import Entry
from video_corpus.fields import telecined
from video_corpus.mp4 import with_edits
from video_corpus.writing import TIMES, Film, Recipe, but, copied, film, glued

MPEG2, MPEG4 = "-c:v mpeg2video -bf 2 -q:v 3", "-c:v mpeg4 -q:v 3"
THEORA, VP9 = "-c:v libtheora -q:v 8", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 30"
MILLISECOND = Fraction(1, 1000)
UNEVEN = uneven_times(2.5)
WRAP_S = 2**33 / 90_000  # MPEG's clock rolls over
PAUSED = [*TIMES[:25], *(time_s + 5 for time_s in TIMES[25:])]
LONG_PAUSE = [*TIMES[:25], *(time_s + 20 for time_s in TIMES[25:])]
SHORT = TIMES[:25]
SOUND_S = 0.033  # a packet of sound: by so much may pictures and sound end apart, where a recording follows another


def part(options: str, number: int, *, offset_s: float = 0.0, **drawn: object) -> Recipe:
    """A recording of a second, the so manyth of a file."""
    later = f" -output_ts_offset {offset_s}" if offset_s else ""
    return film(options + later, SHORT, seed=number, first_s=float(number), **drawn)  # type: ignore[arg-type]


def cut(shown: Film) -> Film:
    """What is left from .52 s on."""
    first = next(k for k, time_s in enumerate(shown.times_s) if time_s > 0.519)
    return shown[first:].later(-0.52)


CUT = copied(film(X264), via=".mp4", before="-ss 0.52", change=cut)
CUT_WITH_SOUND = copied(film(X264, sound=AAC), via=".mp4", before="-ss 0.52", change=cut)

ENTRIES = [
    Entry(
        "uneven.mp4",
        "uneven rate, 5 to 60 pictures a second; its edit list ends before the last picture",
        but(film(X264, UNEVEN, unit_s=MILLISECOND), lambda shown: shown[:-1]),
    ),
    Entry("uneven.mkv", "the same in Matroska", film(X264, UNEVEN, unit_s=MILLISECOND)),
    Entry(
        "uneven.webm",
        "uneven distances in WebM: VP9",
        copied(
            film(VP9),
            r"-bsf:v setts=pts=PTS+7*mod(N\,5):dts=DTS+7*mod(N\,5)",
            via=".webm",
            change=lambda shown: Film(
                tuple(time_s + 0.007 * (k % 5) for k, time_s in enumerate(shown.times_s)), shown.clocks_s
            ),
        ),
    ),
    Entry("uneven.ts", "the same in a transport stream", film(X264, UNEVEN, unit_s=MILLISECOND)),
    Entry("uneven.flv", "the same in Flash video", film(X264, UNEVEN, unit_s=MILLISECOND)),
    Entry("uneven.wmv", "the same in Windows Media", film("-c:v wmv2 -q:v 3", UNEVEN, unit_s=MILLISECOND)),
    Entry(
        "gaps.avi",
        "AVI whose gaps are filled with empty packets",
        film(MPEG4, [*TIMES[:10], *TIMES[20:30], *TIMES[45:]], unit_s=Fraction(1, 25)),
    ),
    Entry("slow.mp4", "a picture a second", film(X264, even_times(6, 1))),
    Entry("fast.mp4", "120 pictures a second", film(X264, even_times(0.5, 120))),
    Entry("fast.mkv", "240 pictures a second, told in whole milliseconds", film(X264, even_times(0.25, 240))),
    Entry(
        "ntsc.mp4", "29.97 pictures a second", film(X264, even_times(1, 30_000 / 1001), unit_s=Fraction(1001, 30_000))
    ),
    Entry(
        "ntsc.ts", "59.94 pictures a second", film(X264, even_times(1, 60_000 / 1001), unit_s=Fraction(1001, 60_000))
    ),
    Entry(
        "film.mkv",
        "23.976 pictures a second, told in whole milliseconds",
        film(X264, even_times(1, 24_000 / 1001), unit_s=Fraction(1001, 24_000)),
    ),
    Entry("slides.mp4", "a slide show, 30 s a picture", film(X264, [0.0, 30.0, 60.0, 90.0])),
    Entry("slides.mkv", "the same in Matroska", film(X264, [0.0, 30.0, 60.0, 90.0])),
    Entry("telecine.mpg", "MPEG-2 whose pictures last two and three fields in turns", telecined()),
    Entry("telecine.ts", "the same in a transport stream", telecined()),
    *(
        Entry(f"from-100s.{suffix}", f"{what} whose clock starts at 100 s", film(f"{options} -output_ts_offset 100"))
        for suffix, what, options in (
            ("ts", "transport stream", X264),
            ("mpg", "program stream", MPEG2),
            ("mkv", "Matroska", X264),
            ("webm", "WebM", VP9),
            ("mp4", "MP4", X264),
            ("flv", "Flash video", X264),
            ("wmv", "Windows Media", "-c:v wmv2 -q:v 3"),
            ("ogv", "Ogg", THEORA),
            ("wtv", "Windows Media Center", MPEG2),
            ("nut", "NUT", MPEG4),
        )
    ),
    Entry("cut.mp4", "start cut off by an edit list, between key pictures", CUT),
    Entry("cut-sound.mp4", "the same with sound", CUT_WITH_SOUND, sound=True),
    Entry("cut.mov", "the same in QuickTime", CUT_WITH_SOUND, sound=True),
    Entry(
        "edits.mp4",
        "edit list of two pieces with a gap between them",
        with_edits(film("-c:v libx264 -preset veryfast -bf 0"), (0.0, 0.8), (1.2, 0.6)),
    ),
    Entry(
        "before-0.mp4",
        "the first half second has negative times, and isn't shown",
        but(film(f"{X264} -output_ts_offset -0.52 -avoid_negative_ts disabled"), cut),
    ),
    Entry(
        "before-0.ts",
        "transport stream whose clock rolls over at once",
        film(f"{X264} -output_ts_offset -2 -avoid_negative_ts disabled"),
    ),
    Entry(
        "late.mp4",
        "pictures start .48 s after the sound (empty edit)",
        film(X264, sound=AAC, before="-itsoffset 0.48", late_s=0.48),
        sound=True,
    ),
    Entry(
        "late.mkv",
        "the same in Matroska",
        film(X264, sound="-c:a flac", before="-itsoffset 0.48", late_s=0.48),
        sound=True,
    ),
    Entry(
        "late.ts",
        "the same in a transport stream",
        film(X264, sound=MP2, before="-itsoffset 0.48", late_s=0.48),
        sound=True,
    ),
    Entry(
        "late.flv",
        "the same in Flash video",
        film(X264, sound="-c:a libmp3lame -ar 44100", before="-itsoffset 0.48", late_s=0.52),
        sound=True,
    ),
    Entry("late-alone.mp4", "empty edit of .5 s without sound", film(f"{X264} -output_ts_offset 0.5")),
    Entry("pause.ts", "no picture for 5 s", film(X264, PAUSED, unit_s=Fraction(1, 25))),
    Entry("long-pause.mkv", "no picture for 20 s", film(X264, LONG_PAUSE, unit_s=Fraction(1, 25))),
    Entry("long-pause.mp4", "the same in MP4", film(X264, LONG_PAUSE, unit_s=Fraction(1, 25))),
    Entry(
        "long-pause.ts",
        "nothing recorded for 20 s: a clock that leaps, in a format whose clocks may",
        but(film(X264, LONG_PAUSE, unit_s=Fraction(1, 25)), lambda shown: Film(tuple(TIMES), shown.clocks_s)),
        unlike_ffmpeg="it shows the first picture after the leap where it was, 20 s late",
    ),
    Entry(
        "one-stamp-twice.mkv",
        "two pictures with one stamp",
        copied(
            film("-c:v libx264 -preset veryfast -bf 0"),
            "-bsf:v setts=pts='if(eq(N,20),PREV_OUTPTS,PTS)':dts='if(eq(N,20),PREV_OUTDTS,DTS)'",
            via=".mkv",
            change=lambda shown: Film((*shown.times_s[:20], shown.times_s[19], *shown.times_s[21:]), shown.clocks_s),
        ),
    ),
    Entry("wrap.ts", "MPEG's clock of 33 bits rolls over midway", film(f"{X264} -output_ts_offset {WRAP_S - 2.4:.3f}")),
    Entry("wrap.mpg", "the same in a program stream", film(f"{MPEG2} -output_ts_offset {WRAP_S - 1.5:.3f}")),
    Entry(
        "glued.ts", "two recordings one after the other; the clock starts again", glued(part(X264, 0), part(X264, 1))
    ),
    Entry(
        "glued-sound.ts",
        "the same with sound",
        glued(part(X264, 0, sound=MP2), part(X264, 1, sound=MP2)),
        sound=True,
        within_s=SOUND_S,
    ),
    Entry("glued-three.ts", "three recordings one after the other", glued(part(X264, 0), part(X264, 1), part(X264, 2))),
    Entry("glued-ahead.ts", "the clock leaps 20,000 s ahead", glued(part(X264, 0), part(X264, 1, offset_s=20_000))),
    Entry("glued-back.ts", "the clock leaps 20,000 s back", glued(part(X264, 0, offset_s=20_000), part(X264, 1))),
    Entry("glued.m2ts", "recordings of a camcorder one after the other", glued(part(X264, 0), part(X264, 1))),
    Entry("glued-mpeg2.ts", "broadcasts in MPEG-2 one after the other", glued(part(MPEG2, 0), part(MPEG2, 1))),
    Entry("glued.mpg", "program streams one after the other", glued(part(MPEG2, 0), part(MPEG2, 1))),
    Entry(
        "glued.vob",
        "titles of a DVD one after the other",
        glued(part(MPEG2, 0, sound="-c:a ac3"), part(MPEG2, 1, sound="-c:a ac3")),
        sound=True,
        within_s=SOUND_S,
    ),
    Entry(
        "chained.ogv",
        "chained Ogg",
        glued(part(THEORA, 0), part(THEORA, 1)),
        unlike_ffmpeg="it leaves a gap of three pictures between the two",
    ),
    Entry(
        "chained-sound.ogv",
        "chained Ogg with sound",
        glued(part(THEORA, 0, sound="-c:a libvorbis"), part(THEORA, 1, sound="-c:a libvorbis")),
        sound=True,
        within_s=SOUND_S,
        unlike_ffmpeg="it shows the first only",
    ),
    Entry(
        "glued.flv",
        "Flash videos one after the other",
        glued(part("-c:v flv -q:v 3", 0), part("-c:v flv -q:v 3", 1)),
        unlike_ffmpeg="it shows the first only",
    ),
    *(
        Entry(
            f"glued.{suffix}",
            f"{what} recordings one after the other",
            glued(part(options, 0), part(options, 1)),
            unlike_ffmpeg="it shows the first only, or mixes up the two",
        )
        for suffix, what, options in (
            ("mkv", "Matroska", X264),
            ("live.mkv", "Matroska that tells no lengths,", f"{X264} -live 1"),
            ("webm", "WebM", VP9),
            ("mp4", "MP4", X264),
            ("fragments.mp4", "fragmented MP4", f"{X264} -movflags +frag_keyframe+empty_moov+delay_moov"),
            ("wmv", "Windows Media", "-c:v wmv2 -q:v 3"),
            ("wtv", "Windows Media Center", MPEG2),
            ("nut", "NUT", MPEG4),
            ("ivf", "IVF", VP9),
        )
    ),
    Entry("glued.avi", "AVI recordings one after the other", glued(part(MPEG4, 0), part(MPEG4, 1))),
    Entry(
        "sound-midway.ts",
        "two recordings, only the second with sound",
        glued(part(X264, 0), part(X264, 1, sound=MP2)),
        within_s=SOUND_S,
    ),
    Entry(
        "glued.dv",
        "tapes one after the other",
        glued(
            *(
                film("-c:v dvvideo", TIMES[:8], size=(720, 576), seed=number, first_s=0.32 * number)
                for number in range(2)
            )
        ),
        levels=SITING,
    ),
    Entry("glued.h264", "bare H.264 one after the other", glued(part(X264, 0), part(X264, 1))),
]
