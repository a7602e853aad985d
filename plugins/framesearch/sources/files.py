"""Local playlists: a folder of video files, or one file.

One member never costs the others: what can't be read, leads out of the folder or is no video is passed over and counted
in the listing's note, by kind, with its name where somebody may want to do something about it.
"""

import errno
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from framesearch.errors import PlaylistUnavailable
from framesearch.records import FileVersion, ListedVideo
from framesearch.sources.addresses import file_address, readable
from framesearch.sources.file_kinds import (
    HEAD_BYTES,
    HIDDEN,
    HIDDEN_FOLDER,
    ORDINARY,
    is_hidden_folder,
    kind_by_content,
    kind_by_name,
)
from framesearch.sources.file_versions import file_version, open_regular
from framesearch.sources.passed_over import PassedOver
from framesearch.sources.video_ids import digest, slug
from framesearch.text import safe_text


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The videos of a folder, by path, and what was passed over, in words; None where nothing was."""

    videos: list[ListedVideo]
    note: str | None = None


def list_files(path: Path, known: Mapping[str, FileVersion], *, follow_links: bool = False) -> FolderListing:
    """The videos of a folder and its sub-folders, by path; or the one file that is named, whatever its suffix.

    Args:
        path: with its links resolved.
        known: versions of files as they were listed before, by id.
        follow_links: whether links in the folder may lead out of it.

    Raises:
        PlaylistUnavailable: it is not there, can't be read or holds no video file.
    """
    shown = readable(os.fspath(path))
    try:
        if path.is_dir():
            return _list_folder(path, known, follow_links)
        return FolderListing([_listed(path, path, file_version(path, known.get(file_id(path))))])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PlaylistUnavailable(f"there is no folder or file {shown}: check the playlist's path") from error
    except OSError as error:
        raise PlaylistUnavailable(f"{shown} can't be read: {error.strerror}") from error


def _list_folder(folder: Path, known: Mapping[str, FileVersion], follow_links: bool) -> FolderListing:
    walk = _Walk(folder, follow_links)
    videos = []
    for listed, real in sorted((listed, real) for real, listed in walk.files.items()):
        version = _version_of_video(listed, real, known, walk.passed_over)
        if version is not None:
            videos.append(_listed(listed, real, version))
    note = walk.passed_over.note()
    if not videos:
        told = f" ({note})" if note else ""
        raise PlaylistUnavailable(f"folder {readable(os.fspath(folder))} holds no video file{told}: put some there")
    return FolderListing(videos, note)


def _listed(listed: Path, real: Path, version: FileVersion) -> ListedVideo:
    return ListedVideo(file_id(listed), file_address(real), safe_text(listed.stem), version=version)


def file_id(file: Path) -> str:
    """The id of a local video."""
    # The path tells files of one name in two folders apart; a file listed by two playlists is one video.
    return f"file-{slug(file.stem)}-{digest(os.fspath(file))}"


def _version_of_video(
    listed: Path, real: Path, known: Mapping[str, FileVersion], passed_over: PassedOver
) -> FileVersion | None:
    """The version of a file that is taken as a video, None for others."""
    kind, seen = kind_by_name(listed.name), known.get(file_id(listed))
    try:
        if kind is None and seen is None:
            kind = kind_by_content(listed.name, _head(real))
        if not kind:
            version = file_version(real, seen)
            if kind is None and version != seen:  # what was taken for its content has another one now
                kind = kind_by_content(listed.name, _head(real))
    except OSError as error:
        kind = _trouble(error, "file")
    if not kind:
        return version
    passed_over.add(kind, "" if kind in ORDINARY else listed.name)
    return None


def _head(path: Path) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(HEAD_BYTES)


class _Walk:
    """All files of a folder: the path that each is listed under, by the path where it really is.

    Links are followed after all that lies in the folder itself, so that what they lead to is listed under its own path
    where it has one there, and once in any case.
    """

    def __init__(self, top: Path, follow_links: bool) -> None:
        self.files: dict[Path, Path] = {}
        self.passed_over = PassedOver()
        self._top, self._follow_links = top, follow_links
        self._seen: set[Path] = set()  # folders, by where they really are
        self._links: deque[Path] = deque()  # in the folder, or in what other links lead to
        os.scandir(top).close()  # a folder that can't be read at all is no playlist
        self._walk(top, top)
        while self._links:
            self._follow(self._links.popleft())

    def _walk(self, listed: Path, real: Path) -> None:
        pending = deque([(listed, real)])
        while pending:
            listed, real = pending.popleft()
            if real in self._seen:
                continue
            self._seen.add(real)
            try:
                with os.scandir(real) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.passed_over.add(_trouble(error, "folder"), listed.name)
                continue
            for entry in found:
                try:
                    if self._is_folder(entry, listed, real):
                        pending.append((listed / entry.name, real / entry.name))
                except OSError as error:  # some file systems are asked for each entry's type
                    self.passed_over.add(_trouble(error, "file"), entry.name)

    def _is_folder(self, entry: os.DirEntry[str], listed: Path, real: Path) -> bool:
        """Whether an entry is a folder to be walked, too; what else it is, is noted."""
        if entry.is_symlink():
            if entry.name.startswith("."):
                self.passed_over.add(HIDDEN)
            else:
                self._links.append(listed / entry.name)
        elif not entry.is_dir(follow_symlinks=False):
            self._add(listed / entry.name, real / entry.name, is_file=entry.is_file(follow_symlinks=False))
        elif is_hidden_folder(entry.name):
            self.passed_over.add(HIDDEN_FOLDER)
        else:
            return True
        return False

    def _add(self, listed: Path, real: Path, *, is_file: bool) -> None:
        if is_file:
            self.files.setdefault(real, listed)
        else:
            self.passed_over.add("special file", listed.name)

    def _follow(self, link: Path) -> None:
        try:
            real = Path(os.path.realpath(link, strict=True))
            if not self._follow_links and not real.is_relative_to(self._top):
                self.passed_over.add("link out of the folder", link.name)
            elif real.is_dir():
                self._walk(link, real)
            else:
                self._add(link, real, is_file=real.is_file())
        except OSError as error:
            self.passed_over.add(_trouble(error, "link"), link.name)


def _trouble(error: OSError, what: str) -> str:
    """What is wrong with a member of a folder, in words."""
    if error.errno == errno.ELOOP:
        return "circular link"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "link that leads nowhere" if what == "link" else f"{what} that vanished"
    return f"{what} that can't be read"
