"""How the command line speaks: to people in words on a console, to scripts in lines of JSON."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from framesearch.errors import FramesearchError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def sentences() -> Iterator[None]:
    """Our own errors as one sentence and exit status 1; others are bugs and show where they happened."""
    try:
        yield
    except FramesearchError as error:
        err.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(1) from error


def write_line(value: dict[str, Any]) -> None:
    """One JSON object a line: ASCII only and unbuffered, safe in any locale and there as soon as it is known."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def printable(value: object) -> str:
    """Text that any console can show, whatever file names hold."""
    return str(value).encode("utf-8", "replace").decode()
