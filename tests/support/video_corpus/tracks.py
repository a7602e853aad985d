"""Which of several tracks is the film."""

from pathlib import Path

import cv2
from generated_videos import Footage, Scene, draw_clock

from framesearch.records import Reason
from video_corpus.containers import AAC, MP2, X264
from video_corpus.entry import Entry
from video_corpus.timing import MPEG2, VP9
from video_corpus.writing import TIMES, Film, Recipe, beside, ffmpeg, film

SHORT = TIMES[:25]
FILM = film(X264, SHORT)
LARGE = (320, 192)
POSTER = ("-f lavfi -i", "color=red:size=320x192:rate=25:duration=0.04")
SLATE = ("-f lavfi -i", "color=blue:size=320x192:rate=25:duration=0.2")
SUBTITLE = "1\n00:00:00,100 --> 00:00:00,900\nHello\n"


def with_second_film(options: str, size: tuple[int, int], times_s: list[float]) -> Recipe:
    """A film beside another, which shows other things at other times."""

    def write(path: Path) -> Film:
        second = path.with_name(f"second-{path.stem}.mkv")
        film(X264, times_s, size=size, seed=9, first_s=100)(second)
        shown = beside(FILM, "-i", second, options=options)(path)
        second.unlink()
        return shown

    return write


def second_of_two(options: str, size: tuple[int, int], times_s: list[float]) -> Recipe:
    """The same where the second is the film."""

    def write(path: Path) -> Film:
        second = path.with_name(f"second-{path.stem}.mkv")
        shown = film(X264, times_s, size=size, seed=9, first_s=100)(second)
        beside(FILM, "-i", second, options=options)(path)
        second.unlink()
        return shown

    return write


def with_subtitles(recipe: Recipe, options: str) -> Recipe:
    """A film with subtitles."""

    def write(path: Path) -> Film:
        text = path.with_suffix(".srt")
        text.write_text(SUBTITLE)
        shown = beside(recipe, "-i", text, options=f"-map 0 -map 1 -c:v copy -c:a copy {options}")(path)
        text.unlink()
        return shown

    return write


def sound_only(options: str, *, cover: str = "") -> Recipe:
    """A tone, and nothing to see beside a cover."""

    def write(path: Path) -> Film:
        picture = (*POSTER, f"-map 0 -map 1 -c:v {cover}") if cover else ()
        ffmpeg("-f lavfi -i", "sine=duration=2", *picture, options, path)
        return Film((), ())

    return write


def with_attachment(path: Path) -> Film:
    """Matroska's way to keep a cover: a file in the file."""
    cover = path.with_suffix(".jpg")
    cv2.imwrite(str(cover), draw_clock(Footage(LARGE, 5, [Scene(1.0)]).at(0.0), 50.0))
    shown = beside(FILM, options=f"-map 0 -c copy -attach {cover} -metadata:s:t mimetype=image/jpeg")(path)
    cover.unlink()
    return shown


def still_with_sound(path: Path) -> Film:
    """One picture for the length of a song."""
    return film(f"{X264} -tune stillimage", [0.0, 1.0], sound=AAC)(path)


ENTRIES = [
    Entry(
        "poster.mp4",
        "a larger poster as an ordinary second track",
        beside(FILM, *POSTER, options="-map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg"),
    ),
    Entry(
        "poster-first.mp4",
        "the poster as first track",
        beside(FILM, *POSTER, options="-map 1 -map 0 -c:v:0 mjpeg -c:v:1 copy"),
        track="v:1",
    ),
    Entry(
        "poster-h264.mov",
        "the poster in H.264",
        beside(FILM, *POSTER, options="-map 1 -map 0 -c:v:0 libx264 -c:v:1 copy"),
        track="v:1",
    ),
    Entry(
        "poster.mkv",
        "the same in Matroska, the poster first",
        beside(FILM, *POSTER, options="-map 1 -map 0 -c:v:0 png -c:v:1 copy"),
        track="v:1",
    ),
    Entry(
        "poster.avi",
        "the same in AVI",
        beside(
            film(MPEG2.replace("mpeg2video -bf 2", "mpeg4"), SHORT),
            *POSTER,
            options="-map 1 -map 0 -c:v:0 mjpeg -c:v:1 copy",
        ),
        track="v:1",
    ),
    Entry(
        "slate.ts",
        "a few blue pictures in a larger track beside",
        beside(FILM, *SLATE, options="-map 1 -map 0 -c:v:0 libx264 -c:v:1 copy"),
        track="v:1",
    ),
    Entry(
        "attached.mp4",
        "cover marked as such",
        beside(FILM, *POSTER, options="-map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg -disposition:v:1 attached_pic"),
    ),
    Entry("attached.mkv", "cover as a file in the file", with_attachment),
    Entry(
        "smaller-preview.mkv",
        "a smaller film beside, neither marked as the one to show",
        with_second_film("-map 1 -map 0 -c copy -default_mode passthrough -disposition:v 0", (80, 48), SHORT),
        track="v:1",
    ),
    Entry(
        "default-second.mkv",
        "two films, the second and smaller marked as the one to show",
        second_of_two("-map 0 -map 1 -c copy -disposition:v:0 0 -disposition:v:1 default", (128, 64), SHORT),
        track="v:1",
    ),
    Entry(
        "shorter-larger.mp4",
        "a larger film beside that is shorter and not the one to show",
        with_second_film("-map 0 -map 1 -c copy -disposition:v:0 default -disposition:v:1 0", LARGE, TIMES[:12]),
    ),
    Entry(
        "angles.ts",
        "two programmes of one size: the first",
        with_second_film("-map 0 -map 1 -c copy -program title=one:st=0 -program title=two:st=1", (160, 96), SHORT),
    ),
    Entry("subtitles.mkv", "subtitles and chapters' text", with_subtitles(FILM, "-c:s srt")),
    Entry("subtitles.mp4", "subtitles in MP4", with_subtitles(film(X264, SHORT), "-c:s mov_text")),
    Entry("subtitles.webm", "subtitles in WebM", with_subtitles(film(VP9, SHORT), "-c:s webvtt")),
    Entry("timecode.mov", "a track of time codes", beside(FILM, options="-c copy -timecode 01:00:00:00")),
    Entry(
        "languages.mkv",
        "two languages",
        beside(film(X264, SHORT, sound="-c:a flac"), options="-map 0:v -map 0:a -map 0:a -c copy"),
        sound=True,
    ),
    Entry(
        "sound-first.ts",
        "sound as first track",
        beside(film(X264, SHORT, sound=MP2), options="-map 0:a -map 0:v -c copy"),
        sound=True,
    ),
    Entry("song.mp4", "a song with one picture to look at", still_with_sound, sound=True),
    Entry("sound.m4a", "sound only", sound_only("-c:a aac"), refused=Reason.NO_VIDEO_STREAM),
    Entry("sound.mka", "sound only, in Matroska", sound_only("-c:a flac -f matroska"), refused=Reason.NO_VIDEO_STREAM),
    Entry("sound.ogg", "sound only, in Ogg", sound_only("-c:a libvorbis"), refused=Reason.NO_VIDEO_STREAM),
    Entry(
        "cover.m4a",
        "sound with a cover marked as such",
        sound_only("-c:a aac -disposition:v attached_pic -f mp4", cover="mjpeg"),
        refused=Reason.NO_VIDEO_STREAM,
    ),
    Entry(
        "cover-unmarked.mp4",
        "sound with a cover that is not marked as such",
        sound_only("-c:a aac", cover="mjpeg"),
        refused=Reason.NO_VIDEO_STREAM,
    ),
]
