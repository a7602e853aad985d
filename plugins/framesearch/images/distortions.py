"""What screenshots go through before somebody searches with them: the judge's 21 transforms.

Each takes an RGB uint8 (H, W, 3) picture and a generator, and gives an RGB uint8 picture of any size; the same
generator state gives the same picture. Training draws its views with code and seeds of its own, so that a model is
never judged on what it was taught. The list follows what users of such systems send and what the literature finds
hard (image similarity challenge ISC2021, https://arxiv.org/abs/2106.09672).
"""

import zlib
from collections.abc import Callable

import cv2
import numpy as np

from framesearch.images.pixels import decode_jpeg, encode_jpeg

Distortion = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_TEXTS = ("WHEN YOU SEE IT", "me every monday", "WAIT FOR IT...", "Nobody: ", "[music playing]", "I can't believe this")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)


def distorted(rgb: np.ndarray, name: str, key: str) -> np.ndarray:
    """The picture under the transform `name`, its randomness fixed by `key` (say, the frame it is of)."""
    return DISTORTIONS[name](rgb, np.random.default_rng(zlib.crc32(f"{name}|{key}".encode())))


def _none(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rgb


def _jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    return decode_jpeg(encode_jpeg(rgb, quality))


def _jpeg30(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _jpeg(rgb, 30)


def _half_size(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = rgb.shape[:2]
    return cv2.resize(rgb, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)


def _crop(side: float) -> Distortion:
    def crop(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = rgb.shape[:2]
        h, w = max(1, round(height * side)), max(1, round(width * side))
        top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        return rgb[top : top + h, left : left + w].copy()

    return crop


def _mirror(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rgb[:, ::-1].copy()


def _bars(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Letterbox or pillarbox, black as a rule."""
    height, width = rgb.shape[:2]
    share = rng.uniform(0.1, 0.3)
    colour = [0, 0, 0] if rng.random() < 0.8 else [int(v) for v in rng.integers(0, 256, 3)]
    rows, columns = (round(height * share), 0) if rng.random() < 0.5 else (0, round(width * share))
    return cv2.copyMakeBorder(rgb, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=colour)


def _colour(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A filter app: hue, saturation, contrast, brightness, warmth."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-12, 12)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.5, 1.7), 0, 255)
    x = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    filtered = (x - 128) * rng.uniform(0.65, 1.4) + 128 + rng.uniform(-35, 35) + rng.uniform(-15, 15, 3)
    return np.clip(filtered, 0, 255).astype(np.uint8)


def _grey(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _blur(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0.006, 0.016) * rgb.shape[0]
    if rng.random() < 0.5:
        return cv2.GaussianBlur(rgb, (0, 0), sigma)
    length = max(3, round(4 * sigma))  # a shaken camera
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach, middle = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)]), (length - 1) / 2
    start, end = np.round(middle - reach).astype(int).tolist(), np.round(middle + reach).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(rgb, -1, kernel / kernel.sum())


def _noise(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(rgb + rng.normal(0, rng.uniform(10, 28), rgb.shape), 0, 255).astype(np.uint8)


def _rotation(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """5 to 15 degrees either way; the corners fall outside, what was outside is black."""
    height, width = rgb.shape[:2]
    degrees = rng.uniform(5, 15) * rng.choice([-1, 1])
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(rgb, turn, (width, height))


def _squash(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The wrong aspect: 16:9 shown as 4:3, or the other way round, and beyond."""
    factor = rng.uniform(1.2, 1.5)
    fx, fy = (factor, 1.0) if rng.random() < 0.5 else (1.0, factor)
    return cv2.resize(rgb, None, fx=fx, fy=fy, interpolation=cv2.INTER_LINEAR)


def _caption(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Text in the picture (subtitle, meme), or on a white band above it."""
    text, font = str(rng.choice(_TEXTS)), int(rng.choice(_FONTS))
    out, height, width = rgb.copy(), rgb.shape[0], rgb.shape[1]
    if rng.random() < 0.35:
        band = max(8, round(height * rng.uniform(0.15, 0.3)))
        out = cv2.copyMakeBorder(out, band, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        _write(out, text, font, band * 0.7, 0.9 * width, (0, 0, 0), outline=False)
        return out
    _write(out, text, font, height * rng.uniform(0.85, 0.95), 0.95 * width, (255, 255, 255), outline=True)
    if rng.random() < 0.5:
        _write(out, str(rng.choice(_TEXTS)).upper(), font, height * 0.16, 0.9 * width, (255, 255, 255), outline=True)
    return out


def _write(
    rgb: np.ndarray, text: str, font: int, baseline: float, width: float, ink: tuple[int, int, int], *, outline: bool
) -> None:
    """Centred text of this width, into the picture."""
    scale = width / max(1, cv2.getTextSize(text, font, 1.0, 1)[0][0])
    thickness = max(1, round(1.6 * scale))
    drawn = cv2.getTextSize(text, font, scale, thickness)[0][0]
    at = (round((rgb.shape[1] - drawn) / 2), round(baseline))
    if outline:
        cv2.putText(rgb, text, at, font, scale, (0, 0, 0), 3 * thickness, cv2.LINE_AA)
    cv2.putText(rgb, text, at, font, scale, ink, thickness, cv2.LINE_AA)


def _emoji(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three yellow faces, each a tenth to a quarter of the height in radius."""
    out, height, width = rgb.copy(), rgb.shape[0], rgb.shape[1]
    for _ in range(int(rng.integers(1, 4))):
        radius = max(2, round(height * rng.uniform(0.1, 0.22)))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        cv2.circle(out, (x, y), radius, (255, 204, 50), -1, cv2.LINE_AA)
        for side in (-1, 1):
            cv2.circle(out, (x + side * radius * 2 // 5, y - radius // 4), max(1, radius // 7), (60, 40, 10), -1)
        cv2.ellipse(out, (x, y), (radius * 3 // 5, radius // 2), 0, 20, 160, (90, 50, 10), max(1, radius // 8))
    return out


def _player(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A player's controls over the lower part, and often its large play button."""
    out, height, width = rgb.copy(), rgb.shape[0], rgb.shape[1]
    top = round(height * rng.uniform(0.78, 0.86))
    shade = np.linspace(0.9, 0.25, height - top, dtype=np.float32)[:, None, None]
    out[top:] = (out[top:] * shade).astype(np.uint8)
    y, left, right = round(top + (height - top) * 0.45), round(width * 0.02), round(width * 0.98)
    played = round(left + (right - left) * rng.uniform(0.05, 0.95))
    thick = max(1, height // 90)
    cv2.line(out, (left, y), (right, y), (150, 150, 150), thick)
    cv2.line(out, (left, y), (played, y), (230, 20, 20), thick)
    cv2.circle(out, (played, y), 2 * thick, (230, 20, 20), -1, cv2.LINE_AA)
    clock = f"{rng.integers(0, 60)}:{rng.integers(0, 60):02} / {rng.integers(60, 99)}:{rng.integers(0, 60):02}"
    at = (left + round(width * 0.05), round(height * 0.98))
    cv2.putText(out, clock, at, cv2.FONT_HERSHEY_SIMPLEX, height / 500, (240, 240, 240), 1, cv2.LINE_AA)
    if rng.random() < 0.6:
        centre, radius = np.array([width // 2, height // 2]), height * 0.12
        cv2.circle(out, centre.tolist(), round(radius), (30, 30, 30), -1, cv2.LINE_AA)
        triangle = centre + np.array([[-0.35, -0.5], [-0.35, 0.5], [0.55, 0]]) * radius
        cv2.fillPoly(out, [triangle.astype(np.int32)], (255, 255, 255), cv2.LINE_AA)
    return out


def _page(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A screenshot of the whole page around the player: address bar, title, comments, a column of other videos."""
    height, width = rgb.shape[:2]
    dark = rng.random() < 0.5
    paper, ink = ((18, 18, 18), (200, 200, 200)) if dark else ((250, 250, 250), (60, 60, 60))
    share = rng.uniform(0.5, 0.75)  # of the page's width that the player takes
    page_width, page_height = round(width / share), round(height / share * rng.uniform(1.0, 1.15))
    page = np.full((page_height, page_width, 3), paper, np.uint8)
    bar = round(page_height * rng.uniform(0.08, 0.13))
    page[:bar] = (45, 45, 50) if dark else (225, 225, 230)
    cv2.rectangle(page, (page_width // 10, bar // 3), (page_width * 8 // 10, bar * 3 // 4), paper, -1)
    left, top = round(page_width * rng.uniform(0.02, 0.06)), bar + round(page_height * 0.03)
    for row in range(6):  # the column of other videos, each a coloured thumbnail and two lines of text
        y = top + row * page_height // 6
        x = left + width + round(page_width * 0.02)
        colour = [int(v) for v in rng.integers(20, 230, 3)]
        cv2.rectangle(page, (x, y), (x + page_width // 9, y + page_height // 9), colour, -1)
        for line in range(2):
            at = (x + page_width // 8, y + (line + 1) * page_height // 26)
            end = (at[0] + int(rng.integers(page_width // 20, page_width // 7 + 1)), at[1])
            cv2.line(page, at, end, ink, max(1, page_height // 110))
    for line in range(8):  # title and comments below the player
        y = top + height + (line + 1) * page_height // 18
        end = left + int(rng.integers(width // 3, width + 1))
        cv2.line(page, (left, y), (end, y), ink, max(1, page_height // 90))
    visible = min(height, page_height - top), min(width, page_width - left)
    page[top : top + visible[0], left : left + visible[1]] = rgb[: visible[0], : visible[1]]
    return page


def _phone(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A phone's photo of a screen: perspective, the dark room around, moiré, glare, a cast, blur, noise, JPEG."""
    height, width = rgb.shape[:2]
    margin = rng.uniform(0.03, 0.12)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inner = corners * (1 - 2 * margin) + margin * np.array([width, height], np.float32)
    jitter = rng.uniform(-0.05, 0.05, (4, 2)) * np.array([width, height])
    warp = cv2.getPerspectiveTransform(corners, (inner + jitter).astype(np.float32))
    room = np.full((height, width, 3), rng.integers(10, 70, 3), np.uint8)
    x = cv2.warpPerspective(rgb, warp, (width, height), dst=room, borderMode=cv2.BORDER_TRANSPARENT).astype(np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    direction, period = rng.uniform(0, np.pi), rng.uniform(2.5, 6.0)
    waves = np.sin((rows * np.sin(direction) + columns * np.cos(direction)) * 2 * np.pi / period)
    x *= 1 + rng.uniform(0.02, 0.08) * waves[..., None]
    spot = np.array([rng.uniform(0, height), rng.uniform(0, width)])
    distance = ((rows - spot[0]) ** 2 + (columns - spot[1]) ** 2) / (0.2 * height) ** 2
    x += rng.uniform(20, 90) * np.exp(-distance)[..., None]
    x *= rng.uniform(0.85, 1.1, 3) * rng.uniform(0.75, 1.1)
    photo = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.0)) + rng.normal(0, rng.uniform(2, 8), x.shape)
    return _jpeg(np.clip(photo, 0, 255).astype(np.uint8), int(rng.integers(40, 80)))


def _combined(count: int) -> Distortion:
    """Several transforms, one of each group, in the order in which they happen to a picture."""

    def combined(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        groups = (
            (_crop(0.8), _crop(0.65), _mirror, _rotation, _squash),
            (_colour, _grey, _noise, _blur),
            (_caption, _emoji, _player, _bars),
            (_jpeg30, _half_size),
        )
        for group in sorted(rng.choice(len(groups), count, replace=False)):
            members = groups[group]
            rgb = members[int(rng.integers(len(members)))](rgb, rng)
        return rgb

    return combined


DISTORTIONS: dict[str, Distortion] = {
    "none": _none,
    "jpeg30": _jpeg30,
    "half_size": _half_size,
    "crop80": _crop(0.8),
    "crop65": _crop(0.65),
    "crop50": _crop(0.5),
    "mirror": _mirror,
    "bars": _bars,
    "colour": _colour,
    "grey": _grey,
    "blur": _blur,
    "noise": _noise,
    "rotation": _rotation,
    "squash": _squash,
    "caption": _caption,
    "emoji": _emoji,
    "player": _player,
    "page": _page,
    "phone": _phone,
    "two": _combined(2),
    "three": _combined(3),
}
"""The transforms by name, easy to hard as people meet them; names are stable: metrics are kept under them."""
