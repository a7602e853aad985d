"""How the corpus's files are drawn, encoded and spliced: small pictures that carry their time, written by the ffmpeg
program, whose encoders and containers are more than PyAV's."""

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from generated_videos import Footage, Scene, draw_clock, even_times

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SIZE = (160, 96)  # whole macroblocks, which some encoders ask for
TIMES = even_times(2.0, 25)
AAC_LATE_S = 1024 / 48_000  # AAC starts so much before the pictures, unless the container hides it
MP2_LATE_S = 481 / 48_000


@dataclass(frozen=True)
class Film:
    """What is right of a file: when each of its pictures is shown, and the time that is drawn into it, in seconds."""

    times_s: tuple[float, ...]
    clocks_s: tuple[float, ...]

    @classmethod
    def of(cls, times_s: Iterable[float], late_s: float = 0.0) -> "Film":
        """Pictures that carry their time, shown so much later."""
        clocks_s = tuple(times_s)
        return cls(tuple(time_s + late_s for time_s in clocks_s), clocks_s)

    def __getitem__(self, part: slice) -> "Film":
        return Film(self.times_s[part], self.clocks_s[part])

    def __add__(self, other: "Film") -> "Film":
        return Film(self.times_s + other.times_s, self.clocks_s + other.clocks_s)

    def later(self, seconds: float) -> "Film":
        """The same shown later."""
        return Film(tuple(time_s + seconds for time_s in self.times_s), self.clocks_s)

    def from_start(self) -> "Film":
        """The same with its first picture at 0."""
        return self.later(-self.times_s[0])


Recipe = Callable[[Path], Film]


def ffmpeg(*arguments: object) -> None:
    """Run the ffmpeg program; a string that begins with "-" may hold several options.

    Raises:
        RuntimeError: it failed, with what it said.
    """
    command = [FFMPEG, "-v", "error", "-nostdin", "-y", "-filter_threads", "1"]
    for argument in arguments:
        command += argument.split() if isinstance(argument, str) and argument.startswith("-") else [str(argument)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def draw(
    path: Path, times_s: Sequence[float], unit_s: Fraction, *, size: tuple[int, int], seed: int, first_s: float
) -> None:
    """A film as plain pictures in NUT, for ffmpeg to encode: what it shows changes in the middle, as at a cut."""
    with av.open(str(path), "w", format="nut") as output:
        stream = output.add_stream("rawvideo", rate=Fraction(1 / unit_s))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = unit_s
        for time_s, picture in zip(times_s, _pictures(tuple(times_s), size, seed, first_s), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = round(time_s / unit_s), unit_s
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@lru_cache(4)
def _pictures(times_s: tuple[float, ...], size: tuple[int, int], seed: int, first_s: float) -> list[np.ndarray]:
    half_s = (times_s[-1] + 0.04) / 2
    footage = Footage(size, seed, [Scene(half_s), Scene(half_s)])
    return [draw_clock(footage.at(time_s), first_s + time_s) for time_s in times_s]


def even_unit(times_s: Sequence[float]) -> Fraction:
    """What divides evenly spaced times into whole numbers."""
    if len(times_s) < 2:
        return Fraction(1, 25)
    return Fraction((times_s[-1] - times_s[0]) / (len(times_s) - 1)).limit_denominator(90_000)


def film(
    options: str,
    times_s: Sequence[float] = TIMES,
    *,
    sound: str = "",
    late_s: float = 0.0,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    first_s: float = 0.0,
    unit_s: Fraction | None = None,
    before: str = "",
) -> Recipe:
    """A recipe: pictures in `options`' codec; the file's suffix names the container unless they do.

    Args:
        sound: options of the codec of a tone beside the pictures, as long as they.
        late_s: how much later than the sound the pictures start.
        first_s: added to the time that the pictures carry; their stamps stay `times_s`.
        unit_s: of the stamps; by default the pictures' even distance.
        before: options of ffmpeg that apply to the drawn pictures, such as `-display_rotation 90`.
    """
    unit_s = unit_s or even_unit(times_s)

    def write(path: Path) -> Film:
        raw = path.with_name(path.name + ".raw")
        draw(raw, times_s, unit_s, size=size, seed=seed, first_s=first_s)
        length_s = times_s[-1] + float(even_unit(times_s))
        tone = ("-f lavfi -i", f"sine=frequency=440:sample_rate=48000:duration={length_s:.3f}") if sound else ()
        # One thread makes encoders' choices the same everywhere.
        ffmpeg(
            before or "-v error",
            "-f nut -i",
            raw,
            *tone,
            f"-threads 1 -fps_mode passthrough -enc_time_base {unit_s}".replace("/", ":"),
            sound or "-an",
            options,
            path,
        )
        raw.unlink()
        return Film.of((first_s + time_s for time_s in times_s), late_s - first_s)

    return write


def beside(recipe: Recipe, *inputs: object, options: str, before: str = "") -> Recipe:
    """A recipe's file with further inputs of ffmpeg in it.

    Args:
        inputs: arguments of ffmpeg: options and files.
        options: what of them goes into the file, and how.
        before: options of how the recipe's own file is read.
    """

    def write(path: Path) -> Film:
        first = path.with_name(f"before-{path.name}").with_suffix(".mkv")
        shown = recipe(first)
        ffmpeg(before or "-v error", "-i", first, *inputs, "-threads 1", options, path)
        first.unlink()
        return shown

    return write


def joined(*parts: Recipe, via: str, options: str = "") -> Recipe:
    """The packets of several files in one, the parts one after the other (ffmpeg's concat)."""

    def write(path: Path) -> Film:
        files = [path.with_name(f"{path.stem}-part{number}{via}") for number in range(len(parts))]
        whole, ends_s = Film((), ()), 0.0
        for file, recipe in zip(files, parts, strict=True):
            shown = recipe(file)
            whole += shown.later(ends_s)
            ends_s += shown.times_s[-1] + float(even_unit(shown.times_s))
        script = path.with_suffix(".txt")
        script.write_text("".join(f"file '{file}'\n" for file in files))
        ffmpeg("-f concat -safe 0 -i", script, "-c copy", options or "-v error", path)
        for file in (script, *files):
            file.unlink()
        return whole

    return write


def copied(
    recipe: Recipe, options: str = "", *, via: str, before: str = "", change: Callable[[Film], Film] | None = None
) -> Recipe:
    """A recipe's packets, unchanged, into another container or with other stamps.

    Args:
        via: suffix of the file that the recipe writes first.
        before: options of how that is read.
        change: what that makes of the right times.
    """

    def write(path: Path) -> Film:
        first = path.with_name(f"{path.stem}-before{via}")
        shown = recipe(first)
        ffmpeg(before or "-v error", "-i", first, "-map 0 -c copy", options or "-v error", path)
        first.unlink()
        return change(shown) if change else shown

    return write


def glued(*parts: Recipe, pause_s: float = 0.0) -> Recipe:
    """The parts' bytes one after the other, as recorders and editors write them; each starts where the last ended."""

    def write(path: Path) -> Film:
        content, whole, ends_s = b"", Film((), ()), 0.0
        for number, recipe in enumerate(parts):
            part = path.with_name(f"part{number}-{path.name}")
            shown = recipe(part)
            content += part.read_bytes()
            whole += shown.later(ends_s)
            ends_s += shown.times_s[-1] - shown.times_s[0] + float(even_unit(shown.times_s)) + pause_s
            part.unlink()
        path.write_bytes(content)
        return whole

    return write


def changed(recipe: Recipe, change: Callable[[bytes], bytes], shown: Callable[[Film], Film] | None = None) -> Recipe:
    """A recipe's file with its bytes changed.

    Args:
        shown: what that makes of the right times.
    """

    def write(path: Path) -> Film:
        right = recipe(path)
        path.write_bytes(change(path.read_bytes()))
        return shown(right) if shown else right

    return write


def but(recipe: Recipe, shown: Callable[[Film], Film]) -> Recipe:
    """A recipe of whose file something else is right than of what was drawn."""
    return changed(recipe, bytes, shown)


def overwritten(share: float, length: int, *, zeros: bool = False) -> Callable[[bytes], bytes]:
    """Noise, or zeros, over so many bytes, from a share of the file on."""

    def change(content: bytes) -> bytes:
        start = int(len(content) * share)
        other = bytes(length) if zeros else np.random.default_rng(0).bytes(length)
        return content[:start] + other[: len(content) - start] + content[start + length :]

    return change


def without(share: float, length: int) -> Callable[[bytes], bytes]:
    """The file less so many bytes, from a share of it on, at a multiple of that length."""

    def change(content: bytes) -> bytes:
        start = int(len(content) * share) // length * length
        return content[:start] + content[start + length :]

    return change


def cut_off(share: float) -> Callable[[bytes], bytes]:
    """Only the first share of the file."""
    return lambda content: content[: int(len(content) * share)]


def patched(old: bytes, new: bytes, *, times: int = 1) -> Callable[[bytes], bytes]:
    """The file with its `old` bytes replaced, of which it must hold so many."""

    def change(content: bytes) -> bytes:
        assert content.count(old) == times, f"the file holds {old.hex()} {content.count(old)} times"
        return content.replace(old, new)

    return change
