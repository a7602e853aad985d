"""Which videos browsers play by themselves."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

_KINDS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}  # not .ts, .mpg, .avi and .mkv


def playable_kind(address: str) -> str | None:
    """The media type as which a browser plays the file at a path or http address; None where it plays it not.

    Judged by the suffix: pages of video sites are None, too.
    """
    parts = urlsplit(address) if "://" in address else None
    if parts is not None and parts.scheme not in ("http", "https"):
        return None
    return _KINDS.get(PurePosixPath(parts.path if parts else address).suffix.lower())
