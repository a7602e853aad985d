"""`framesearch search`: which video each picture is from, and when."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len

from framesearch.answer_json import answer_json
from framesearch.cli.terminal import err, out, printable, sentences, shown, write_line
from framesearch.errors import ImageUnreadable
from framesearch.records import Answer, Match
from framesearch.wording import DEGRADED

if TYPE_CHECKING:
    pass
from framesearch.wording import clock

_TITLE_WIDTH = 48  # columns that titles share: what follows a longer one is out of line


def search(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, or folders of pictures.")],
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many matches at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture and line.")] = False,
) -> None:
    """Say which video each picture is from, and when. Exit status 1 if a picture could not be read.

    JPEG, PNG, WebP, AVIF, HEIC, JPEG XL, JPEG 2000, GIF, BMP, TIFF, ICO and PNM are read, told by their content.
    """
    with sentences():
        from framesearch.images.libraries import configure
        from framesearch.images.picture_folder import picture_folder
        from framesearch.images.query import read_picture
        from framesearch.search.finder import Finder
        from framesearch.settings import settings

        configure()
        finder = Finder(settings())
        finder.refresh()  # without an index, say so once rather than for every picture
        failed = False
        pictures: list[Path] = []
        for path in images:
            if not path.is_dir():
                pictures.append(path)
                continue
            try:
                listed = picture_folder(path)
            except ImageUnreadable as error:
                failed = True
                tell_error(path, str(error), as_json)
                continue
            pictures += listed.pictures
            if note := listed.note():
                err.print(f"[yellow]{shown(note)}[/]")
        for path in pictures:
            try:
                answer = finder.search(read_picture(path, settings()), top)
            except ImageUnreadable as error:
                failed = True
                tell_error(path, str(error), as_json)
                continue
            if as_json:
                write_line(answer_json(str(path), answer))
            else:
                _tell(path, answer)
        if failed:
            raise typer.Exit(1)


def tell_error(path: Path, message: str, as_json: bool) -> None:
    """One line for what could not be read; scripts get it as JSON in place of its answer."""
    if as_json:
        write_line({"query": str(path), "error": message})
    else:
        err.print(f"[red]{shown(message)}[/]")


def _tell(path: Path, answer: Answer) -> None:
    out.print(f"[bold]{shown(path)}[/]  [dim]{answer.elapsed_ms:.0f} ms[/]")
    if not answer.found:
        out.print(f"  not found. {answer.reason}" + ("  Nearest:" if answer.matches else ""))
    if answer.degraded:
        out.print(f"  [yellow]{DEGRADED}[/]")
    if not answer.matches:
        return
    groups = answer.groups()
    width = min(_TITLE_WIDTH, max(cell_len(printable(lead.title)) for lead, _ in groups))
    for lead, repeats in groups:
        title = printable(lead.title)
        gap = " " * (width - cell_len(title))
        still = lead.end_s - lead.start_s >= 1
        span = f"  {clock(lead.start_s)}-{clock(lead.end_s)}" if still else ""
        beside = f"[dim]{gap}{span}  {shown(lead.url)}[/]"
        out.print(f"  {lead.confidence:>4.0%}  {clock(lead.timestamp_s):>7}  {shown(title)}{beside}")
        if repeats:
            out.print(f"  {'':>13}  [dim]{shown(also_in(lead, repeats))}[/]")


def also_in(lead: Match, repeats: Sequence[Match]) -> str:
    """Where else a match's picture stands: "also at 1:02; also in: Another film at 0:11 and 0:40, Third at 2:00"."""
    times: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for match in repeats:
        times.setdefault(match.video_id, []).append(clock(match.timestamp_s))
        titles[match.video_id] = printable(match.title)
    here = times.pop(lead.video_id, [])
    there = ", ".join(f"{titles[video_id]} at {' and '.join(at)}" for video_id, at in times.items())
    return "; ".join([*([f"also at {' and '.join(here)}"] if here else []), *([f"also in: {there}"] if there else [])])
