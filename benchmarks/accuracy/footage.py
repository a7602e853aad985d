"""The videos of a folder: which show the same film, and which are held out as "not in the library"."""

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from framesearch.settings import Settings
from framesearch.sources.playlists import list_playlist

HELD_OUT_SHARE = 0.25  # of the films, where nobody says which


class WrongChoice(Exception):
    """What was asked for does not fit the folder; the message says what would."""


@dataclass(frozen=True, slots=True)
class Footage:
    """The videos of a folder.

    Attributes:
        files: absolute and resolved, in order of their paths.
        film: of each file, the number of the film that it shows; copies of a film have the same.
    """

    files: tuple[Path, ...]
    film: tuple[int, ...]

    def film_of(self, file: Path) -> int:
        """The film that a file shows."""
        return self.film[self.files.index(file)]

    def of_films(self, films: set[int]) -> tuple[Path, ...]:
        """The files that show one of these films."""
        return tuple(file for file, film in zip(self.files, self.film, strict=True) if film in films)


def read_footage(folder: Path, copies: Sequence[str], settings: Settings) -> Footage:
    """List a folder as framesearch lists it.

    Args:
        copies: each the names of files, separated by commas, that show the same film.

    Raises:
        WrongChoice: a name that no file has, or more than one.
        framesearch.errors.PlaylistUnavailable: no folder, or no video in it.
    """
    return grouped({Path(video.url).resolve() for video in list_playlist(str(folder), settings).videos}, copies)


def grouped(videos: Iterable[Path], copies: Sequence[str]) -> Footage:
    """Videos with those that show the same film together.

    Raises:
        WrongChoice: a name in `copies` that no file has, or more than one.
    """
    files = tuple(sorted(videos))
    film = list(range(len(files)))
    for group in copies:
        places = [files.index(named(files, name)) for name in group.split(",")]
        first = min(film[place] for place in places)
        merged = {film[place] for place in places}
        film = [first if number in merged else number for number in film]
    return Footage(files, tuple(film))


def named(files: Sequence[Path], name: str) -> Path:
    """The file of this name, with or without its suffix.

    Raises:
        WrongChoice: there is none, or there are several.
    """
    found = [file for file in files if name.strip() in (file.name, file.stem)]
    if len(found) != 1:
        told = "several videos are" if found else "no video is"
        raise WrongChoice(f"{told} called {name!r}: name one of {', '.join(file.name for file in files)}")
    return found[0]


def held_out(footage: Footage, choice: str | None, seed: int) -> tuple[Path, ...]:
    """The files to keep out of the library, whole films.

    Args:
        choice: a number of films, drawn by the seed; or names, separated by commas; None for a quarter of the films.

    Raises:
        WrongChoice: a name that no file has, or nothing would be left to index.
    """
    films = sorted(set(footage.film))
    if choice is not None and not choice.strip().isdigit():
        chosen = {footage.film_of(named(footage.files, name)) for name in choice.split(",")}
    else:
        count = int(choice) if choice is not None else round(HELD_OUT_SHARE * len(films))
        chosen = set(random.Random(f"{seed}|held out").sample(films, min(count, len(films))))
    if len(chosen) == len(films):
        raise WrongChoice(f"all {len(films)} films would be held out, and nothing indexed: hold out fewer")
    return footage.of_films(chosen)


def fingerprint(*told: object) -> str:
    """A short digest of what something was made from, to tell whether a kept result is still of it."""
    return hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()[:16]
