"""The benchmark's own 21 transforms: the kinds that framesearch's gate judges, drawn independently.

Training augments with `training.fitting.augment`, the gate and the calibration distort with
`framesearch.images.distortions`.
What is judged here shares neither code nor parameters, fonts, layouts and seeds with them, so that nothing is measured
on what it was fitted to. Each takes RGB uint8 (H, W, 3) and a generator, and gives RGB uint8 of any size.
"""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.accuracy.queries import Transform

Colour = tuple[int, int, int]

_WORDS = (
    "so this happened today and nobody will believe what came after the first minute of it really look at that face "
    "part two is out now subscribe before the end who remembers when we all thought it was over yesterday in the news "
    "the best scene ever made full story below link first comment wins episode seven directed by night of the river"
).split()
_FONTS = ("DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans.ttf")  # matplotlib brings them


# ---- what several use


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def _some_font(rng: np.random.Generator, size: float) -> ImageFont.FreeTypeFont:
    return _font(_FONTS[int(rng.integers(len(_FONTS)))], max(6, round(size)))


def _sentence(rng: np.random.Generator, words: int) -> str:
    start = int(rng.integers(0, len(_WORDS) - words))
    return " ".join(_WORDS[start : start + words])


def _colour_between(rng: np.random.Generator, low: int, high: int) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(low, high + 1, 3))
    return red, green, blue


def _resized(rgb: np.ndarray, width: float, height: float) -> np.ndarray:
    size = max(2, round(width)), max(2, round(height))
    shrinks = size[0] * size[1] < rgb.shape[0] * rgb.shape[1]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def as_jpeg(rgb: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG of this quality, colours at half resolution."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file).convert("RGB"))


def _foreign_picture(rng: np.random.Generator, width: float, height: float) -> np.ndarray:
    """A thumbnail of something else: soft shapes in some colours."""
    coarse = rng.integers(0, 256, (int(rng.integers(2, 6)), int(rng.integers(3, 8)), 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (max(2, round(width)), max(2, round(height))), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(1, 4))):
        centre = int(rng.integers(0, picture.shape[1])), int(rng.integers(0, picture.shape[0]))
        axes = int(rng.integers(2, picture.shape[1] // 2 + 3)), int(rng.integers(2, picture.shape[0] // 2 + 3))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, _colour_between(rng, 0, 255), -1)
    return picture


def _paste(page: np.ndarray, rgb: np.ndarray, left: float, top: float) -> None:
    """Put a picture onto a page, as far as it reaches."""
    x, y = round(left), round(top)
    height, width = max(0, min(rgb.shape[0], page.shape[0] - y)), max(0, min(rgb.shape[1], page.shape[1] - x))
    page[y : y + height, x : x + width] = rgb[:height, :width]


# ---- compression, size, parts


def _none(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rgb


def _jpeg30(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return as_jpeg(rgb, int(rng.integers(25, 36)))


def _half_size(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.4, 0.6)
    size = max(2, round(rgb.shape[1] * share)), max(2, round(rgb.shape[0] * share))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def crop(side: float, uneven: float = 1.08) -> Transform:
    """A part of the picture somewhere in it, `side` of each side on (geometric) average, its aspect a little off."""

    def cropped(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = rgb.shape[:2]
        aspect = float(np.exp(rng.uniform(-1, 1) * np.log(min(uneven, 1 / side))))
        h, w = max(2, round(height * side * aspect)), max(2, round(width * side / aspect))
        top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        return rgb[top : top + h, left : left + w]

    return cropped


def _mirror(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return as_jpeg(np.ascontiguousarray(rgb[:, ::-1]), int(rng.integers(70, 90)))


def _bars(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fitted into another format: black, dark, white, or the picture itself, enlarged and blurred, around it."""
    height, width = rgb.shape[:2]
    aspect = float(rng.choice([1.0, 4 / 3, 4 / 5, 21 / 9, 3 / 4, 2.0, 16 / 9]))
    if abs(aspect * height / width - 1) < 0.12:
        aspect = 1.0 if width > height else 16 / 9
    page_width, page_height = (width, round(width / aspect)) if aspect < width / height else (height * aspect, height)
    page_width = round(page_width)
    if rng.random() < 0.2:
        zoom = max(page_width / width, page_height / height)
        wide = _resized(rgb, width * zoom + 1, height * zoom + 1)
        top, left = (wide.shape[0] - page_height) // 2, (wide.shape[1] - page_width) // 2
        page = cv2.GaussianBlur(wide[top : top + page_height, left : left + page_width], (0, 0), 0.04 * page_height)
        page = (page * rng.uniform(0.5, 0.9)).astype(np.uint8)
    else:
        levels = [(0, 0, 0), (16, 16, 16), (40, 40, 44), (255, 255, 255)]
        page = np.full((page_height, page_width, 3), levels[int(rng.choice(4, p=[0.6, 0.15, 0.1, 0.15]))], np.uint8)
    _paste(page, rgb, (page_width - width) // 2, (page_height - height) // 2)
    return page


# ---- light


def _colour(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo filter: a tone curve for each channel, more or less colour, a wash of one tint."""
    levels = np.linspace(0, 1, 256)
    common, lift = rng.uniform(0.65, 1.5), rng.uniform(-0.06, 0.12)
    out = np.empty_like(rgb)
    for channel in range(3):
        curve = np.clip(levels ** (common * rng.uniform(0.85, 1.18)) * (1 - abs(lift)) + max(0, lift), 0, 1)
        out[..., channel] = cv2.LUT(rgb[..., channel], (curve * 255).astype(np.uint8))
    grey = cv2.cvtColor(out, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    mixed = grey + (out - grey) * rng.uniform(0.35, 1.8)
    tint = np.array(_colour_between(rng, 0, 255), np.float32)
    wash = rng.uniform(0, 0.18)
    return np.clip(mixed * (1 - wash) + tint * wash, 0, 255).astype(np.uint8)


def _grey(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black and white with the channels mixed anyhow; now and then sepia."""
    weights = rng.dirichlet([3, 5, 2]).astype(np.float32)
    grey = np.clip((rgb.astype(np.float32) @ weights - 128) * rng.uniform(0.85, 1.2) + 128, 0, 255)[..., None]
    ink = np.array([1.06, 0.95, 0.78] if rng.random() < 0.25 else [1, 1, 1], np.float32)
    return np.clip(grey * ink, 0, 255).astype(np.uint8)


def blur(share: float) -> Transform:
    """Out of focus: a disc of this radius, as a share of the height."""

    def blurred(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        radius = max(1, round(share * rgb.shape[0]))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.float32)
        return cv2.filter2D(rgb, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)

    return blurred


def _blur(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or scaled down far and up again."""
    if rng.random() < 0.6:
        return blur(rng.uniform(0.008, 0.02))(rgb, rng)
    height, width = rgb.shape[:2]
    rows = rng.uniform(40, 80)
    return _resized(_resized(rgb, width * rows / height, rows), width, height)


def _noise(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Film grain of some size, a weak sensor's coloured noise, or dead pixels."""
    height, width = rgb.shape[:2]
    kind = rng.random()
    if kind < 0.4:
        grain = rng.normal(0, rng.uniform(14, 30), (height // 2 + 1, width // 2 + 1)).astype(np.float32)
        noisy = rgb + cv2.resize(grain, (width, height))[..., None]
    elif kind < 0.8:
        photons = rng.uniform(8, 30)  # at full brightness
        noisy = rng.poisson(rgb.astype(np.float32) / 255 * photons) / photons * 255.0
    else:
        hit = rng.random((height, width, 1)) < rng.uniform(0.02, 0.08)
        noisy = np.where(hit, rng.integers(0, 2, (height, width, 1)) * 255, rgb)
    return np.clip(noisy, 0, 255).astype(np.uint8)


# ---- shape


def turned(degrees: float) -> Transform:
    """Turned either way, the page grown to hold all of it or cut to where there is picture, whichever comes."""

    def turn(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = rgb.shape[:2]
        angle = degrees * (1 if rng.random() < 0.5 else -1)
        radians = np.deg2rad(abs(angle))
        if rng.random() < 0.5 and abs(angle) < 30:  # straightened by somebody: only the inner part stays
            page_width, page_height = _inscribed(width, height, radians)
        else:
            page_width = round(width * np.cos(radians) + height * np.sin(radians))
            page_height = round(width * np.sin(radians) + height * np.cos(radians))
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        matrix[:, 2] += (page_width - width) / 2, (page_height - height) / 2
        outside = _colour_between(rng, 0, 255) if rng.random() < 0.3 else ((255, 255, 255) if rng.random() < 0.5 else 0)
        fill = outside if outside else (0, 0, 0)
        return cv2.warpAffine(rgb, matrix, (page_width, page_height), flags=cv2.INTER_CUBIC, borderValue=fill)

    return turn


def _inscribed(width: int, height: int, radians: float) -> tuple[int, int]:
    """The largest upright part of the same aspect within a turned picture."""
    shrink = min(
        width / (width * np.cos(radians) + height * np.sin(radians)),
        height / (width * np.sin(radians) + height * np.cos(radians)),
    )
    return max(2, int(width * shrink)), max(2, int(height * shrink))


def _rotation(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return turned(float(rng.uniform(5, 15)))(rgb, rng)


def _squash(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretched to another screen's format."""
    stretch = float(np.exp(rng.uniform(np.log(1.2), np.log(1.6))))
    height, width = rgb.shape[:2]
    return _resized(rgb, width, height * stretch) if rng.random() < 0.5 else _resized(rgb, width / stretch, height)


# ---- over the picture


def _caption(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Subtitles in a box, a band with a text, a watermark, or a name in a corner."""
    height, width = rgb.shape[:2]
    kind = rng.random()
    if kind < 0.3:  # a band below or above
        band = round(height * rng.uniform(0.12, 0.28))
        dark = rng.random() < 0.5
        rows = (band, 0) if rng.random() < 0.5 else (0, band)
        paper, ink = ((12, 12, 12), (235, 235, 235)) if dark else ((245, 243, 238), (20, 20, 20))
        page = Image.fromarray(cv2.copyMakeBorder(rgb, *rows, 0, 0, cv2.BORDER_CONSTANT, value=paper))
        font = _some_font(rng, band * 0.32)
        y = band * 0.12 if rows[0] else height + band * 0.12
        text = f"{_sentence(rng, 6)}\n{_sentence(rng, 5)}"
        ImageDraw.Draw(page).multiline_text((width * rng.uniform(0.02, 0.1), y), text, ink, font)
        return np.asarray(page)
    page = Image.fromarray(rgb).convert("RGBA")
    layer = Image.new("RGBA", page.size)
    draw = ImageDraw.Draw(layer)
    if kind < 0.65:  # subtitles
        font = _some_font(rng, height * rng.uniform(0.05, 0.085))
        text = _sentence(rng, int(rng.integers(4, 8)))
        text = text if rng.random() < 0.5 else f"{text}\n{_sentence(rng, 5)}"
        left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font, align="center")
        x, y = (width - (right - left)) / 2, height * rng.uniform(0.9, 0.96) - (bottom - top)
        if rng.random() < 0.6:
            draw.rectangle((x - 6, y - 4, x + right - left + 6, y + bottom - top + 10), (0, 0, 0, 190))
        yellow = rng.random() < 0.4
        draw.multiline_text((x, y), text, (250, 225, 60, 255) if yellow else (255, 255, 255, 255), font, align="center")
    elif kind < 0.85:  # a meme's two lines
        for y in (0.03, 0.8):
            font = _font("DejaVuSans-Bold.ttf", max(8, round(height * rng.uniform(0.09, 0.14))))
            text = _sentence(rng, 3).upper()
            x = (width - draw.textlength(text, font)) / 2
            draw.text((x, height * y), text, (255, 255, 255, 255), font, stroke_width=max(1, height // 120),
                      stroke_fill=(0, 0, 0, 255))  # fmt: skip
    else:  # a watermark across
        font = _some_font(rng, height * rng.uniform(0.1, 0.16))
        draw.text((width * 0.08, height * 0.42), _sentence(rng, 3), (255, 255, 255, int(rng.integers(70, 140))), font)
        layer = layer.rotate(float(rng.uniform(-25, 25)))
    return np.asarray(Image.alpha_composite(page, layer).convert("RGB"))


def _emoji(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to four stickers: hearts, stars, faces, speech bubbles."""
    height, width = rgb.shape[:2]
    page = Image.fromarray(rgb)
    draw = ImageDraw.Draw(page)
    for _ in range(int(rng.integers(1, 5))):
        r = height * rng.uniform(0.07, 0.2)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        ink = [(226, 38, 60), (255, 170, 20), (60, 150, 240), (255, 255, 255), (150, 60, 200)][int(rng.integers(5))]
        kind = int(rng.integers(4))
        if kind == 0:
            draw.ellipse((x - r, y - r, x + 0.05 * r, y + 0.05 * r), ink)
            draw.ellipse((x - 0.05 * r, y - r, x + r, y + 0.05 * r), ink)
            draw.polygon([(x - 0.93 * r, y - 0.2 * r), (x + 0.93 * r, y - 0.2 * r), (x, y + r)], ink)
        elif kind == 1:
            turn = rng.uniform(0, 2 * np.pi)
            reach = [r if point % 2 else 0.42 * r for point in range(10)]
            angles = turn + np.arange(10) * np.pi / 5
            draw.polygon([(x + d * np.cos(a), y + d * np.sin(a)) for d, a in zip(reach, angles, strict=True)], ink)
        elif kind == 2:
            draw.ellipse((x - r, y - r, x + r, y + r), (250, 190, 70), (120, 70, 0), max(1, round(r / 12)))
            draw.arc((x - 0.6 * r, y - 0.7 * r, x - 0.1 * r, y - 0.1 * r), 180, 360, (40, 20, 0), max(1, round(r / 9)))
            draw.arc((x + 0.1 * r, y - 0.7 * r, x + 0.6 * r, y - 0.1 * r), 180, 360, (40, 20, 0), max(1, round(r / 9)))
            draw.chord((x - 0.6 * r, y - 0.3 * r, x + 0.6 * r, y + 0.7 * r), 0, 180, (110, 10, 20))
        else:
            draw.rounded_rectangle((x - 1.5 * r, y - 0.7 * r, x + 1.5 * r, y + 0.6 * r), 0.3 * r, (255, 255, 255))
            draw.polygon([(x - r, y + 0.5 * r), (x - 0.5 * r, y + 0.5 * r), (x - 1.1 * r, y + 1.1 * r)], (255,) * 3)
            draw.text((x - 1.2 * r, y - 0.4 * r), _sentence(rng, 2), (20, 20, 20), _some_font(rng, 0.5 * r))
    return np.asarray(page)


def _player(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A paused player: title above, bar, buttons and time below, sometimes a great symbol, a preview, a solid strip."""
    height, width = rgb.shape[:2]
    out = rgb.astype(np.float32)
    reach = round(height * rng.uniform(0.14, 0.26))
    out[-reach:] *= np.linspace(1, rng.uniform(0.15, 0.4), reach)[:, None, None]
    out[:reach] *= np.linspace(rng.uniform(0.3, 0.6), 1, reach)[:, None, None]
    page = Image.fromarray(out.astype(np.uint8))
    draw = ImageDraw.Draw(page)
    unit = height / 100
    if rng.random() < 0.7:
        draw.text((3 * unit, 2.5 * unit), _sentence(rng, 6).title(), (240, 240, 240), _some_font(rng, 4.5 * unit))
    accent = [(0, 160, 230), (230, 80, 10), (90, 200, 90), (240, 240, 240)][int(rng.integers(4))]
    bar, played = height - rng.uniform(9, 14) * unit, width * rng.uniform(0.08, 0.92)
    draw.rectangle((3 * unit, bar, width - 3 * unit, bar + unit), (120, 120, 120))
    draw.rectangle((3 * unit, bar, played, bar + unit), accent)
    for number in range(3):
        x = (4 + 8 * number) * unit
        draw.polygon([(x, bar + 3 * unit), (x, bar + 7 * unit), (x + 4 * unit, bar + 5 * unit)], (235, 235, 235))
    clock = f"{rng.integers(0, 3)}:{rng.integers(0, 60):02}:{rng.integers(0, 60):02} / 3:0{rng.integers(0, 9)}:11"
    draw.text((width - 34 * unit, bar + 3 * unit), clock, (230, 230, 230), _some_font(rng, 4 * unit))
    centre, great = (width / 2, height / 2), rng.random()
    if great < 0.35:  # pause
        for side in (-1, 1):
            x = centre[0] + side * 5 * unit
            draw.rectangle((x - 2.5 * unit, centre[1] - 9 * unit, x + 2.5 * unit, centre[1] + 9 * unit), (245,) * 3)
    elif great < 0.6:  # a ring that turns
        box = (centre[0] - 9 * unit, centre[1] - 9 * unit, centre[0] + 9 * unit, centre[1] + 9 * unit)
        draw.arc(box, float(rng.uniform(0, 360)), float(rng.uniform(360, 640)), (255,) * 3, max(1, round(1.5 * unit)))
    result = np.array(page)
    if rng.random() < 0.25:  # a preview over the bar
        preview = _foreign_picture(rng, 28 * unit, 16 * unit)
        _paste(result, preview, min(max(0.0, played - 14 * unit), width - 29 * unit), bar - 18 * unit)
    return result


# ---- the picture within another


def page(share: float) -> Transform:
    """A screenshot of a page of whose width the picture takes this share."""

    def shot(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        layout = (_video_site, _post, _article)[int(rng.choice(3, p=[0.45, 0.35, 0.2]))]
        return layout(rgb, share, rng)

    return shot


def _sheet(width: float, height: float, paper: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("RGB", (max(8, round(width)), max(8, round(height))), paper)
    return sheet, ImageDraw.Draw(sheet)


def _palette(rng: np.random.Generator) -> tuple[Colour, Colour, Colour]:
    """Paper, ink, and what lies between."""
    return [
        ((15, 15, 17), (225, 225, 225), (48, 48, 52)),
        ((255, 255, 255), (25, 25, 25), (228, 230, 234)),
        ((21, 32, 43), (230, 235, 240), (45, 58, 70)),
        ((246, 241, 231), (50, 40, 30), (222, 212, 196)),
    ][int(rng.integers(4))]


def _video_site(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A header, a menu on the left, the player, its title and comments below, a wall of other videos."""
    height, width = rgb.shape[:2]
    paper, ink, between = _palette(rng)
    page_width, page_height = width / share, max(height / share, height * 1.25) * rng.uniform(0.85, 1.05)
    sheet, draw = _sheet(page_width, page_height, paper)
    unit = page_width / 100
    head = rng.uniform(4, 7) * unit
    draw.rectangle((0, 0, page_width, head), between)
    draw.rounded_rectangle((30 * unit, 0.2 * head, 68 * unit, 0.8 * head), 0.3 * head, paper)
    draw.text((2 * unit, 0.2 * head), "videobox", _colour_between(rng, 90, 255), _some_font(rng, 0.5 * head))
    free = 1 - share
    left = page_width * free * rng.uniform(0.1, 0.6)
    top = head + rng.uniform(1, 4) * unit
    for line in range(9):
        y = top + line * 4 * unit
        if left > 8 * unit:
            draw.text((unit, y), _sentence(rng, 1), ink, _some_font(rng, 1.6 * unit))
    right = left + width + 2 * unit
    font = _some_font(rng, 1.5 * unit)
    others: list[tuple[np.ndarray, float, float]] = []
    y = top
    while y < page_height and page_width - right > 6 * unit:
        wide = min(14 * unit, page_width - right - unit)
        others.append((_foreign_picture(rng, wide, wide * 9 / 16), right, y))
        draw.text((right, y + wide * 9 / 16 + 0.3 * unit), _sentence(rng, 4), ink, font)
        y += wide * 9 / 16 + 4.5 * unit
    below = top + height + unit
    draw.text((left, below), _sentence(rng, 7).capitalize(), ink, _some_font(rng, 2.4 * unit))
    y = below + 5 * unit
    while y < page_height:
        draw.ellipse((left, y, left + 3 * unit, y + 3 * unit), _colour_between(rng, 40, 220))
        draw.text((left + 4 * unit, y), _sentence(rng, int(rng.integers(5, 14))), ink, font)
        y += rng.uniform(4, 6) * unit
    out = np.array(sheet)
    for thumb, x, at in others:
        _paste(out, thumb, x, at)
    _paste(out, rgb, left, top)
    return out


def _post(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A post in somebody's feed: name and words above, the picture with round corners, symbols below."""
    height, width = rgb.shape[:2]
    paper, ink, between = _palette(rng)
    page_width = width / share
    unit = width / 100
    above, under = rng.uniform(14, 30) * unit, rng.uniform(8, 40) * unit
    sheet, draw = _sheet(page_width, above + height + under, paper)
    left = (page_width - width) * rng.uniform(0.25, 0.75)
    draw.ellipse((left, 2 * unit, left + 8 * unit, 10 * unit), _colour_between(rng, 30, 230))
    name = _font("DejaVuSans-Bold.ttf", max(6, round(3.4 * unit)))
    draw.text((left + 10 * unit, 3 * unit), _sentence(rng, 2).title(), ink, name)
    draw.text((left, 11 * unit), _sentence(rng, 8), ink, _some_font(rng, 3 * unit))
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), rng.uniform(0, 4) * unit, 255)
    sheet.paste(Image.fromarray(rgb), (round(left), round(above)), mask)
    for number in range(4):
        x, y = left + (5 + 24 * number) * unit, above + height + 3 * unit
        draw.ellipse((x, y, x + 3 * unit, y + 3 * unit), None, ink, max(1, round(0.4 * unit)))
        draw.text((x + 4 * unit, y), str(rng.integers(1, 9999)), ink, _some_font(rng, 2.6 * unit))
    if under > 20 * unit:
        draw.line((0, above + height + 10 * unit, page_width, above + height + 10 * unit), between, 2)
        draw.text((left, above + height + 13 * unit), _sentence(rng, 7), ink, _some_font(rng, 3 * unit))
    return np.array(sheet)


def _article(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A newspaper's page: headline, the picture in the column, text around, an advertisement beside it."""
    height, width = rgb.shape[:2]
    paper, ink, _ = _palette(rng)
    page_width, page_height = width / share, height / share * rng.uniform(0.9, 1.3) + 0.2 * height
    sheet, draw = _sheet(page_width, page_height, paper)
    unit = page_width / 100
    left, top = (page_width - width) * rng.uniform(0.1, 0.5), page_height * rng.uniform(0.12, 0.3)
    draw.text((left, top - 9 * unit), _sentence(rng, 5).capitalize(), ink, _font("DejaVuSerif.ttf", round(4.5 * unit)))
    draw.rectangle((0, 0, page_width, 2.5 * unit), _colour_between(rng, 20, 200))
    font = _font("DejaVuSerif.ttf", max(6, round(1.9 * unit)))
    y = top + height + 2 * unit
    while y < page_height:
        draw.text((left, y), _sentence(rng, 12), ink, font)
        y += 3 * unit
    out = np.array(sheet)
    if page_width - left - width > 8 * unit:
        wide = page_width - left - width - 4 * unit
        _paste(out, _foreign_picture(rng, wide, wide * rng.uniform(0.8, 2.2)), left + width + 2 * unit, top)
    _paste(out, rgb, left, top)
    return out


def _page(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return page(float(rng.uniform(0.45, 0.75)))(rgb, rng)


def phone(severity: float) -> Transform:
    """A phone's photo of a screen; 1 is an ordinary one, 0 a scan, 2 a bad one."""

    def photo(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rgb.shape[1] > 800:  # the screen is seen from some way off
            rgb = _resized(rgb, 800, 800 * rgb.shape[0] / rgb.shape[1])
        height, width = rgb.shape[:2]
        upright = rng.random() < 0.3
        room_width = round(width * (1 + severity * rng.uniform(0.04, 0.3)))
        room_height = round(room_width * (4 / 3 if upright else 3 / 4 if rng.random() < 0.5 else height / width))
        room_height = max(room_height, round(height * (1 + 0.05 * severity)))
        # The room: a wall and a table with blurred edges, darker than the screen.
        room = np.empty((room_height, room_width, 3), np.float32)
        edge = round(room_height * rng.uniform(0.5, 0.9))
        for part in (room[:edge], room[edge:]):
            part[:] = rng.uniform(5, 100) * rng.uniform(0.8, 1.2, 3)
        room = cv2.GaussianBlur(room, (0, 0), 0.02 * room_height)
        # The screen with its bezel, seen from the side.
        bezel = round(min(height, width) * rng.uniform(0.01, 0.04))
        screen = cv2.copyMakeBorder(rgb, *[bezel] * 4, cv2.BORDER_CONSTANT, value=_colour_between(rng, 5, 40))
        rows, columns = screen.shape[:2]
        fit = min(room_width / columns, room_height / rows) * rng.uniform(0.88, 1.0)
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
        middle = np.array([columns, rows]) / 2
        tilt = rng.uniform(-1, 1) * np.deg2rad(4 + 3 * severity)
        spin = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        shown = (corners - middle) @ spin.T * fit
        yaw, pitch = rng.uniform(-1, 1, 2) * 0.11 * severity
        shown *= 1 + (shown[:, :1] / columns * yaw + shown[:, 1:] / rows * pitch) * 2
        off = rng.uniform(-0.03, 0.03, 2) * severity * [room_width, room_height]
        placed = (shown + np.array([room_width, room_height]) / 2 + off).astype(np.float32)
        warp = cv2.getPerspectiveTransform(corners, placed)
        lit = cv2.warpPerspective(np.ones((rows, columns), np.float32), warp, (room_width, room_height))[..., None]
        seen = cv2.warpPerspective(screen.astype(np.float32), warp, (room_width, room_height), flags=cv2.INTER_AREA)
        photo = room * (1 - lit) + seen * lit * rng.uniform(0.75, 1.15)
        y, x = np.mgrid[:room_height, :room_width].astype(np.float32)
        # Moiré: two grids of nearly the same pitch beat against each other, differently in each colour.
        direction, pitch_px = rng.uniform(0, np.pi), rng.uniform(4, 24)
        phase = (x * np.cos(direction) + y * np.sin(direction) + 6 * np.sin(y / (0.2 * room_height))) * 2 * np.pi
        waves = np.stack([np.sin(phase / pitch_px + shift) for shift in rng.uniform(0, 2 * np.pi, 3)], axis=-1)
        photo *= 1 + lit * waves * rng.uniform(0.01, 0.05) * severity
        # A window's reflection: a soft, tilted patch. And the corners get less light.
        mirror_x, mirror_y = rng.uniform(0, room_width), rng.uniform(0, room_height)
        slant = rng.uniform(-0.5, 0.5)
        patch = np.abs(x - mirror_x + slant * (y - mirror_y)) / (0.16 * room_width)
        photo += (np.exp(-(patch**4)) * rng.uniform(0, 45) * severity)[..., None]
        away = ((x / room_width - 0.5) ** 2 + (y / room_height - 0.5) ** 2)[..., None]
        photo *= 1 - away * rng.uniform(0.1, 0.6) * severity
        photo *= np.exp(rng.normal(0, 0.05 * severity, 3)) * rng.uniform(0.85, 1.1)
        photo = 255 * (np.clip(photo, 0, 255) / 255) ** rng.uniform(0.85, 1.25)
        if severity > 0:
            photo = cv2.GaussianBlur(photo, (0, 0), 0.0018 * severity * room_height * rng.uniform(0.5, 1.5) + 0.1)
            photo += rng.normal(0, rng.uniform(2, 7) * severity, photo.shape)
        return as_jpeg(np.clip(photo, 0, 255).astype(np.uint8), int(rng.integers(50, 85)))

    return photo


# ---- several


def _combined(count: int) -> Transform:
    """So many of different groups, in the order in which they happen to a picture."""

    def combined(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        groups: tuple[tuple[Transform, ...], ...] = (
            (crop(0.85), crop(0.7), _mirror, _rotation, _squash),
            (_colour, _grey, _blur, _noise),
            (_caption, _emoji, _player),
            (_bars, _jpeg30, _half_size),
        )
        for group in sorted(rng.choice(len(groups), count, replace=False).tolist()):
            rgb = groups[group][int(rng.integers(len(groups[group])))](rgb, rng)
        return rgb

    return combined


TRANSFORMS: dict[str, Transform] = {
    "none": _none,
    "jpeg30": _jpeg30,
    "half_size": _half_size,
    "crop80": crop(0.8),
    "crop65": crop(0.65),
    "crop50": crop(0.5),
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
    "phone": phone(1.0),
    "two": _combined(2),
    "three": _combined(3),
}
"""The same names as the gate's, so that tables line up."""


def _jpeg(quality: int) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda rgb, rng: as_jpeg(rgb, quality)


SEVERITIES: dict[str, dict[str, Transform]] = {
    "crop to side": {f"{side:.0%}": crop(side, 1.0) for side in (0.9, 0.7, 0.5, 0.4, 0.3)},
    "rotation": {f"{degrees}°": turned(degrees) for degrees in (3, 10, 20, 45, 90)},
    "JPEG quality": {str(quality): _jpeg(quality) for quality in (50, 20, 10, 5)},
    "blur radius": {f"{share:.1%}": blur(share) for share in (0.01, 0.02, 0.04)},
    "phone": {f"{severity:g}": phone(severity) for severity in (0.5, 1.0, 1.5, 2.0)},
    "page share": {f"{share:.0%}": page(share) for share in (0.8, 0.6, 0.45, 0.3)},
}
"""How far each kind can be driven: kind -> step -> transform."""
