"""A query picture that is damaged is said to be damaged; one that only looks odd is read."""

import io
import subprocess
import zlib
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from query_pictures import KINDS, chunk, png_of, saved, scene, with_segment

from framesearch.errors import ImageUnreadable
from framesearch.images.query import read_picture
from framesearch.settings import Settings

LIMITS = Settings()
JPEGS = {
    "plain": {},
    "of high quality": {"quality": 95, "subsampling": 0},
    "progressive": {"progressive": True, "quality": 92},
    "with restart markers": {"restart_marker_rows": 1},
    "optimised": {"optimize": True},
}
FILLERS = {
    "zeros": bytes,
    "ones": lambda count: b"\xff" * count,
    "text": lambda count: (b"lorem ipsum dolor " * count)[:count],
    "noise": lambda count: np.random.default_rng(count).bytes(count),
}


def overwritten(content: bytes, filler: str, share: float = 0.05, start: float = 0.4) -> bytes:
    """The file with a stretch in its middle overwritten."""
    at, count = int(len(content) * start), int(len(content) * share)
    return content[:at] + FILLERS[filler](count) + content[at + count :]


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_overwritten_in_its_middle_is_damaged(kind: str, filler: str) -> None:
    content = saved(scene(), "JPEG", **JPEGS[kind])
    with pytest.raises(ImageUnreadable, match=r"shot\.jpg is damaged.*save or copy it again"):
        read_picture(overwritten(content, filler), LIMITS, "shot.jpg")


@pytest.mark.parametrize("filler", FILLERS)
def test_a_png_overwritten_in_its_middle_is_damaged(filler: str) -> None:
    with pytest.raises(ImageUnreadable, match="is damaged"):
        read_picture(overwritten(saved(scene()), filler), LIMITS)


def test_a_png_whose_pixels_fail_their_checksum_is_damaged() -> None:
    """Stored without compression, so that the wrong pixels inflate without complaint."""
    content = bytearray(saved(scene(), compress_level=0))
    content[len(content) // 2] ^= 0x55
    with pytest.raises(ImageUnreadable, match="is damaged"):
        read_picture(bytes(content), LIMITS)


def test_a_wrong_checksum_beside_right_pixels_costs_nothing() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(scene()))
    content = bytearray(png_of(640, 360, 8, 2, zlib.compress(rows)))
    content[-16] ^= 0xFF  # the last byte of the checksum of IDAT, before IEND
    assert (read_picture(bytes(content), LIMITS) == np.asarray(scene())).all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_file_is_broken_off(kind: str) -> None:
    content = KINDS[kind](scene((240, 180)))
    with pytest.raises(ImageUnreadable, match="is damaged or broken off"):
        read_picture(content[: len(content) // 2], LIMITS)


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_without_its_last_rows_is_broken_off(options: dict) -> None:
    content = saved(scene(), "JPEG", **options)
    with pytest.raises(ImageUnreadable, match="is damaged or broken off"):
        read_picture(content[: -len(content) // 20], LIMITS)


def test_pictures_of_several_encoders_are_sound() -> None:
    for seed, size in enumerate(((641, 359), (1920, 1080), (330, 777))):
        picture = scene(size, seed)
        bgr = np.asarray(picture)[..., ::-1]
        for options in JPEGS.values():
            whole = saved(picture, "JPEG", **options)
            with Image.open(io.BytesIO(whole)) as image:
                longest = max(size)
                same = np.asarray(image.convert("RGB")) if longest <= 1600 else None
            rgb = read_picture(whole, LIMITS)
            assert same is None or (rgb == same).all()
        for options in (
            [],
            [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
            [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
            [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422],
        ):
            read_picture(cv2.imencode(".jpg", bgr, options)[1].tobytes(), LIMITS)
        read_picture(cv2.imencode(".png", bgr)[1].tobytes(), LIMITS)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif", "jp2", "ppm"])
def test_pictures_of_ffmpeg_are_sound(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    source.write_bytes(saved(scene()))
    made = tmp_path / f"made.{suffix}"
    ffmpeg(source, made)
    assert read_picture(made, LIMITS).shape == (360, 640, 3)


def ffmpeg(source: Path, made: Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, "-frames:v", "1", "-update", "1", made]
    subprocess.run(command, check=True, timeout=60)


def test_padding_before_the_end_costs_nothing() -> None:
    """Some cameras fill up to a whole block."""
    whole = saved(scene(), "JPEG")
    for padding in (b"\0", b"\0" * 56, b"\xff" * 56, b"\xaa" * 200):
        assert (read_picture(whole[:-2] + padding + whole[-2:], LIMITS) == read_picture(whole, LIMITS)).all()


def test_an_ultra_hdr_photo_and_a_motion_photo_are_read_to_their_first_end() -> None:
    photo = saved(scene(), "JPEG", quality=90)
    thumbnail = saved(scene((160, 90), 1), "JPEG")
    photo = with_segment(photo, 0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0" + thumbnail)
    gain_map = with_segment(
        saved(scene((160, 90), 2).convert("L"), "JPEG"), 0xE1, b"http://ns.adobe.com/xap/1.0/\0hdrgm"
    )
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + np.random.default_rng(0).bytes(200_000)
    expected = read_picture(photo, LIMITS)
    assert (read_picture(photo + gain_map, LIMITS) == expected).all()
    assert (read_picture(photo + film, LIMITS) == expected).all()
    assert (read_picture(photo + gain_map + film, LIMITS) == expected).all()


def test_a_large_png_is_read_strip_by_strip_as_a_whole_one() -> None:
    rng = np.random.default_rng(3)
    pixels = cv2.resize(rng.integers(0, 256, (30, 20, 4), dtype=np.uint8), (2200, 9200))  # past where strips begin
    pixels[..., 3] = np.where(pixels[..., 3] < 128, 0, 255)
    image = Image.fromarray(pixels)
    rgb = read_picture(saved(image, compress_level=1), LIMITS).astype(int)
    shown = Image.new("RGB", image.size, (128, 128, 128))
    shown.paste(image, mask=image.getchannel("A"))
    expected = np.asarray(shown.reduce(5).resize(rgb.shape[1::-1], Image.Resampling.BOX), int)
    assert np.abs(rgb - expected).max() <= 2


def test_nonsense_is_refused_in_time() -> None:
    photo = saved(scene((64, 64)), "JPEG")
    picture = saved(scene((64, 64)))
    scan = saved(scene((64, 64)), "JPEG", progressive=True)
    last = scan.rindex(b"\xff\xda")
    for content in (
        photo[:2] + b"\xff\xfe\0\2" * 2_000_000 + photo[2:],  # comments without end
        photo[:-2] + b"\xff" * 20_000_000 + b"\0",
        photo[:2] + b"\xff" * 20_000_000 + photo[2:],
        picture[:33] + chunk(b"IDAT", b"") * 500_000 + picture[33:],
        picture[:33] + chunk(b"tRNS", b"\0" * 6) * 500_000 + picture[33:],
        scan[:last] + scan[last:-2] * 20_000 + scan[-2:],
        b"P3 4000 2000 255 " + b"1 " * 1_000_000,
    ):
        try:
            read_picture(content, LIMITS)
        except ImageUnreadable:
            continue
