"""What a playlist's address means: a site, or a file or folder on this machine."""

import ipaddress
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from framesearch.sources.files import VIDEO_SUFFIXES


def normalise(url: str) -> str:
    """One name for a playlist however it was written: an absolute path for what is local, else the address.

    A path is recognised by being there, by its form (`/`, `./`, `~`) or by a video file's suffix.
    """
    url = url.strip()
    if url.lower().startswith("file://"):
        return str(Path(unquote(urlsplit(url).path)).resolve())
    if "://" in url:
        return url
    path = Path(url).expanduser()
    if path.exists() or url.startswith(("/", ".", "~")) or path.suffix.lower() in VIDEO_SUFFIXES:
        return str(path.resolve())
    if re.match(r"[a-z][\w+-]*:", url):  # such as "ytsearch5:words"
        return url
    if re.match(r"[\w-]+(\.[\w-]+)+(/|$)", url):  # such as "www.youtube.com/@channel"
        return f"https://{url}"
    return str(path.resolve())


def is_local(url: str) -> bool:
    """Whether a normalised address is a path on this machine."""
    return url.startswith("/")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine, which needs no politeness."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
