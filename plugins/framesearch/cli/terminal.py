"""How the command line speaks: to people in words on a console, to scripts in lines of JSON."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from framesearch.errors import FramesearchError
from framesearch.text import safe_text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_LONGEST = 5000  # characters: longer than any path


@contextmanager
def sentences() -> Iterator[None]:
    """Our own errors as one sentence and exit status 1; others are bugs and show where they happened."""
    try:
        yield
    except FramesearchError as error:
        err.print(f"[red]{shown(error)}[/]")
        raise typer.Exit(1) from error


def write_line(value: dict[str, Any]) -> None:
    """One JSON object a line: ASCII only and unbuffered, safe in any locale and there as soon as it is known."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def tolerate_any_text() -> None:
    """Makes the console show "?" for what its encoding lacks (an emoji under ISO 8859-1), where Python would raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(value: object) -> str:
    """One line of text that a console can show and that can't drive it, whatever file names and messages hold."""
    return safe_text(value, _LONGEST)


def shown(value: object) -> str:
    """`printable` text, for what `out` and `err` print: square brackets in it are no markup."""
    return escape(printable(value))
