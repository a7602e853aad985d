"""How people write things that several faces show."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def clock(seconds: float) -> str:
    """A time as people write it: 12:03, or 1:02:03; fractions are cut."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


DEGRADED = "Some stored frames can't be read, so pixels were not compared: this answer is less sure than usual."
