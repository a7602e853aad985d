"""Which files of a folder are pictures, told by what they hold, and what the others are."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from framesearch.errors import ImageUnreadable
from framesearch.images.formats.kinds import HEAD, other_kind, picture_kind
from framesearch.text import safe_text

_NAMED = 5  # files of each kind that are named


@dataclass(frozen=True)
class PictureFolder:
    """A folder's files, sorted by name.

    Attributes:
        pictures: those of a kind that is read, whatever their suffix.
        passed_over: the others, by what they are called ("video").
    """

    folder: Path
    pictures: list[Path]
    passed_over: dict[str, list[Path]]

    def note(self) -> str | None:
        """What was passed over, in one sentence; None where nothing was."""
        count = sum(map(len, self.passed_over.values()))
        folder = safe_text(self.folder)
        if not count:
            return None if self.pictures else f"{folder} is empty: no picture to search for"
        kinds = "; ".join(_listed(kind, files) for kind, files in sorted(self.passed_over.items()))
        return (
            f"{folder}: {count} passed over, not {'a picture' if count == 1 else 'pictures'} that can be read: {kinds}"
        )


def picture_folder(folder: Path) -> PictureFolder:
    """Sort a folder's files; folders in it are passed over.

    Raises:
        ImageUnreadable: the folder can't be listed.
    """
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise ImageUnreadable(f"{safe_text(folder)} can't be read: {error.strerror or error}") from error
    pictures, passed_over = [], defaultdict(list)
    for file in files:
        other = _other_than_picture(file)
        if other is None:
            pictures.append(file)
        else:
            passed_over[other].append(file)
    return PictureFolder(folder, pictures, dict(passed_over))


def _other_than_picture(file: Path) -> str | None:
    """What a file is called that is no picture; None for a picture."""
    try:
        if file.is_dir():
            return "folder"
        if not file.is_file():  # a pipe would be waited on, a dangling link leads nowhere
            return "special file"
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return "unreadable file"
    if not head:
        return "empty file"
    return None if picture_kind(head) else other_kind(head) or "file of another kind"


def _listed(kind: str, files: list[Path]) -> str:
    named = ", ".join(safe_text(file.name, 80) for file in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    plural = "files" + kind.removeprefix("file") if kind.startswith("file") else kind + "s"
    return f"{len(files)} {kind if len(files) == 1 else plural} ({named}{more})"
