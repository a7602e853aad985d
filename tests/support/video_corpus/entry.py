"""What one file of the corpus is, and what is right of it."""

from dataclasses import dataclass

from framesearch.records import Reason
from video_corpus.writing import Recipe


@dataclass(frozen=True)
class Entry:
    """A file that the tests write, and what the reader must make of it.

    By default every picture that was drawn into it must come out, at the time that is drawn into it and at which the
    ffmpeg program shows it, with the pixels that ffmpeg shows, and nothing may be said to be missing.

    Attributes:
        name: of the file.
        what: it is, as the documentation's table says it.
        write: writes it and returns the right times.
        sound: whether it has sound, from whose start ffmpeg may count times.
        track: of those that are video, the film, as ffmpeg names it.
        rgb: whether its pixels are stored as red, green and blue, or gray: then they go another way through the scaler.
        clocks: whether the pictures are sharp enough for the time drawn into them to be read.
        aspects: in which pictures are to be seen, one after the other, where ffmpeg's filters keep to the first.
        may_miss: how many of the right pictures may be left out, because the file is damaged.
        may_smear: how many pictures may come out that show not what was drawn, for the same reason.
        shortfall: a pattern that must be found in what the reader says is missing; empty where it may say something or
            nothing.
        refused: why the file gives nothing; with `says`, a pattern that must be found in the message.
        unlike_ffmpeg: why ffmpeg's times or pictures are not the right ones here; the drawn ones alone count then.
        levels: by how much pixels may differ from ffmpeg's on average; by default by nothing, unless they
            are scaled.
        within_s: how exactly the container tells times.
    """

    name: str
    what: str
    write: Recipe
    sound: bool = False
    track: str = "v:0"
    rgb: bool = False
    clocks: bool = True
    aspects: tuple[float, ...] = ()
    may_miss: int = 0
    may_smear: int = 0
    shortfall: str | None = None
    refused: Reason | None = None
    says: str = ""
    unlike_ffmpeg: str = ""
    levels: float = 0.0
    within_s: float = 1.1e-3

    @property
    def right(self) -> str:
        """What is right, in words, for the table."""
        if self.refused:
            return f"refused: {self.refused.value.replace('_', ' ')}"
        words = ["partial" if self.shortfall else "ready" if self.shortfall is None else "ready or partial"]
        if self.may_miss:
            words.append(f"up to {self.may_miss} pictures lost")
        if self.may_smear > 1:
            words.append(f"up to {self.may_smear} smeared")
        if self.within_s > 0.002:
            words.append(f"times within {self.within_s * 1000:.0f} ms")
        if self.levels:
            words.append(f"pixels within {self.levels:g} levels on average")
        return ", ".join(words)
