"""Memory and time that the largest query pictures of every kind take.

    python benchmarks/query_memory.py [--megapixels 110,100,66] [--kinds "AVIF;WebP, lossless"] [--detail]

Each picture is written and read in processes of their own, smaller ones until one is answered: not every kind can be
decoded at any size within the memory. Printed are how large that one was, the most resident memory that reading took,
of the reader and of the decoder's process where there is one, refused sizes included, and the processor time of the
one answered. Exit status 1 if reading took more than 400 MB. `--detail` fills the pictures with shapes and grain; flat
ones show what a small file can do.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

LIMIT_MB = 400
SIZES = [109.0, 100.0, 74.0, 66.0, 50.0, 42.0, 33.0, 24.0, 12.0]  # megapixels; among them phones', and 8K's 33
ROOT = Path(__file__).parents[1]
Image.MAX_IMAGE_PIXELS = None


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def translucent(image: Image.Image) -> Image.Image:
    """The picture, half transparent."""
    image = image.convert("RGBA")
    image.putalpha(128)
    return image


def heic(image: Image.Image) -> bytes:
    """The picture as a HEIC file."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return written(image, "HEIF", quality=30)


def jpeg_xl(image: Image.Image, lossless: bool) -> bytes:
    """The picture as a JPEG XL."""
    import imagecodecs

    return imagecodecs.jpegxl_encode(np.asarray(image), lossless=lossless, effort=1, level=None if lossless else 60)


def run_length_bmp(image: Image.Image) -> bytes:
    """A BMP of one colour, run-length coded, which Pillow decodes row by row in Python."""
    width, height = image.size
    row = b"\xff\1" * (width // 255) + (bytes([width % 255, 1]) if width % 255 else b"") + b"\0\0"
    data = row * height + b"\0\1"
    table = bytes(4 * 256)
    header = (
        (40).to_bytes(4, "little")
        + width.to_bytes(4, "little")
        + height.to_bytes(4, "little")
        + b"\1\0\x08\0\1\0\0\0"
        + len(data).to_bytes(4, "little")
        + bytes(8)
        + (256).to_bytes(4, "little")
        + bytes(4)
    )
    start = 14 + len(header) + len(table)
    return (
        b"BM"
        + (start + len(data)).to_bytes(4, "little")
        + bytes(4)
        + start.to_bytes(4, "little")
        + header
        + table
        + data
    )


def deep_png(image: Image.Image) -> bytes:
    """A PNG of sixteen bits a colour, written row by row."""
    width, height = image.size
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(bytes(1 + 6 * width)) for _ in range(height)) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x10\2\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: written(image, "JPEG", quality=60),
    "JPEG, progressive": lambda image: written(image, "JPEG", quality=60, progressive=True),
    "JPEG, progressive 4:4:4": lambda image: written(image, "JPEG", quality=40, progressive=True, subsampling=0),
    "JPEG, CMYK": lambda image: written(image.convert("CMYK"), "JPEG", quality=40),
    "PNG": lambda image: written(image, "PNG", compress_level=1),
    "PNG with alpha": lambda image: written(translucent(image), "PNG", compress_level=1),
    "PNG, 16 bits": deep_png,
    "PNG, palette": lambda image: written(image.convert("P"), "PNG", compress_level=1),
    "WebP": lambda image: written(image, "WEBP", quality=40, method=0),
    "WebP with alpha": lambda image: written(translucent(image), "WEBP", quality=40, method=0),
    "WebP, lossless": lambda image: written(image, "WEBP", lossless=True, quality=0, method=0),
    "AVIF": lambda image: written(image, "AVIF", speed=10, quality=40),
    "AVIF with alpha": lambda image: written(translucent(image), "AVIF", speed=10, quality=40),
    "HEIC": heic,
    "JPEG XL": lambda image: jpeg_xl(image, False),
    "JPEG XL, lossless": lambda image: jpeg_xl(image, True),
    "JPEG 2000": lambda image: written(image, "JPEG2000", quality_mode="rates", quality_layers=[60]),
    "JPEG 2000 of one resolution": lambda image: written(image, "JPEG2000", num_resolutions=1),
    "GIF": lambda image: written(image.convert("P"), "GIF"),
    "TIFF, LZW": lambda image: written(image, "TIFF", compression="tiff_lzw"),
    "TIFF, one strip": lambda image: written(
        image, "TIFF", compression="tiff_adobe_deflate", strip_size=4 * image.width * image.height
    ),
    "BMP, run lengths": run_length_bmp,
}
"""How the largest picture of each kind is written."""


def large(megapixels: float, detail: bool) -> Image.Image:
    """A square picture: flat, or of soft shapes with grain."""
    side = int((megapixels * 1e6) ** 0.5)
    if not detail:
        return Image.new("RGB", (side, side), (200, 30, 30))
    rng = np.random.default_rng(0)
    grain = Image.fromarray(rng.integers(96, 160, (512, 512, 3), dtype=np.uint8))
    image = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    for x in range(0, side, 512):
        for y in range(0, side, 512):
            here = image.crop((x, y, min(x + 512, side), min(y + 512, side)))
            image.paste(Image.blend(here, grain.crop((0, 0, *here.size)), 0.2), (x, y))
    return image


def write(kind: str, megapixels: float, detail: bool, path: Path) -> None:
    """In a process of its own: make the picture."""
    path.write_bytes(KINDS[kind](large(megapixels, detail)))


def read(path: Path) -> None:
    """In a process of its own: read the picture as a query, and print what it took as JSON."""
    import resource

    from framesearch.errors import ImageUnreadable
    from framesearch.images.libraries import configure
    from framesearch.images.query import read_picture
    from framesearch.settings import Settings

    configure()
    try:
        said = "x".join(map(str, read_picture(path, Settings(), "it").shape[1::-1]))
    except ImageUnreadable as error:
        said = f"refused: {error}"
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    print(
        json.dumps(
            {
                "answer": said,
                "reader_mb": own.ru_maxrss * unit / 1e6,
                "decoder_mb": others.ru_maxrss * unit / 1e6,
                "cpu_s": own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime,
            }
        )
    )


def measure(kind: str, megapixels: float, detail: bool) -> dict[str, object]:
    """What reading the largest picture of a kind takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        this = "import sys; sys.path[:0] = sys.argv[1:3]; import query_memory; from pathlib import Path; "
        command = [sys.executable, "-c", "", str(ROOT / "plugins"), str(ROOT / "benchmarks")]
        command[2] = this + f"query_memory.write({kind!r}, {megapixels}, {detail}, Path(sys.argv[3]))"
        subprocess.run([*command, path], check=True)
        command[2] = this + "query_memory.read(Path(sys.argv[3]))"
        told = subprocess.run([*command, path], check=True, stdout=subprocess.PIPE).stdout
        return {"kind": kind, "file_kb": path.stat().st_size / 1000} | json.loads(told)


def main() -> None:
    """Measure, print a Markdown table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--megapixels", type=lambda text: [*map(float, text.split(","))], default=SIZES)
    options.add_argument("--kinds", type=lambda text: text.split(";"), default=list(KINDS))
    options.add_argument("--detail", action="store_true")
    asked = options.parse_args()
    print("| picture | answered up to, MP | file, kB | reader, MB | decoder, MB | CPU, s |\n|---|---|---|---|---|---|")
    most = 0.0
    for kind in asked.kinds:
        readers, decoders = [0.0], [0.0]
        for megapixels in asked.megapixels:
            row = measure(kind, megapixels, asked.detail)
            readers.append(float(row["reader_mb"]))
            decoders.append(float(row["decoder_mb"]))
            if not str(row["answer"]).startswith("refused"):
                said = f"{megapixels:g} | {row['file_kb']:.0f}"
                break
            print(f"{kind}, {megapixels:g} MP {row['answer']}", file=sys.stderr)
        else:
            said = "none | "
        print(f"| {kind} | {said} | {max(readers):.0f} | {max(decoders):.0f} | {row['cpu_s']:.1f} |", flush=True)
        most = max(most, *readers, *decoders)
    if most > LIMIT_MB:
        raise SystemExit(f"reading a picture took {most:.0f} MB, more than {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
