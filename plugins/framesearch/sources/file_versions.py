"""Local files by what they hold: what tells that one was replaced, and that it is still the one that was listed."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from framesearch.errors import VideoNotYet, VideoUnavailable
from framesearch.records import FileVersion, Reason
from framesearch.sources.addresses import readable

BLOCKS = 8
BLOCK_BYTES = 16_384


def open_regular(path: Path) -> int:
    """A descriptor of a regular file, for reading. Follows no link; opens no pipe, which would wait, and no device.

    Raises:
        OSError: it can't be read, is a link, or no regular file (EINVAL).
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it was when it was looked at
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


def file_version(path: Path, known: FileVersion | None = None) -> FileVersion:
    """What a file holds: its size, and a digest of blocks spread evenly over it, the first and the last among them.

    A film of other content differs somewhere in these, as does one that was only half there; the whole is not read,
    since a folder may hold terabytes.

    Args:
        known: what was found before: returned as it is, and nothing opened, where size and modification time are the
            same.

    Raises:
        OSError: as `open_regular`.
    """
    if known is not None and known.stamp == _stamp(os.lstat(path)):
        return known
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
        size = status.st_size
        digest = hashlib.sha256()
        last = max(0, size - BLOCK_BYTES)
        for number in range(BLOCKS):
            digest.update(os.pread(descriptor, BLOCK_BYTES, last * number // (BLOCKS - 1)))
        return FileVersion(f"{size}-{digest.hexdigest()[:20]}", _stamp(status))
    finally:
        os.close(descriptor)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def is_itself(path: Path) -> bool:
    """Whether a listed path leads to no other place: links are resolved when a folder is listed, see `files`."""
    return os.path.realpath(path) == os.fspath(path)


def listed_file(path: Path) -> Path:
    """A listed file that is still where, and of the kind, it was when it was listed.

    Raises:
        VideoUnavailable: it is gone, or its path leads elsewhere now.
        VideoNotYet: it can't be opened.
    """
    shown = readable(os.fspath(path))
    if not is_itself(path):
        raise VideoUnavailable(
            f"{shown} leads to another place now, {readable(os.path.realpath(path))}: it is not followed. List the "
            "folder again",
            Reason.FORBIDDEN,
        )
    try:
        os.close(open_regular(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoUnavailable(f"{shown} is no longer there: put it back, or ignore this", Reason.DELETED) from error
    except OSError as error:
        raise VideoNotYet(f"{shown} can't be opened: {error.strerror}", Reason.UNKNOWN) from error
    return path


def served_file(path: Path) -> Path | None:
    """The same where a page asks for it: None where it can't be had."""
    try:
        return listed_file(path)
    except (VideoUnavailable, VideoNotYet, ValueError):
        return None
