"""JPEG: the picture without its metadata, decoded at the scale that is needed, damage noticed.

The file is a sequence of segments. Those that hold the picture go to the decoder; metadata, however large or broken, a
missing end, and whatever follows the end (the further pictures of MPO and Ultra HDR, the film of a motion photo) don't.

Source: ITU-T T.81 annex B; the decoder's warnings are those of libjpeg's jerror.h.
"""

import io
import re
import struct
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from framesearch.images.formats.exif import exif_orientation, upright
from framesearch.images.formats.faults import Refused
from framesearch.images.formats.limits import MAX_SIDE, Limits
from framesearch.images.formats.shrink import shrunk, shrunk_array

_EOI, _SOS, _APP0, _EXIF, _ADOBE, _COMMENT = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xCA}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}  # Huffman, arithmetic, quantisation, number of lines, restart interval
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_UNDECODABLE = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xCB: "lossless",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
}
_JPEG_LS = 0xF7
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_SAVE_AS = "save it as an ordinary JPEG or PNG"

_MAX_SEGMENTS = 20_000  # whole photos have some dozens, or hundreds with large metadata
_MAX_BLOCKS_READ = 400e6  # of 64 coefficients, over all scans: some seconds; a progressive photo of 100 MP has 30e6

_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_PADDING = 256  # bytes of one value between the last pixel and the end, as cameras leave them


@dataclass(frozen=True)
class Jpeg:
    """A JPEG without its metadata.

    Attributes:
        stream: it as a file.
        blocks: of 64 coefficients, those of all components.
        scans: how often a decoder goes over them.
        buffered: whether it keeps them all until the last scan.
        orientation: of EXIF, 1 to 8.
    """

    stream: bytes
    width: int
    height: int
    blocks: int
    scans: int
    buffered: bool
    orientation: int


def decode(content: bytes, limits: Limits) -> np.ndarray:
    """Decode a JPEG of any common sort: baseline, progressive, arithmetic; grey, YCbCr, RGB, CMYK."""
    jpeg = _without_metadata(content)
    limits.judge_size(jpeg.width, jpeg.height)
    if jpeg.buffered:
        limits.judge_memory("a progressive JPEG", jpeg.width, jpeg.height, 128 * jpeg.blocks)
    if jpeg.scans * jpeg.blocks > _MAX_BLOCKS_READ:
        raise Refused(f"is a JPEG of {jpeg.scans} scans, too many to decode in time: save it again")
    return np.asarray(upright(_pixels(jpeg), jpeg.orientation))


def _pixels(jpeg: Jpeg) -> Image.Image:
    longest = max(jpeg.width, jpeg.height)
    least = MAX_SIDE if longest > MAX_SIDE else longest
    scale = {
        "min_width": -(-jpeg.width * least // longest),
        "min_height": -(-jpeg.height * least // longest),
        "min_factor": 2,  # scales between 1/2 and 1 take longer than the whole
    }
    try:
        pixels = simplejpeg.decode_jpeg(jpeg.stream, **scale)
    except ValueError as error:
        warning = str(error)
        if "subsampling level" in warning:
            return _unusually_sampled(jpeg)
        if not _harmless(warning, jpeg.stream):
            raise
        pixels = simplejpeg.decode_jpeg(jpeg.stream, **scale, strict=False)
    return shrunk_array(pixels)


def _unusually_sampled(jpeg: Jpeg) -> Image.Image:
    """What TurboJPEG's interface can't express, such as 4:1:0: libjpeg decodes it, but damage goes unnoticed."""
    with Image.open(io.BytesIO(jpeg.stream), formats=["JPEG"]) as image:
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        return shrunk(image)


def _harmless(warning: str, stream: bytes) -> bool:
    """Whether what the decoder complained of cost no pixel."""
    padding = _EXTRANEOUS.match(warning)
    if padding is not None:
        count = int(padding[1])
        # The decoder has bytes of its own ahead, so that it counts fewer than there are.
        return count <= _PADDING and len(set(stream[-2 - count : -2])) == 1
    return warning.startswith(
        (
            "Inconsistent progression sequence",
            "Invalid SOS parameters",
            "Unknown Adobe color transform code",
            "Warning: unknown JFIF revision",
            "Premature end of JPEG file",  # only of the end marker: lost pixels are told as corrupt
        )
    )


def _without_metadata(content: bytes) -> Jpeg:
    parts: list[bytes] = [b"\xff\xd8"]
    frame: tuple[int, bytes] | None = None
    orientation: int | None = None
    scans, interleaved = 0, True
    at = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(content, at)
        if found is None or found[1][0] == _EOI:
            break
        marker, at = found[1][0], found.end()
        if marker in _ALONE:
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        segment, body = content[found.start() : at + length], content[at + 2 : at + length]
        if frame is None and (marker in _UNDECODABLE or marker == _JPEG_LS):
            raise Refused(f"is a {_UNDECODABLE.get(marker, 'JPEG-LS')} JPEG, which is not read: {_SAVE_AS}")
        at += length
        if marker in _FRAMES:
            frame = frame or (marker, body)
            parts.append(segment)
        elif marker in _TABLES:
            parts.append(segment)
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            parts.append(_JFIF)  # tells a decoder that it is YCbCr
        elif marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= 12:
            parts.append(segment)  # tells which colours
        elif marker == _EXIF and body.startswith(b"Exif\0") and orientation is None:
            orientation = exif_orientation(body)
        elif marker == _SOS:
            scans += 1
            interleaved &= frame is None or len(frame[1]) < 6 or body[:1] == frame[1][5:6]
            end = _END_OF_SCAN.search(content, at)
            until = end.start() if end else len(content)
            parts += [segment, content[at:until]]
            at = until
            if end and not _may_follow_a_scan(content[until + 1]):
                parts.append(content[at:])  # overwritten: the decoder is to see it, and object
                break
    else:
        raise Refused(f"is a JPEG of more than {_MAX_SEGMENTS} segments, too many to read in time: save it again")
    if frame is None or not scans:
        raise ValueError("it ends before the picture begins")
    marker, header = frame
    precision, height, width, components = struct.unpack_from(">BHHB", header)
    if precision != 8:
        raise Refused(f"is a JPEG of {precision} bits a colour, which is not read: {_SAVE_AS}")
    return Jpeg(
        stream=b"".join([*parts, b"\xff\xd9"]),
        width=width,
        height=height,
        blocks=_blocks(header, width, height, components),
        scans=scans,
        buffered=marker in _PROGRESSIVE or not interleaved,
        orientation=orientation or 1,
    )


def _may_follow_a_scan(marker: int) -> bool:
    return marker in _TABLES or marker in (_SOS, _EOI, _COMMENT) or 0xE0 <= marker <= 0xEF


def _blocks(header: bytes, width: int, height: int, components: int) -> int:
    factors = [divmod(header[7 + 3 * n], 16) for n in range(components)]
    across, down = max(f[0] for f in factors) or 1, max(f[1] for f in factors) or 1
    return -(-width // (8 * across)) * -(-height // (8 * down)) * sum(h * v for h, v in factors)
