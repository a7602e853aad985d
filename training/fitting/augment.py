"""Views to learn from: what people's screenshots do to a frame, at random, drawn anew every time.

Separate from the judge's transforms (`framesearch.images.distortions`) in code and in seeds: a model must not be
taught to the test. Everything is drawn on a canvas of twice the encoder's size and averaged down, so that nothing is
aliased and one view costs well under a millisecond.
"""

import cv2
import numpy as np

SMALLEST_CROP = 0.45  # of the side
LARGEST_TURN = 18.0  # degrees


def view(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """One random view of a picture.

    Args:
        picture: RGB uint8 (H, W, 3).

    Returns:
        RGB uint8 (side, side, 3).
    """
    canvas = _projected(picture, 2 * side, rng)
    if rng.random() < 0.35:
        _overlay(canvas, rng)
    if rng.random() < 0.25:
        canvas = _compressed(canvas, rng)
    seen = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.25:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 1.6))
    return _coloured(seen, rng)


def _projected(picture: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """The picture (or a crop) turned, mirrored, in perspective, between bars or on a page: one projective warp."""
    height, width = picture.shape[:2]
    source = _corners(*_crop(width, height, rng)) if rng.random() < 0.4 else _corners(0, 0, width, height)
    kind = rng.random()
    if kind < 0.2:
        background, box = _bars(picture, side, rng)
    elif kind < 0.4:
        background, box = _page(side, rng)
    else:
        background, box = _flat(side, rng), (0.0, 0.0, float(side), float(side))
    target = _corners(*box)
    if rng.random() < 0.35:
        target = target[[1, 0, 3, 2]]  # mirrored
    if rng.random() < 0.3:
        target = _turned(target, rng.uniform(-LARGEST_TURN, LARGEST_TURN), rng.uniform(1.0, 1.15))
    if rng.random() < 0.3:
        jitter = 0.09 * (box[2] - box[0])
        target = target + rng.uniform(-jitter, jitter, (4, 2)).astype(np.float32)
    warp = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    return cv2.warpPerspective(
        picture, warp, (side, side), dst=background, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )


def _corners(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def _crop(width: int, height: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    share = rng.uniform(SMALLEST_CROP, 1.0)
    w, h = (width * min(1.0, share * rng.uniform(0.9, 1.1)), height * min(1.0, share * rng.uniform(0.9, 1.1)))
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return left, top, left + w, top + h


def _turned(corners: np.ndarray, degrees: float, scale: float) -> np.ndarray:
    centre = corners.mean(axis=0)
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    result: np.ndarray = (corners - centre) @ np.array([[cosine, sine], [-sine, cosine]], np.float32) + centre
    return result


def _flat(side: int, rng: np.random.Generator) -> np.ndarray:
    colour = rng.integers(0, 256, 3) if rng.random() < 0.5 else np.full(3, rng.choice([0, 0, 255]))
    return np.full((side, side, 3), colour, np.uint8)


def _bars(
    picture: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """A canvas with room for bars above and below, or left and right; sometimes filled with a blur of the picture."""
    if rng.random() < 0.25:
        tiny = cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA)
        background = cv2.resize(tiny, (side, side), interpolation=cv2.INTER_LINEAR)
    else:
        background = _flat(side, rng) if rng.random() < 0.3 else np.zeros((side, side, 3), np.uint8)
    first, second = rng.uniform(0.04, 0.24, 2) * side
    if rng.random() < 0.6:
        second = first  # centred, as players do it
    if rng.random() < 0.6:
        return background, (0.0, first, float(side), side - second)
    return background, (first, 0.0, side - second, float(side))


def _page(side: int, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """A canvas that looks like a page with text, boxes and thumbnails, and room for the picture."""
    base = int(rng.choice([255, 248, 240, 24, 15]))
    canvas = np.full((side, side, 3), base, np.uint8)
    for _ in range(int(rng.integers(6, 18))):
        x, y = (int(v) for v in rng.integers(0, side, 2))
        across, down = int(rng.integers(side // 16, side // 2)), int(rng.integers(2, side // 10))
        ink = int(np.clip(base + rng.integers(40, 180) * (1 if base < 128 else -1), 0, 255))
        colour = (ink, ink, ink) if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.rectangle(canvas, (x, y), (x + across, y + down), colour, -1)
    width = side * rng.uniform(0.45, 0.9)
    height = min(side * 0.95, width * rng.uniform(0.7, 1.2))
    left, top = rng.uniform(0, side - width), rng.uniform(0, side - height)
    return canvas, (left, top, left + width, top + height)


def _overlay(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Lines of text, a sticker, a player's bar, or a glare, drawn into the canvas."""
    side = canvas.shape[0]
    kind = rng.random()
    if kind < 0.45:
        for _ in range(int(rng.integers(1, 4))):
            letters = "".join(chr(c) for c in rng.integers(65, 91, int(rng.integers(4, 16))))
            at = (
                int(rng.integers(0, side // 2)),
                int(rng.choice([rng.uniform(0.08, 0.25), rng.uniform(0.75, 0.97)]) * side),
            )
            scale = rng.uniform(0.4, 1.1)
            cv2.putText(canvas, letters, at, cv2.FONT_HERSHEY_DUPLEX, scale, (0, 0, 0), 4, cv2.LINE_AA)
            ink = (255, 255, 255) if rng.random() < 0.7 else tuple(int(v) for v in rng.integers(0, 256, 3))
            cv2.putText(canvas, letters, at, cv2.FONT_HERSHEY_DUPLEX, scale, ink, 1, cv2.LINE_AA)
    elif kind < 0.7:
        for _ in range(int(rng.integers(1, 4))):
            centre = tuple(int(v) for v in rng.integers(0, side, 2))
            colour = tuple(int(v) for v in rng.integers(0, 256, 3))
            cv2.circle(canvas, centre, int(rng.uniform(0.05, 0.16) * side), colour, -1, cv2.LINE_AA)
    elif kind < 0.85:
        top = int(side * rng.uniform(0.84, 0.94))
        canvas[top:] = (canvas[top:] * rng.uniform(0.2, 0.6)).astype(np.uint8)
        y, played = top + 2, int(side * rng.uniform(0.05, 0.95))
        cv2.line(canvas, (4, y), (side - 4, y), (190, 190, 190), 2)
        cv2.line(canvas, (4, y), (played, y), tuple(int(v) for v in rng.integers(0, 256, 3)), 3)
    else:
        spot = np.zeros((8, 8), np.float32)
        spot[tuple(rng.integers(0, 8, 2))] = rng.uniform(200, 900)
        glare = cv2.resize(cv2.GaussianBlur(spot, (0, 0), 1.2), (side, side), interpolation=cv2.INTER_CUBIC)
        np.copyto(canvas, np.clip(canvas + glare[..., None], 0, 255).astype(np.uint8))


def _compressed(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scaled down and written as a poor JPEG."""
    share = rng.uniform(0.4, 1.0)
    small = cv2.resize(canvas, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))])
    decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert decoded is not None
    return cv2.resize(decoded, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _coloured(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey, or with other contrast, brightness, saturation, gamma and white balance; then noise."""
    x = seen.astype(np.float32)
    if rng.random() < 0.12:
        x[:] = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    elif rng.random() < 0.6:
        if rng.random() < 0.5:
            x = 255.0 * (x / 255.0) ** np.float32(rng.uniform(0.65, 1.5))
        grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
        x = grey + (x - grey) * np.float32(rng.uniform(0.4, 1.6))
        x = (x - 127.5) * np.float32(rng.uniform(0.6, 1.4)) + np.float32(127.5 + rng.uniform(-40, 40))
        x *= rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.2:
        x += rng.normal(0, rng.uniform(3, 18), x.shape[:2])[..., None].astype(np.float32)
    return np.clip(x, 0, 255).astype(np.uint8)
