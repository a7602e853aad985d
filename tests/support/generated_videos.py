"""Small videos with known right answers, drawn with PyAV: footage-like pictures that can carry their own time.

`draw_video` is the simple way in. `Footage` draws the pictures, `write_video` writes any pictures at any times into
any container, and `read_clock` reads the time back off a picture, through compression, scaling and rotation by
quarter turns that were undone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.stream import Disposition

CLOCK_UNIT_S = 1e-4
_CLOCK_BITS = 24  # 1,677 s in units of 0.1 ms
_CHECK_BITS = 8
_CLOCK_COLUMNS, _CLOCK_ROWS = 16, 2
_CLOCK_SHARE = 0.16  # of the picture's height

_ENCODER_OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "23"},
    "libx265": {"preset": "ultrafast", "crf": "25", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "1M"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
    "libsvtav1": {"preset": "8", "crf": "24", "svtav1-params": "lp=1"},
    "mpeg2video": {"b": "4M"},
    "mpeg4": {"b": "3M"},
}


# ---- pictures


@dataclass(frozen=True)
class Scene:
    """A shot. `motion` 0 is a still camera on a still scene (with sensor noise), 1 lively, 3 hectic."""

    duration_s: float
    motion: float = 1.0


class Footage:
    """Pictures like filmed ones: textured surroundings under a moving camera, objects that cross, grain.

    Args:
        size: (width, height).
        seed: different seeds look entirely different, and so do the scenes of one seed.
    """

    def __init__(self, size: tuple[int, int], seed: int, scenes: Sequence[Scene]) -> None:
        self._size, self._seed, self._scenes = size, seed, list(scenes)
        self._starts = np.cumsum([0.0, *(scene.duration_s for scene in self._scenes)])
        self._shown: tuple[int, _Shot] | None = None
        grain = np.random.default_rng([seed, 99])
        self._grain = [grain.normal(0, 2.0, (size[1], size[0], 1)).astype(np.float32) for _ in range(5)]

    @property
    def cuts_s(self) -> list[float]:
        """Where a new shot starts, the first included."""
        return [float(start) for start in self._starts[:-1]]

    def at(self, time_s: float) -> np.ndarray:
        """The picture at a time: RGB uint8 (H, W, 3)."""
        number = int(np.clip(np.searchsorted(self._starts, time_s + 1e-6, side="right") - 1, 0, len(self._scenes) - 1))
        if self._shown is None or self._shown[0] != number:
            self._shown = (number, _Shot(self._size, (self._seed, number), self._scenes[number].motion))
        picture = self._shown[1].at(time_s - self._starts[number])
        picture += self._grain[round(time_s * 1000) % len(self._grain)]
        return np.clip(picture, 0, 255).astype(np.uint8)


class _Shot:
    def __init__(self, size: tuple[int, int], seed: tuple[int, int], motion: float) -> None:
        self._rng = rng = np.random.default_rng([*seed, 7])
        self._width, self._height = size
        self._motion = motion
        self._world = self._paint_world()
        self._camera = rng.uniform(0, 2 * np.pi, 4)
        self._pace = rng.uniform(0.25, 0.6, 4)
        self._light = rng.uniform(0.75, 1.1)
        self._actors = [self._paint_actor() for _ in range(3)]

    def _noise(self, height: int, width: int, coarsest: int) -> np.ndarray:
        """1/f noise, float32 (height, width, 1), about -1 to 1."""
        total = np.zeros((height, width), np.float32)
        cells, weight = coarsest, 1.0
        while cells < height:
            grid = self._rng.normal(0, 1, (cells, max(2, cells * width // height))).astype(np.float32)
            total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
            cells, weight = cells * 2, weight * 0.6
        return (total / 2)[..., None]

    def _paint_world(self) -> np.ndarray:
        rng, height, width = self._rng, int(self._height * 1.6), int(self._width * 1.6)
        base, other = rng.uniform(40, 215, 3), rng.uniform(-70, 70, 3)
        world = (base + other * self._noise(height, width, 3) + 28 * self._noise(height, width, 6)).astype(np.float32)
        for _ in range(36):
            colour = tuple(float(c) for c in rng.uniform(0, 255, 3))
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            extent = int(rng.uniform(0.03, 0.22) * height)
            kind = rng.integers(0, 3)
            if kind == 0:
                cv2.rectangle(world, (x, y), (x + extent, y + int(extent * rng.uniform(0.5, 2))), colour, -1)
            elif kind == 1:
                cv2.circle(world, (x, y), extent // 2, colour, -1)
            else:
                cv2.line(world, (x, y), (x + 2 * extent, int(y + rng.normal(0, extent))), colour, max(1, extent // 8))
        return np.clip(world + 12 * self._noise(height, width, 24), 0, 255)

    def _paint_actor(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng, side = self._rng, max(16, int(self._height * self._rng.uniform(0.25, 0.5)))
        skin = np.clip(rng.uniform(20, 235, 3) + 45 * self._noise(side, side, 3), 0, 255).astype(np.float32)
        mask = np.zeros((side, side), np.float32)
        corners = (side / 2 + side / 2.2 * rng.uniform(0.6, 1, (9, 1)) * _circle(9)).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1.0)
        return skin, mask, rng.uniform(-1, 1, 6)

    def at(self, time_s: float) -> np.ndarray:
        phase = self._camera + self._pace * time_s * self._motion
        zoom = 1.15 + 0.15 * np.sin(phase[2])
        reach = 0.5 * (1.6 - 1 / zoom)  # how far the view's centre may move, in picture sizes
        centre_x = self._width * (0.8 + reach * 0.9 * np.sin(phase[0]))
        centre_y = self._height * (0.8 + reach * 0.9 * np.sin(phase[1]))
        turn = cv2.getRotationMatrix2D((centre_x, centre_y), 3 * np.sin(phase[3]), zoom)
        turn[:, 2] += (self._width / 2 - centre_x, self._height / 2 - centre_y)
        picture = cv2.warpAffine(self._world, turn, (self._width, self._height), borderMode=cv2.BORDER_REFLECT)
        for skin, mask, path in self._actors:
            self._place(picture, skin, mask, path, time_s * self._motion)
        picture *= self._light * (1 + 0.05 * np.sin(0.7 * time_s * self._motion))
        return picture

    def _place(self, picture: np.ndarray, skin: np.ndarray, mask: np.ndarray, path: np.ndarray, when: float) -> None:
        x = self._width * (0.5 + 0.55 * np.sin(path[0] * when + 6 * path[1]))
        y = self._height * (0.5 + 0.45 * np.sin(path[2] * when + 6 * path[3]))
        move = cv2.getRotationMatrix2D((skin.shape[1] / 2, skin.shape[0] / 2), 40 * path[4] * when, 1 + 0.2 * path[5])
        move[:, 2] += (x - skin.shape[1] / 2, y - skin.shape[0] / 2)
        size = (self._width, self._height)
        covered = cv2.warpAffine(mask, move, size)[..., None]
        picture *= 1 - covered
        picture += covered * cv2.warpAffine(skin, move, size)


def _circle(points: int) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


# ---- the clock


def draw_clock(rgb: np.ndarray, time_s: float) -> np.ndarray:
    """The picture with its time as black and white cells along the bottom, in place."""
    units = round(time_s / CLOCK_UNIT_S)
    assert 0 <= units < 1 << _CLOCK_BITS, f"the clock can't show {time_s} s"
    code = units << _CHECK_BITS | _checksum(units)
    bits = [(code >> shift) & 1 for shift in range(_CLOCK_BITS + _CHECK_BITS - 1, -1, -1)]
    cells = np.array(bits, np.uint8).reshape(_CLOCK_ROWS, _CLOCK_COLUMNS) * 255
    top = round(rgb.shape[0] * (1 - _CLOCK_SHARE))
    strip = cv2.resize(cells, (rgb.shape[1], rgb.shape[0] - top), interpolation=cv2.INTER_NEAREST)
    rgb[top:] = strip[..., None]
    return rgb


def read_clock(rgb: np.ndarray) -> float:
    """The time that `draw_clock` put into the picture, to 0.1 ms.

    Raises:
        ValueError: the cells can't be read.
    """
    height, width = rgb.shape[:2]
    top = height * (1 - _CLOCK_SHARE)
    cell_height, cell_width = (height - top) / _CLOCK_ROWS, width / _CLOCK_COLUMNS
    code = 0
    for row in range(_CLOCK_ROWS):
        for column in range(_CLOCK_COLUMNS):
            y, x = int(top + (row + 0.5) * cell_height), int((column + 0.5) * cell_width)
            code = code << 1 | int(rgb[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean() > 127)
    units = code >> _CHECK_BITS
    if code & (1 << _CHECK_BITS) - 1 != _checksum(units):
        raise ValueError("the clock in this picture can't be read")
    return units * CLOCK_UNIT_S


def _checksum(units: int) -> int:
    return (units * 2654435761 >> 16) & (1 << _CHECK_BITS) - 1


# ---- files


def write_video(
    path: Path,
    times_s: Iterable[float],
    draw: Callable[[float], np.ndarray],
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    gop: int = 50,
    shift_s: float = 0.0,
    rotation: int = 0,
    audio_s: float = 0.0,
    cover: bytes | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    time_base: Fraction = Fraction(1, 90_000),
) -> Path:
    """A video of `draw(time)` at each time, in seconds, in any codec and container that FFmpeg writes.

    Args:
        shift_s: added to every presentation time on its way into the file, while `draw` sees the time as given: a
            negative shift cuts the start off by an edit list, where the container has them.
        rotation: 90, 180 or 270: the pictures are stored turned, with metadata that tells players to turn them back
            counter-clockwise by so many degrees.
        audio_s: length of a tone in a second stream that starts at 0.
        cover: a JPEG attached as cover picture.
    """
    times = list(times_s)
    if codec in ("mpeg2video", "mpeg4"):
        time_base = Fraction(1, 25)  # these know few frame rates: `times_s` must lie on it
    with av.open(str(path), "w", format=container, container_options=container_options or {}) as output:
        cover_stream = _add_cover(output, cover) if cover is not None else None
        stream = output.add_stream(
            codec, rate=_nominal_rate(times), options=_ENCODER_OPTIONS.get(codec, {}) | (options or {})
        )
        turned = np.rot90(draw(times[0]), -rotation // 90)
        stream.width, stream.height, stream.pix_fmt = turned.shape[1], turned.shape[0], pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        sound = output.add_stream("aac" if path.suffix != ".webm" else "libopus", rate=48_000) if audio_s else None
        if cover_stream is not None:
            packet = av.Packet(cover)
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover_stream, 0, 0, True
            output.start_encoding()
            output.mux(packet)
        tone = _tone(audio_s, 1024 if path.suffix == ".ts" else 0) if sound else iter(())
        heard = 0.0
        for time_s in times:
            while sound and heard <= time_s and (block := next(tone, None)) is not None:
                output.mux(sound.encode(block))
                heard = block.pts / 48_000
            turned = np.ascontiguousarray(np.rot90(draw(time_s), -rotation // 90))
            frame = av.VideoFrame.from_ndarray(turned, "rgb24")
            frame.pts, frame.time_base = round((time_s + shift_s) / time_base), time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound:
            for block in tone:
                output.mux(sound.encode(block))
            output.mux(sound.encode(None))
    return path


def _nominal_rate(times: list[float]) -> Fraction:
    if len(times) < 2 or times[-1] <= times[0]:
        return Fraction(25)
    return Fraction((len(times) - 1) / (times[-1] - times[0])).limit_denominator(1001)


def _add_cover(output: av.container.OutputContainer, jpeg: bytes) -> av.VideoStream | None:
    if "matroska" in output.format.name:
        output.add_attachment("cover.jpg", "image/jpeg", jpeg)
        return None
    stream = output.add_stream("mjpeg", rate=1)
    stream.height, stream.width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    stream.pix_fmt = "yuvj420p"
    stream.disposition = Disposition.attached_pic
    return stream


def _tone(duration_s: float, late: int = 0) -> Iterable[av.AudioFrame]:
    """Sound, its first sample `late` samples after 0 (an encoder's priming then doesn't shift the whole file)."""
    block = 960
    for start in range(0, round(duration_s * 48_000), block):
        wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(start, start + block) / 48_000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start + late, Fraction(1, 48_000)
        yield frame


def even_times(duration_s: float, fps: float) -> list[float]:
    """Presentation times at a constant frame rate."""
    return [number / fps for number in range(max(1, round(duration_s * fps)))]


def uneven_times(duration_s: float, seed: int = 0) -> list[float]:
    """Presentation times at a rate that varies between 5 and 60 frames a second, in whole milliseconds."""
    rng = np.random.default_rng(seed)
    times = [0.0]
    while times[-1] < duration_s:
        times.append(round(times[-1] + rng.choice([0.017, 0.033, 0.04, 0.1, 0.2]), 3))
    return times[:-1]


def draw_video(
    path: Path,
    *,
    duration_s: float = 6.0,
    fps: float = 25,
    size: tuple[int, int] = (320, 180),
    seed: int = 0,
    codec: str = "libx264",
    scenes: int | Sequence[Scene] = 2,
    motion: float = 1.0,
    clock: bool = False,
    times_s: Sequence[float] | None = None,
    **written: object,
) -> Path:
    """A small video that looks like footage; different seeds show different things.

    Args:
        size: (width, height).
        codec: FFmpeg encoder: libx264, libx265, libvpx, libvpx-vp9, libsvtav1, mpeg2video, ...; the suffix of `path`
            names the container.
        scenes: how many shots of equal length, or the shots themselves.
        clock: whether each frame carries its time along the bottom edge (see `read_clock`).
        times_s: presentation times instead of an even `fps`.
        written: passed on to `write_video`.
    """
    if isinstance(scenes, int):
        scenes = [Scene(duration_s / scenes, motion)] * scenes
    footage = Footage(size, seed, scenes)

    def draw(time_s: float) -> np.ndarray:
        return draw_clock(footage.at(time_s), time_s) if clock else footage.at(time_s)

    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, even_times(duration_s, fps) if times_s is None else times_s, draw, codec=codec, **written)


def write_audio(path: Path, duration_s: float = 2.0) -> Path:
    """A file with a tone and no picture."""
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=48_000)
        for block in _tone(duration_s):
            output.mux(sound.encode(block))
        output.mux(sound.encode(None))
    return path


def truncate(path: Path, share: float) -> Path:
    """Cut the file off after this share of its bytes, in place."""
    with path.open("rb+") as file:
        file.truncate(int(path.stat().st_size * share))
    return path
