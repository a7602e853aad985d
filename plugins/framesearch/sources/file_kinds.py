"""Which files of a folder are taken as videos: by their names where those say enough, else by how they begin.

Sources: the containers' own specifications, and the probes of FFmpeg's demuxers (libavformat).
"""

from collections.abc import Iterable


def _suffixes(text: str) -> frozenset[str]:
    return frozenset(f".{suffix}" for suffix in text.split())


VIDEO_SUFFIXES = _suffixes(
    "264 265 3g2 3gp 3gp2 3gpp amv asf av1 avc avi avs2 avs3 bik bk2 braw cine dav dif divx dv dvr-ms evo f4p f4v flc"
    " fli flv gxf h261 h263 h264 h265 hevc h266 ivf ismv k3g m1v m2p m2t m2ts m2v m4v mj2 mjp2 mjpeg mjpg mk3d mkv mod"
    " mov mp4 mp4v mpe mpeg mpg mpv mqv mts mve mvi mxf nsv nut nuv obu ogm ogv ogx pva qt rm rmvb roq rv smk thp tod"
    " trp trec ts tts ty vc1 vid viv vivo vob vro vvc webm wm wmd wmv wtv y4m xesc yuv4mpeg"
)
"""Of videos: taken without a look at the content, so that one that can't be read yet is tried again."""

_ALSO_TEXT = _suffixes("mod mts ts")  # TypeScript and other sources have them, too

# Pictures, sound and subtitles are known by name alone: their containers are those of videos (HEIC, M4A, WMA, VobSub).
_PICTURES = _suffixes(
    "ai arw avif bmp cr2 cr3 dng emf eps gif heic heif ico jfif jp2 jpe jpeg jpg jxl nef orf png psd raf raw rw2 svg"
    " tga tif tiff webp wmf xcf"
)
_SOUND = _suffixes(
    "aac aax ac3 aif aifc aiff alac amr ape au caf dsf dts eac3 flac m4a m4b m4p m4r mid midi mka mp2 mp3 mpa mpc oga"
    " opus ra tta wav wma wv"
)
_SUBTITLES = _suffixes("ass dfxp idx lrc sbv smi srt ssa sub sup ttml usf vtt")

# Of the others only the content says what they are; these are the words for them where it is no video.
_TEXTS = _suffixes(
    "csv doc docx epub htm html ics ini json key log markdown md mobi nfo numbers odp ods odt pages pdf ppt pptx rtf"
    " tex text tsv txt xls xlsx xml yaml yml"
)
_ARCHIVES = _suffixes("7z bz2 cab dmg gz iso lz4 lzma rar rpm tar tbz2 tgz txz xz zip zst")
_DOWNLOADING = _suffixes("!qb !ut aria2 bc! crdownload download filepart opdownload part partial temp tmp ytdl")
_SYSTEM_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini"))
_SYSTEM_FOLDERS = frozenset(("$recycle.bin", "#recycle", "@eadir", "@recycle", "system volume information"))
_DOWNLOAD_MARK = "zone.identifier"  # what Windows puts beside a download

HEAD_BYTES = 4096  # of a file that are looked at

HIDDEN = "hidden file"
HIDDEN_FOLDER = "hidden folder"
PICTURE, SOUND, SUBTITLES, TEXT, ARCHIVE = "picture", "sound file", "subtitle file", "text", "archive"
SYSTEM_FILE = "system file"
DOWNLOADING = "file that is still being downloaded"
UNKNOWN = "file that is no known kind of video"
ORDINARY = frozenset((HIDDEN, HIDDEN_FOLDER, PICTURE, SOUND, SUBTITLES, TEXT, ARCHIVE, SYSTEM_FILE))
"""Kinds that are counted; of all others a note gives names, too."""

_BY_NAME = ((PICTURE, _PICTURES), (SOUND, _SOUND), (SUBTITLES, _SUBTITLES), (DOWNLOADING, _DOWNLOADING))


def is_hidden_folder(name: str) -> bool:
    """Whether people don't see the folder either: dot folders, recycle bins, thumbnails of a file server."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def kind_by_name(name: str) -> str | None:
    """What a file that is no video is, in words; "" for a video, None where the name alone does not say."""
    lower = name.lower()
    suffix = _suffix(lower)
    if name.startswith("."):
        return HIDDEN
    if lower in _SYSTEM_FILES or lower.endswith(_DOWNLOAD_MARK):
        return SYSTEM_FILE
    if suffix in VIDEO_SUFFIXES - _ALSO_TEXT:
        return ""
    if suffix.startswith(".part-frag"):
        return DOWNLOADING
    return next((kind for kind, suffixes in _BY_NAME if suffix in suffixes), None)


def kind_by_content(name: str, head: bytes) -> str:
    """As `kind_by_name`, where that leaves it open: `head` is how the file begins."""
    suffix = _suffix(name.lower())
    if suffix in _ALSO_TEXT and not _is_text(head):
        return ""
    if is_video(head):
        return ""
    by_magic = (kind for kind, magic in _OTHER_MAGIC if head.startswith(magic))
    by_suffix = (kind for kind, suffixes in ((ARCHIVE, _ARCHIVES), (TEXT, _TEXTS)) if suffix in suffixes)
    return next(by_magic, None) or next(by_suffix, None) or (TEXT if _is_text(head) else UNKNOWN)


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return dot + suffix if stem else ""


def _is_text(head: bytes) -> bool:
    return bool(head) and not any(byte < 0x20 and byte not in b"\t\n\r\f\x1b" for byte in head)


_MAGIC = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    bytes.fromhex("3026b2758e66cf11"),  # ASF
    bytes.fromhex("b7d800203749da11"),  # WTV
    bytes.fromhex("060e2b34020501010d0102"),  # MXF
    bytes.fromhex("0000000001bc"),  # GXF
    bytes.fromhex("f5467abd"),  # TiVo
    b"\x1f\x07\x00",  # DV
    b"\x12\x00\x0a",  # AV1, a stream of OBUs
    b"FLV\x01",
    b".RMF\x00",  # RealMedia
    b"DKIF\x00\x00",  # IVF
    b"YUV4MPEG2 ",
    b"nut/multimedia container\x00",
    b"NuppelVideo",
    b"MythTVVideo",
    b"NSVf",
    b"NSVs",
    b"DHAV",  # Dahua's recorders
    b"IMKH",  # Hikvision's
)
_OTHER_MAGIC = (
    (PICTURE, (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\x00", b"MM\x00*", b"8BPS")),
    (SOUND, (b"OggS", b"fLaC", b"ID3", b"FORM", b"MThd")),
    (ARCHIVE, (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")),
)
_BOXES = (b"moov", b"mdat", b"moof", b"wide", b"free", b"skip", b"pnot", b"styp", b"sidx")
_BRANDS_OF_OTHERS = frozenset(  # pictures and sound in the container of MP4
    f"{brand:<4}".encode()
    for brand in ("avif avis heic heix heim heis hevc hevx mif1 msf1 jp2 jpm jpx jxl crx M4A M4B M4P F4A F4B".split())
)
_OGG_VIDEO = (b"\x80theora", b"BBCD\x00", b"OVP80", b"\x01video\x00", b"\x00fishead", b"fishead\x00")
_PACKET_SIZES = (188, 192, 204)  # of MPEG transport streams: plain, with times before, with parity behind


def is_video(head: bytes) -> bool:
    """Whether a file that begins like this is of a container or stream of video that `video` reads."""
    if head.startswith(_MAGIC):
        return True
    if _is_text(head):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in _BRANDS_OF_OTHERS
    if head[4:8] in _BOXES:
        return True
    if head[:4] == b"RIFF":
        return head[8:12] in (b"AVI ", b"AVIX", b"AMV ", b"CDXA")
    if head[:4] == b"OggS":
        return any(mark in head for mark in _OGG_VIDEO)
    if head[:3] in (b"FWS", b"CWS"):  # Flash
        return 3 < head[3] < 50  # its version
    return _is_start_code(head) or _is_transport_stream(head)


def _is_start_code(head: bytes) -> bool:
    """MPEG program and elementary streams; H.264 and H.265 as bare streams, with parameter sets or delimiter first."""
    code = head[1:] if head.startswith(b"\x00\x00\x00\x01") else head
    if len(code) < 4 or not code.startswith(b"\x00\x00\x01"):
        return False
    kind = code[3]
    mpeg = kind in (0xBA, 0xB3, 0xB0)
    return mpeg or (kind < 0x80 and (kind & 0x1F in (7, 9) or kind >> 1 in (32, 33, 35)))


def _is_transport_stream(head: bytes) -> bool:
    return any(
        all(head[place : place + 1] == b"\x47" for place in range(start, start + 5 * size, size))
        for size in _PACKET_SIZES
        for start in _places(head[:size], 0x47)
    )


def _places(head: bytes, byte: int) -> Iterable[int]:
    return (place for place, value in enumerate(head) if value == byte)
