"""What a playlist's address means: a site, or a file or folder on this machine."""

import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from framesearch.sources.file_kinds import VIDEO_SUFFIXES
from framesearch.text import safe_text

_SITE = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?([/?]|$)")  # such as "www.youtube.com/@channel"
_LONGEST = 4096  # characters of an address or path that are shown


def normalise(url: str, folder: Path | None = None) -> str:
    """One name for a playlist however it was written: that of `file_address` for what is local, else the address.

    A path is recognised by being there, by its form (`/`, `./`, `~`) or by a video file's suffix. Never raises, and
    what it returns is well-formed text, whatever was given. Every way to name a playlist (command line, `make up`,
    settings, the DAG's form) goes by this one rule.

    Args:
        folder: that relative paths start from; the working folder by default.
    """
    url = url.strip()
    try:
        path = _path_of(url, folder)
        if path is not None:
            return file_address(Path(os.path.realpath(path)))  # Path.resolve fails on circular links
        url = f"https://{url}" if _SITE.match(url) else url
    except ValueError:  # no file can have such a name, as listing it will tell
        pass
    return safe_text(url, _LONGEST) if _is_no_text(url) else url


def _path_of(url: str, folder: Path | None) -> str | None:
    """The path that was written, None where it is the address of a site."""
    if url.lower().startswith("file://"):
        return os.fsdecode(unquote_to_bytes("/" + url[len("file://") :].partition("/")[2]))
    if "://" in url:
        return None
    path = os.path.join(folder or "", os.path.expanduser(url))  # noqa: PTH111, PTH118 - Path's own fails on unknown users
    if os.path.exists(path) or url.startswith(("/", ".", "~")) or Path(path).suffix.lower() in VIDEO_SUFFIXES:  # noqa: PTH110 - Path's own fails on what is no path
        return path
    # Such as "ytsearch5:words".
    return None if re.match(r"[A-Za-z][\w+.-]*:", url) or _SITE.match(url) else path


def file_address(path: Path) -> str:
    """How the catalogue names a local file or folder: its absolute path; one that is not UTF-8 as a `file:` URI."""
    return path.as_uri() if _is_no_text(os.fspath(path)) else os.fspath(path)


def _is_no_text(name: str) -> bool:
    """Whether it holds lone surrogates, which stand for bytes that are no UTF-8."""
    return not name.isascii() and any(0xD800 <= ord(character) < 0xE000 for character in name)


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
    return safe_text(url if path is None else path, longest=_LONGEST)


def is_loopback(url: str) -> bool:
    """Whether the address is this machine, which needs no politeness."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
