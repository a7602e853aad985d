"""Local playlists: a folder of video files, or one file."""

import os
from collections.abc import Iterator
from pathlib import Path

from framesearch.errors import PlaylistUnavailable
from framesearch.records import ListedVideo
from framesearch.sources.video_ids import digest, slug
from framesearch.text import safe_text

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogm .ogv .ts .vob .webm .wmv".split()
)


def list_files(path: Path) -> list[ListedVideo]:
    """The videos of a folder and its sub-folders, by path; or the one file that is named.

    Raises:
        PlaylistUnavailable: it is not there, can't be read or holds no video file.
    """
    if path.is_file():
        files = [path]
    elif path.is_dir():
        try:
            files = sorted(_video_files(path))
        except OSError as error:
            raise PlaylistUnavailable(f"folder {path} can't be read: {error.strerror}") from error
        if not files:
            raise PlaylistUnavailable(
                f"folder {path} holds no video file: put some there ({', '.join(sorted(VIDEO_SUFFIXES))})"
            )
    else:
        raise PlaylistUnavailable(f"there is no folder or file {path}: check the playlist's path")
    return [ListedVideo(file_id(file), str(file), safe_text(file.stem)) for file in files]


def _video_files(folder: Path) -> Iterator[Path]:
    """Video files in a folder and below, by their suffix; hidden ones and links to other folders are left out."""
    for parent, names, files in os.walk(folder, onerror=_raise):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            file = Path(parent, name)
            if not name.startswith(".") and file.suffix.lower() in VIDEO_SUFFIXES and file.is_file():
                yield file


def _raise(error: OSError) -> None:
    raise error


def file_id(file: Path) -> str:
    """The id of a local video."""
    # The path tells files of one name in two folders apart; a file listed by two playlists is one video.
    return f"file-{slug(file.stem)}-{digest(os.fspath(file))}"
