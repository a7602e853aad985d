"""The command line `framesearch`, for people and for scripts.

Heavy libraries are loaded by the command that needs them, so that `--help` and `status` answer at once.
"""

import logging
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import typer

from framesearch.cli import index, model, run, search, status
from framesearch.cli.terminal import err, out, shown, tolerate_any_text
from framesearch.errors import InvalidSetting

app = typer.Typer(
    help="Which video is this picture from, and when?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(search.search)
app.command()(run.run)
app.command()(status.status)
app.add_typer(index.app, name="index")
app.add_typer(model.app, name="model")


def _tell_version(asked: bool) -> None:
    if asked:
        out.print(f"framesearch {version('framesearch')}")
        raise typer.Exit


@app.callback()
def _configure(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what is logged.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    from framesearch.settings import settings
    from framesearch.system.privacy import close_to_others

    with suppress(InvalidSetting):  # the command itself says so, unless it is only asked for its help
        if hint := close_to_others(settings()):
            err.print(f"[yellow]{shown(hint)}[/]")


def main() -> None:
    """The program: whatever the console's encoding, no character of a title costs an answer."""
    tolerate_any_text()
    app()


if __name__ == "__main__":
    main()
