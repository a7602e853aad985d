"""A stranger's picture, of whatever kind: a right array or one sentence."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from query_pictures import (
    BLUE,
    GREEN,
    GREY,
    KINDS,
    assert_quarters,
    black_png,
    corners,
    exif,
    jpeg_xl,
    laid_down,
    png_of,
    quarters,
    saved,
    with_chunk,
    with_segment,
)

from framesearch.errors import ImageUnreadable
from framesearch.images.formats.boxed import decode_avif
from framesearch.images.formats.faults import TooMuchMemory
from framesearch.images.formats.limits import Limits
from framesearch.images.query import MAX_SIDE, PLAINLY, read_picture
from framesearch.settings import Settings

LIMITS = Settings()


@pytest.mark.parametrize("kind", KINDS)
def test_reads_every_kind_whatever_its_suffix(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.xyz"
    path.write_bytes(KINDS[kind](quarters()))
    rgb = read_picture(path, LIMITS)
    assert rgb.shape == (60, 80, 3)
    assert_quarters(rgb, 8)


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
    assert read_picture(png_of(32, 32, 16, 2, zlib.compress(rows)), LIMITS)[3, 3].tolist() == [200, 30, 30]


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
    laid = laid_down(quarters(), orientation)
    for content in (
        saved(laid, "JPEG", quality=95, subsampling=0, exif=exif(orientation)),
        saved(laid, "PNG", exif=exif(orientation)),
        saved(laid, "WEBP", lossless=True, exif=exif(orientation)),
    ):
        assert_quarters(read_picture(content, LIMITS))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_a_tiff_once(orientation: int) -> None:
    laid = laid_down(quarters(), orientation)
    for compression in ("raw", "tiff_lzw"):
        content = saved(laid, "TIFF", compression=compression, tiffinfo={274: orientation})
        assert_quarters(read_picture(content, LIMITS))


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_turns_boxed_pictures_once_though_their_exif_says_it_again(orientation: int) -> None:
    laid = laid_down(quarters(), orientation)
    avif = saved(laid, "AVIF", quality=95, subsampling="4:4:4", exif=exif(orientation))
    assert b"irot" in avif
    assert_quarters(read_picture(avif, LIMITS))
    heic = saved(laid, "HEIF", quality=95, chroma=444, exif=exif(orientation).tobytes())
    assert b"irot" in heic
    assert b"Exif" in heic
    assert_quarters(read_picture(heic, LIMITS))


def test_a_large_avif_is_read_as_a_small_one_is() -> None:
    """Where memory is short another decoder reads it: turned once, alpha and ten bits included."""
    little = Limits(110, 7.5 * 80 * 60)
    turned = saved(laid_down(quarters(), 6), "AVIF", quality=95, subsampling="4:4:4", exif=exif(6))
    assert_quarters(decode_avif(turned, little))
    clear = quarters().convert("RGBA")
    clear.paste((255, 0, 255, 0), (0, 0, 40, 30))
    assert np.abs(np.array(corners(decode_avif(saved(clear, "AVIF"), little))[0]) - GREY).max() <= 6
    for depth in (10, 12):
        deep = np.asarray(quarters()).astype(np.uint16) << (depth - 8)
        assert_quarters(decode_avif(imagecodecs.avif_encode(deep, level=95, bitspersample=depth), little))
    with pytest.raises(TooMuchMemory, match="has 60 x 80 pixels, too many to decode as AVIF"):
        decode_avif(turned, Limits(110, 80 * 60))


def test_turns_a_jpeg_xl_as_its_header_says() -> None:
    turned = jpeg_xl_turned(laid_down(quarters((64, 96)), 6), 6)
    rgb = read_picture(turned, LIMITS)
    assert rgb.shape == (96, 64, 3)
    assert_quarters(rgb)


def jpeg_xl_turned(image: Image.Image, orientation: int) -> bytes:
    """A JPEG XL whose header states an orientation (ISO/IEC 18181-1, annex D.3), which no encoder here writes."""
    plain = jpeg_xl(image, lossless=True)
    size, metadata = bits(plain[2:5])[:9], bits(plain[2:5])[9:22]
    assert metadata == "00" + "000" + "1" + "00" + "0" + "1" + "00" + "1", "an encoder that writes other headers"
    extra_fields = "01" + bits(bytes([orientation - 1]))[:3] + "000"
    header = size + extra_fields + "000" + "1" + "00" + "0" + "1" + "1" + "00" + "1"
    packed = int(header[::-1], 2).to_bytes(-(-len(header) // 8), "little")
    return plain[:2] + packed + plain[5:]


def bits(content: bytes) -> str:
    """Least significant bit first."""
    return "".join(f"{byte:08b}"[::-1] for byte in content)


def test_broken_metadata_costs_nothing() -> None:
    garbage = b"\xff\xff\xff\xff garbage " * 50
    jpeg = KINDS["JPEG"](quarters())
    png = saved(quarters())
    for content in (
        saved(quarters(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0" + garbage),
        saved(quarters(), "JPEG", quality=95, subsampling=0, icc_profile=garbage),
        with_segment(jpeg, 0xE2, b"MPF\0MM\0*" + garbage),
        with_segment(jpeg, 0xED, b"Photoshop 3.0\0" + b"8BIM" + garbage),
        with_segment(jpeg, 0xEE, b"Adobe"),
        with_segment(jpeg, 0xE0, b"JFIF\0\xff"),
        with_segment(with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"), 0xFE, garbage),
        with_chunk(png, b"iCCP", garbage),
        with_chunk(png, b"eXIf", garbage),
        with_chunk(png, b"pHYs", b"1"),
        with_chunk(png, b"acTL", b"1"),
        with_chunk(png, b"tEXt", b""),
        with_chunk(png, b"zTXt", garbage),
        with_chunk(png, b"iTXt", garbage),
        saved(quarters(), "WEBP", lossless=True, exif=garbage, icc_profile=garbage, xmp=garbage),
        saved(quarters(), "AVIF", quality=95, subsampling="4:4:4", exif=exif(1)).replace(b"MM\0*", b"\xff" * 4),
        saved(quarters(), "AVIF", quality=95, subsampling="4:4:4", icc_profile=garbage),
        saved(quarters(), "HEIF", quality=95, chroma=444, exif=b"Exif\0\0" + garbage, icc_profile=garbage),
        saved(quarters(), "TIFF", icc_profile=garbage),
    ):
        assert_quarters(read_picture(content, LIMITS))


def test_huge_metadata_cost_nothing() -> None:
    packed = zlib.compress(bytes(80_000_000), 9)
    png = saved(quarters())
    jpeg = KINDS["JPEG"](quarters())
    for _ in range(150):
        jpeg = with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000))
    gif = saved(quarters(), "GIF")
    comments = b"\x21\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\0"
    table = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    for content in (
        with_chunk(png, b"zTXt", b"Comment\0\0" + packed),
        with_chunk(png, b"iTXt", b"Comment\0\1\0\0\0" + packed),
        with_chunk(png, b"iCCP", b"Profile\0\0" + packed),
        with_chunk(png, b"tEXt", b"Comment\0" + bytes(20_000_000)),
        jpeg,
        gif[:table] + comments + gif[table:],
        saved(quarters(), "WEBP", lossless=True, xmp=bytes(10_000_000)),
    ):
        assert_quarters(read_picture(content, LIMITS))


def test_a_wrong_checksum_of_metadata_costs_nothing() -> None:
    png = bytearray(with_chunk(with_chunk(saved(quarters()), b"tEXt", b"Comment\0x"), b"gAMA", bytes(4)))
    for name in (b"tEXt", b"gAMA", b"IEND"):
        at = png.index(name) + 4
        length = int.from_bytes(png[at - 8 : at - 4], "big")
        png[at + length] ^= 0xFF
    assert_quarters(read_picture(bytes(png), LIMITS))


@pytest.mark.parametrize("kind", ["JPEG", "JPEG, progressive", "JPEG, restart markers", "PNG", "GIF"])
def test_a_missing_end_costs_nothing(kind: str) -> None:
    whole = KINDS[kind](quarters())
    end = {"J": 2, "P": 12, "G": 1}[kind[0]]  # end marker, IEND, trailer
    for cut in {1, end}:
        assert_quarters(read_picture(whole[:-cut], LIMITS), 30)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("TIFF", "JPEG XL, in boxes")])
def test_what_follows_the_end_costs_nothing(kind: str) -> None:
    whole = KINDS[kind](quarters())
    later = KINDS["JPEG"](Image.new("RGB", (99, 77)))
    for rest in (b"\0" * 5000, b"garbage" * 99, later, b"\0\0\0\x18ftypmp42" + bytes(3000)):  # a motion photo's film
        if kind in ("AVIF", "HEIC") and rest[4:5] != b"f":
            continue  # what follows has to look like a box
        assert_quarters(read_picture(whole + rest, LIMITS), 8)


def test_reads_the_first_picture_of_a_jpeg_of_several() -> None:
    content = saved(
        quarters(), "MPO", quality=95, subsampling=0, save_all=True, append_images=[Image.new("RGB", (80, 60))]
    )
    assert_quarters(read_picture(content, LIMITS))


def test_a_thumbnail_is_not_the_picture() -> None:
    thumbnail = saved(Image.new("RGB", (16, 12)), "JPEG")
    content = with_segment(KINDS["JPEG"](quarters()), 0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0" + thumbnail)
    assert_quarters(read_picture(content, LIMITS))


def test_reads_the_primary_picture_of_a_heic_of_several() -> None:
    heif = pillow_heif.from_pillow(Image.new("RGB", (64, 64)))
    heif.add_from_pillow(quarters())
    file = io.BytesIO()
    heif.save(file, quality=95, chroma=444, primary_index=1)
    assert_quarters(read_picture(file.getvalue(), LIMITS))


def test_reads_the_first_page_of_a_document() -> None:
    content = saved(quarters(), "TIFF", save_all=True, append_images=[Image.new("RGB", (80, 60))])
    assert_quarters(read_picture(content, LIMITS))


def test_reads_an_animation_whose_first_frame_is_a_part_of_its_canvas() -> None:
    whole = saved(quarters((40, 30)), "WEBP", save_all=True, append_images=[Image.new("RGB", (40, 30))], lossless=True)
    at = whole.index(b"ANMF") + 8
    canvas = bytearray(whole)
    canvas[24:30] = (79).to_bytes(3, "little") + (59).to_bytes(3, "little")
    canvas[at : at + 6] = (20).to_bytes(3, "little") + (10).to_bytes(3, "little")  # in steps of two pixels
    rgb = read_picture(bytes(canvas), LIMITS)
    assert rgb.shape == (60, 80, 3)
    assert rgb[5, 5].tolist() == list(GREY)
    assert_quarters(rgb[20:50, 40:80])


def test_reads_unusual_jpegs() -> None:
    bgr = np.asarray(quarters())[..., ::-1]
    factors = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440]
    for factor in factors:
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])[1]
        assert_quarters(read_picture(jpeg.tobytes(), LIMITS), 8)
    assert_quarters(read_picture(saved(quarters(), "JPEG", quality=95, keep_rgb=True), LIMITS))
    grey = saved(quarters().convert("L"), "JPEG", quality=95)
    assert read_picture(grey, LIMITS).shape == (60, 80, 3)


def test_reads_cmyk_in_a_tiff() -> None:
    assert_quarters(read_picture(saved(quarters().convert("CMYK"), "TIFF", compression="tiff_lzw"), LIMITS), 12)


@pytest.mark.parametrize("kind", ["JPEG XL", "AVIF", "HEIF", "JPEG2000", "TIFF", "WEBP"])
def test_shows_transparent_parts_on_neutral_grey(kind: str) -> None:
    image = quarters().convert("RGBA")
    image.paste((255, 0, 255, 0), (0, 0, 40, 30))
    content = jpeg_xl(image, lossless=True) if kind == "JPEG XL" else saved(image, kind)
    assert np.abs(np.array(corners(read_picture(content, LIMITS))[0]) - GREY).max() <= 6


def test_reads_sixteen_bits_of_jpeg_xl_and_tiff() -> None:
    deep = np.asarray(quarters()).astype(np.uint16) * 257
    assert_quarters(read_picture(jpeg_xl(deep, lossless=True), LIMITS))
    assert_quarters(read_picture(cv2.imencode(".tiff", deep[..., ::-1])[1].tobytes(), LIMITS))
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    rgb = read_picture(saved(Image.fromarray(ramp), "TIFF"), LIMITS)
    assert rgb[0, :, 0].tolist() == pytest.approx(list(range(256)), abs=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_hands_on_no_more_pixels_than_needed(kind: str) -> None:
    rgb = read_picture(saved(quarters((5000, 3001)), kind), LIMITS)
    assert max(rgb.shape) == MAX_SIDE
    assert rgb.shape[1] / rgb.shape[0] == pytest.approx(5000 / 3001, rel=0.01)
    assert_quarters(rgb)


def test_refuses_a_decompression_bomb_before_decoding() -> None:
    content = black_png(30_000)
    tracemalloc.start()
    told = r"shot\.png has 30000 x 30000 pixels, more than the 110 megapixels .*FRAMESEARCH_MAX_QUERY_MEGAPIXELS.*scale"
    with pytest.raises(ImageUnreadable, match=told):
        read_picture(content, LIMITS, name="shot.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6


def test_says_how_large_a_picture_beyond_the_limit_is() -> None:
    with pytest.raises(ImageUnreadable, match="12000 x 12000 pixels, more than the 110 megapixels"):
        read_picture(black_png(12_000), LIMITS)


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
        (b"hello", f"not a picture that can be read: use one of {PLAINLY}"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing, not a picture.* export it as a PNG"),
        (b"<?xml version='1.0'?>\n<!-- by hand -->\n<svg width='9'>", "is an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is a PostScript document, not a picture"),
        (b"%PDF-1.7", "is a PDF document, not a picture.* export the page as a PNG"),
        (b"8BPS\0\1", "is a Photoshop document"),
        (b"II*\0\x10\0\0\0CR\2\0", "is a camera's raw picture.* export it as a JPEG"),
        (saved(quarters(), "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "is a camera's raw picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp41isom", "is a video, not a picture"),
        (b"\x1a\x45\xdf\xa3\x9f\x42", "is a video"),
        (KINDS["HEIC"](quarters()).replace(b"hvc1", b"jpeg"), "holds no picture coded as HEVC.* save it as a JPEG"),
        (b"<!DOCTYPE html><html>", "is a web page.* save the picture itself"),
        (b"PK\x03\x04\x14\0", "is an archive.* unpack it"),
        (KINDS["JPEG"](quarters()).replace(b"\xff\xc0", b"\xff\xc3"), "is a lossless JPEG, which is not read: save it"),
        (saved(Image.new("RGB", (1, 1))), "1 x 1 pixels, too small"),
        (saved(Image.new("RGB", (3000, 20))), "too narrow"),
        (saved(quarters((400, 300)), "JPEG")[:900], "damaged or broken off"),
        (saved(Image.effect_noise((400, 300), 80))[:9000], "damaged or broken off"),
    ],
)
def test_says_what_is_wrong(content: bytes, says: str) -> None:
    with pytest.raises(ImageUnreadable, match=says):
        read_picture(content, LIMITS)


def test_a_rare_sort_is_named_beside_damage() -> None:
    floating = cv2.imencode(".tiff", np.zeros((64, 64, 3), np.float32))[1].tobytes()
    with pytest.raises(ImageUnreadable, match=r"header can't be read, or is of a TIFF of a rare sort"):
        read_picture(floating, LIMITS)


def test_a_name_is_made_safe_in_messages() -> None:
    with pytest.raises(ImageUnreadable, match=r"^a b� is empty"):
        read_picture(b"", LIMITS, name="a\nb\udcff\x1b")


def test_says_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable, match=r"absent\.png can't be read"):
        read_picture(tmp_path / "absent.png", LIMITS)
    with pytest.raises(ImageUnreadable, match="can't be read"):
        read_picture(tmp_path, LIMITS)
