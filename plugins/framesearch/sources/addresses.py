"""What a playlist's address means: a site, or a file or folder on this machine."""

import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from framesearch.sources.file_kinds import VIDEO_SUFFIXES
from framesearch.text import safe_text


def normalise(url: str) -> str:
    """One name for a playlist however it was written: that of `file_address` for what is local, else the address.

    A path is recognised by being there, by its form (`/`, `./`, `~`) or by a video file's suffix.
    """
    url = url.strip()
    if url.lower().startswith("file://"):
        return _resolved(os.fsdecode(unquote_to_bytes("/" + url[len("file://") :].partition("/")[2])))
    if "://" in url:
        return url
    path = os.path.expanduser(url)  # noqa: PTH111 - Path's own fails on unknown users
    if os.path.exists(path) or url.startswith(("/", ".", "~")) or Path(path).suffix.lower() in VIDEO_SUFFIXES:  # noqa: PTH110 - Path's own fails on what is no path
        return _resolved(path)
    if re.match(r"[a-z][\w+-]*:", url):  # such as "ytsearch5:words"
        return url
    if re.match(r"[\w-]+(\.[\w-]+)+(/|$)", url):  # such as "www.youtube.com/@channel"
        return f"https://{url}"
    return _resolved(path)


def _resolved(path: str) -> str:
    try:
        return file_address(Path(os.path.realpath(path)))  # Path.resolve fails on circular links
    except ValueError:  # it holds a null byte: no file has such a name, as listing it will tell
        return file_address(Path(path).absolute())


def file_address(path: Path) -> str:
    """How the catalogue names a local file or folder: its absolute path; one that is not UTF-8 as a `file:` URI."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return os.fspath(path)


def local_path(url: str) -> Path | None:
    """The path that `file_address` named; None for an address of a site."""
    if url.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(url.removeprefix("file://"))))
    return Path(url) if url.startswith("/") else None


def is_local(url: str) -> bool:
    """Whether a normalised address is a path on this machine."""
    return local_path(url) is not None


def readable(url: str) -> str:
    """An address or path as it is shown to people: one line, bytes that are no text replaced."""
    path = local_path(url)
    return safe_text(url if path is None else path, longest=4096)


def is_loopback(url: str) -> bool:
    """Whether the address is this machine, which needs no politeness."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
