"""One entry of a playlist as yt-dlp gives it, whose values may be of any type: made a `ListedVideo`."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urldefrag, urlsplit

from framesearch.records import ListedVideo
from framesearch.sources.reach import PORTS
from framesearch.sources.video_ids import digest, slug
from framesearch.text import safe_text

_LONGEST_ADDRESS = 4096  # characters


class UnusableEntry(Exception):
    """An entry that is no video.

    Attributes:
        kind: what it is instead, as `PassedOver` counts it.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def listed_entry(entry: Mapping[str, Any]) -> ListedVideo:
    """The video that an entry of a playlist stands for.

    Raises:
        UnusableEntry: it names no video on the web.
    """
    from yt_dlp.utils import unsmuggle_url

    address = entry.get("url") or entry.get("webpage_url")
    if not isinstance(address, str) or not address:
        raise UnusableEntry("entry without an address")
    address, smuggled = unsmuggle_url(address, {})
    return listed_video({"id": smuggled.get("force_videoid"), **entry}, address)


def listed_video(info: Mapping[str, Any], address: str) -> ListedVideo:
    """The video at an address, with what yt-dlp tells of it.

    Raises:
        UnusableEntry: the address is no web address.
    """
    url = _web_address(address)
    extractor = (text(info.get("ie_key")) or text(info.get("extractor_key")) or "generic").lower()
    given = info.get("id")
    name = (given if isinstance(given, str) else text(given)) or PurePosixPath(urlsplit(address).path).stem
    video_id = f"{slug(extractor)}-{slug(name)}"
    # A generic "id" is the address's last part, or whatever a feed says: only the address is unique.
    if extractor == "generic":
        video_id += f"-{digest(urldefrag(address).url)}"
    elif slug(name) != name:
        video_id += f"-{digest(name)}"
    return ListedVideo(video_id, url, text(info.get("title")) or safe_text(name), seconds(info.get("duration")))


def _web_address(address: str) -> str:
    """The address in printable ASCII."""
    from yt_dlp.utils.networking import normalize_url

    try:
        if urlsplit(address).scheme.lower() not in PORTS:
            raise UnusableEntry("entry that is no web address")
        url = address if address.isascii() and address.isprintable() else str(normalize_url(address))
    except ValueError as error:  # such as an IPv6 address without its bracket, or surrogates
        raise UnusableEntry("entry that is no web address") from error
    if len(url) > _LONGEST_ADDRESS or not (url.isascii() and url.isprintable()):
        raise UnusableEntry("entry that is no web address")
    return url


def text(value: object) -> str | None:
    """What a site gives as a title or name, as safe text; None where it is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return safe_text(value) or None if isinstance(value, str) else None


def seconds(value: object) -> float | None:
    """What a site gives as a length, as seconds; None where it is none."""
    from yt_dlp.utils import parse_duration

    if isinstance(value, str):  # such as "12:34"
        value = parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        length = float(value)
    except OverflowError:
        return None
    return length if math.isfinite(length) and length > 0 else None


def entry_name(entry: object) -> str:
    """How a note names an entry of a playlist."""
    if not isinstance(entry, Mapping):
        return "" if entry is None else safe_text(repr(entry))
    named = (text(entry.get(key)) for key in ("title", "id", "url", "webpage_url"))
    return next((name for name in named if name), "an entry without a name")
