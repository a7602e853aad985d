"""`framesearch index`: the stored bundles, and going back to an older one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from framesearch.cli.terminal import err, out, sentences, shown, write_line
from framesearch.errors import FramesearchError

if TYPE_CHECKING:
    pass
from framesearch.cli.search import tell_error
from framesearch.cli.status import card_facts

app = typer.Typer(help="List index bundles and move back to an older one.", no_args_is_help=True)


@app.command("list")
def list_bundles(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a bundle and line.")] = False,
) -> None:
    """List the stored index bundles, newest first; the published one is marked."""
    with sentences():
        from framesearch.backends import open_storage
        from framesearch.index.card import read_card
        from framesearch.index.pointer import current_index_id, stored_index_ids
        from framesearch.settings import settings

        storage = open_storage(settings())
        try:
            current, _ = current_index_id(storage)
        except FramesearchError as error:
            current = None
            err.print(f"[red]{shown(error)}[/]")
        stored = stored_index_ids(storage)
        for index_id in reversed(stored):
            try:
                card = read_card(storage, index_id)
            except FramesearchError as error:
                tell_error(Path(index_id), str(error), as_json)
                continue
            published = index_id == current
            if as_json:
                write_line(card_facts(card) | {"published": published})
            else:
                mark = "[green]published[/]" if published else ""
                out.print(
                    f"{index_id}  {card.rows} frames of {card.videos} videos, model v{card.model_version}, "
                    f"built {card.built_at}  {mark}"
                )
        if not stored and not as_json:
            out.print("nothing is indexed yet: `framesearch run PLAYLIST`")


def _stored_index_ids() -> list[str]:
    """For the shell's completion: newest first, nothing where there is no library."""
    try:
        from framesearch.backends import open_storage
        from framesearch.index.pointer import stored_index_ids
        from framesearch.settings import settings

        return list(reversed(stored_index_ids(open_storage(settings()))))
    except FramesearchError:
        return []


@app.command("rollback")
def roll_back(
    index_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="By default the one before.", autocompletion=_stored_index_ids),
    ] = None,
) -> None:
    """Publish an older bundle again. Pages pick it up by themselves; the next rebuild publishes a newer one."""
    with sentences():
        from framesearch.backends import open_catalogue, open_storage
        from framesearch.jobs import publish_index
        from framesearch.settings import settings

        published = publish_index.roll_back(open_storage(settings()), open_catalogue(settings()), index_id)
        out.print(f"index {published} is published now")
