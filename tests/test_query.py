"""A stranger's picture, in whatever state: a right array or one sentence, never more memory than is allowed."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from framesearch.errors import ImageUnreadable
from framesearch.images.query import MAX_SIDE, read_picture
from framesearch.settings import Settings

LIMITS = Settings()
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 180, 40), (40, 50, 190), (128, 128, 128)


def quarters(size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Red, green, blue, grey quarters: upper left, upper right, lower left, lower right."""
    width, height = size
    image = Image.new("RGB", size, RED)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), BLUE)
    draw.rectangle((width // 2, height // 2, width, height), GREY)
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(rgb: np.ndarray) -> list[tuple[int, ...]]:
    height, width = rgb.shape[:2]
    places = [(height // 4, width // 4), (height // 4, 3 * width // 4), (3 * height // 4, width // 4)]
    return [tuple(int(level) for level in rgb[place]) for place in [*places, (3 * height // 4, 3 * width // 4)]]


def assert_quarters(rgb: np.ndarray, tolerance: int = 6) -> None:
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert np.abs(np.array(corners(rgb)) - np.array([RED, GREEN, BLUE, GREY])).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    ],
)
def test_reads_common_formats(kind: str, options: dict) -> None:
    rgb = read_picture(saved(quarters(), kind, **options), LIMITS)
    assert rgb.shape == (60, 80, 3)
    assert_quarters(rgb)


def test_reads_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "it's a “picture”.png"
    path.write_bytes(saved(quarters()))
    assert_quarters(read_picture(path, LIMITS))


def test_reads_cmyk() -> None:
    rgb = read_picture(saved(quarters().convert("CMYK"), "JPEG", quality=95), LIMITS)
    assert_quarters(rgb, tolerance=12)


def test_reads_a_palette() -> None:
    assert_quarters(read_picture(saved(quarters().convert("P", palette=Image.Palette.ADAPTIVE)), LIMITS))


def test_reads_black_and_white() -> None:
    image = Image.new("1", (64, 64))
    image.paste(1, (32, 0, 64, 64))
    rgb = read_picture(saved(image), LIMITS)
    assert rgb[5, 5].tolist() == [0, 0, 0]
    assert rgb[5, 60].tolist() == [255, 255, 255]


def test_reads_sixteen_bits_at_their_full_range() -> None:
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    rgb = read_picture(saved(Image.fromarray(ramp)), LIMITS)
    assert rgb[0, :, 0].tolist() == pytest.approx(list(range(256)), abs=1)


def test_reads_sixteen_bit_colour() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 51400, 7710, 7710) * 32 for _ in range(32))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert read_picture(png, LIMITS)[3, 3].tolist() == [200, 30, 30]


def test_reads_floating_point_greys() -> None:
    ramp = np.tile(np.linspace(-2.0, 5.0, 256, dtype=np.float32), (32, 1))
    rgb = read_picture(saved(Image.fromarray(ramp), "TIFF"), LIMITS)
    assert rgb[0, 0].tolist() == [0, 0, 0]
    assert rgb[0, 255].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_reads_the_first_frame_of_an_animation(kind: str) -> None:
    later = [Image.new("RGB", (80, 60), (0, 0, 0)) for _ in range(3)]
    content = saved(quarters(), kind, save_all=True, append_images=later, duration=100)
    assert_quarters(read_picture(content, LIMITS), tolerance=30)


def test_shows_transparent_pictures_on_neutral_grey() -> None:
    image = quarters().convert("RGBA")
    image.paste((255, 0, 255, 0), (0, 0, 40, 30))
    assert corners(read_picture(saved(image), LIMITS)) == [GREY, GREEN, BLUE, GREY]


def test_shows_a_transparent_palette_on_neutral_grey() -> None:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    red = image.getpixel((2, 2))
    rgb = read_picture(saved(image, transparency=red), LIMITS)
    assert corners(rgb)[0] == GREY


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_pictures_as_their_exif_says(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = quarters() if orientation == 1 else quarters().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_quarters(read_picture(saved(image, "JPEG", quality=95, subsampling=0, exif=exif), LIMITS))


def test_a_broken_exif_block_spoils_nothing() -> None:
    content = saved(quarters(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert_quarters(read_picture(content, LIMITS))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_hands_on_no_more_pixels_than_needed(kind: str) -> None:
    rgb = read_picture(saved(quarters((5000, 3001)), kind), LIMITS)
    assert max(rgb.shape) == MAX_SIDE
    assert rgb.shape[1] / rgb.shape[0] == pytest.approx(5000 / 3001, rel=0.01)
    assert_quarters(rgb)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bomb(side: int, bit_depth: int = 1) -> bytes:
    """A PNG of side x side black pixels in a few kilobytes."""
    row = b"\0" + bytes((side * bit_depth + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, bit_depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_refuses_a_decompression_bomb_before_decoding() -> None:
    content = bomb(30_000)
    tracemalloc.start()
    told = r"shot\.png has 30000 x 30000 pixels, more than the 100 megapixels .*FRAMESEARCH_MAX_QUERY_MEGAPIXELS.*scale"
    with pytest.raises(ImageUnreadable, match=told):
        read_picture(content, LIMITS, name="shot.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6


def test_says_how_large_a_picture_beyond_the_limit_is() -> None:
    with pytest.raises(ImageUnreadable, match="12000 x 12000 pixels, more than the 100 megapixels"):
        read_picture(bomb(12_000), LIMITS)


def test_limits_are_settings() -> None:
    content = saved(quarters((400, 300)))
    with pytest.raises(ImageUnreadable, match=r"0\.1 megapixels"):
        read_picture(content, Settings(max_query_megapixels=0.1))
    with pytest.raises(ImageUnreadable, match="FRAMESEARCH_MAX_QUERY_MB"):
        read_picture(content, Settings(max_query_mb=0.0001))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello", "not a picture that can be read: use one of AVIF, BMP, GIF, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
        (b"%PDF-1.7", "not a picture"),
        (saved(Image.new("RGB", (1, 1))), "1 x 1 pixels, too small"),
        (saved(Image.new("RGB", (3000, 20))), "too narrow"),
        (saved(quarters((400, 300)), "JPEG")[:900], "damaged or broken off"),
        (saved(Image.effect_noise((400, 300), 80))[:9000], "damaged or broken off"),
    ],
)
def test_says_what_is_wrong(content: bytes, says: str) -> None:
    with pytest.raises(ImageUnreadable, match=says):
        read_picture(content, LIMITS)


def test_says_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable, match=r"absent\.png can't be read"):
        read_picture(tmp_path / "absent.png", LIMITS)
    with pytest.raises(ImageUnreadable, match="can't be read"):
        read_picture(tmp_path, LIMITS)


def test_nothing_but_its_own_error_comes_out_of_mangled_files() -> None:
    rng = np.random.default_rng(7)
    whole = [
        saved(Image.effect_noise((120, 90), 60).convert("RGB"), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF")
    ]
    for content in whole:
        for _ in range(40):
            mangled = bytearray(content[: int(rng.integers(8, len(content)))] if rng.random() < 0.3 else content)
            for place in rng.integers(0, len(mangled), 6):
                mangled[place] = rng.integers(0, 256)
            try:
                rgb = read_picture(bytes(mangled), LIMITS)
            except ImageUnreadable:
                continue
            assert rgb.shape[2] == 3
