"""What kind of file this is, by its first bytes: suffixes are strangers' claims."""

import re

HEAD = 512
"""How many bytes from the start of a file tell its kind."""

_PICTURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "icon": rb"\x00\x00\x01\x00[^\x00].{4}\x00",
    "anymap": rb"P[1-7]\s|P[fF]\n",
}
_OTHERS = {  # what people try, what it is called, and what they can do
    "PDF document": (rb"\s{0,64}%PDF-", "export the page as a PNG"),
    "PostScript document": (rb"%!PS|\xc5\xd0\xd3\xc6", "export it as a PNG"),
    "SVG drawing": (
        rb"(\xef\xbb\xbf)?\s*(<\?xml.{0,200}?\?>|<!--.{0,400}?-->|<!DOCTYPE\s+svg.{0,300}?>|\s)*<svg[\s>]",
        "export it as a PNG",
    ),
    "Photoshop document": (rb"8BPS", "export it as a PNG or JPEG"),
    "GIMP document": (rb"gimp xcf", "export it as a PNG or JPEG"),
    "OpenEXR picture": (rb"\x76\x2f\x31\x01", "export it as a PNG or JPEG"),
    "Radiance picture": (rb"#\?(RADIANCE|RGBE)", "export it as a PNG or JPEG"),
    "DirectDraw texture": (rb"DDS \x7c", "export it as a PNG or JPEG"),
    "QOI picture": (rb"qoif", "save it as a PNG"),
    "JPEG XR picture": (rb"II\xbc", "save it as a JPEG"),
    "cursor": (rb"\x00\x00\x02\x00[^\x00].{4}\x00", "save it as a PNG"),
    "Apple icon": (rb"icns", "save it as a PNG"),
    "camera's raw picture": (
        rb"FUJIFILMCCD-RAW|....ftypcrx |II\*\0....CR\x02|II(RO|RS|U\0)|MMOR|FOVb|\0MRM",
        "export it as a JPEG",
    ),
    "video": (
        rb"\x1a\x45\xdf\xa3|RIFF....AVI |OggS|FLV\x01|\0\0\x01[\xba\xb3]|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\.RMF|"
        rb"....(moov|mdat|wide|free|skip)|G.{187}G|.{4}G.{191}G",
        "take a picture of it: search for a frame",
    ),
    "sound recording": (rb"ID3|fLaC|RIFF....WAVE|\xff[\xe3\xf3\xfb\xf1\xf9]", "search for a picture"),
    "web page": (rb"\s*<(!doctype html|html)", "save the picture itself"),
    "archive": (rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b", "unpack it"),
}
_BRANDED = re.compile(rb"(....)ftyp", re.DOTALL)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF_BRANDS = {b"mif1", b"msf1", b"mif2", b"miaf"}  # of any coding

_PICTURE_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _PICTURES.items()}
_TIFF = re.compile(rb"II[*+]\0|MM\0[*+]")  # after the raw pictures that begin alike
_OTHER_PATTERNS = {name: re.compile(pattern, re.DOTALL | re.IGNORECASE) for name, (pattern, _) in _OTHERS.items()}

READ = (*_PICTURES, "AVIF", "HEIC", "TIFF")
"""The kinds of picture that are read."""

PLAINLY = "JPEG, PNG, WebP, AVIF, HEIC, JPEG XL, JPEG 2000, GIF, BMP, TIFF, ICO or PNM"
"""They in words."""


def picture_kind(head: bytes) -> str | None:
    """The kind of picture, one of `READ`, that begins with these bytes, or None."""
    main, compatible = _brands(head)
    # A file may list several; its own comes first. A video, too, may list a brand of pictures.
    for brands in ({main}, compatible if main in _HEIF_BRANDS else set()):
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIC"
    if main in _HEIF_BRANDS:
        return "HEIC"
    told = next((kind for kind, pattern in _PICTURE_PATTERNS.items() if pattern.match(head)), None)
    return told or ("TIFF" if other_kind(head) is None and _TIFF.match(head) else None)


def other_kind(head: bytes) -> str | None:
    """What a file that is no picture is called ("PDF document"), where its first bytes tell."""
    told = next((name for name, pattern in _OTHER_PATTERNS.items() if pattern.match(head)), None)
    return told or ("video" if _brands(head)[0] else None)


def instead(kind: str) -> str:
    """What to do with a file of this other kind."""
    return _OTHERS[kind][1]


def _brands(head: bytes) -> tuple[bytes, set[bytes]]:
    """The brand that a file made of ISO boxes declares, and those it is compatible with."""
    box = _BRANDED.match(head)
    if box is None:
        return b"", set()
    listed = head[8 : min(int.from_bytes(box[1], "big"), HEAD)]
    return listed[:4], {listed[at : at + 4] for at in range(8, len(listed), 4)}
