"""`framesearch run`: the whole line in this process, without servers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from framesearch.cli.terminal import err, out, printable, sentences, shown

if TYPE_CHECKING:
    from framesearch.cli.progress import RunDisplay


def run(
    playlists: Annotated[
        list[str] | None, typer.Argument(metavar="PLAYLIST...", help="Addresses or folders; none: all followed ones.")
    ] = None,
) -> None:
    """Ingest playlists, retrain, promote and index in this process, without servers. Safe to repeat."""
    with sentences():
        from framesearch.cli.progress import RunDisplay
        from framesearch.images.libraries import configure
        from framesearch.jobs.run_all import run_line
        from framesearch.settings import settings
        from framesearch.sources.addresses import readable

        configure()
        with RunDisplay(out, err) as display:
            report = run_line(playlists or [], settings(), display.step, lambda reason: _approve(reason, display))
        out.print(
            f"{report.listed} playlists listed, {report.extracted} videos extracted with {report.frames} frames, "
            f"{report.embedded} embedded"
        )
        if report.extracted_by_others:
            out.print(f"{report.extracted_by_others} videos extracted by other runs")
        for wait in report.waits:
            out.print(shown(wait))
        if report.model:
            out.print(f"model {shown(report.model)}")
        if report.index is not None:
            state = "published" if report.published else "was up to date"
            out.print(
                f"index {report.index.index_id} {state}: {report.index.rows} frames of {report.index.videos} videos"
            )
        for url, note in report.passed_over.items():
            out.print(f"passed over in {shown(readable(url))}: {shown(note)}")
        for title, shortfall in report.partial.items():
            out.print(f"{shown(title)}: ready, {shown(shortfall)}")
        for title, why in report.left_out.items():
            out.print(f"[yellow]left out[/] {shown(title)}: {shown(why)}")
        for problem in report.problems:
            err.print(f"[red]{shown(problem)}[/]")
        if report.problems:
            raise typer.Exit(1)


def _approve(reason: str, display: "RunDisplay") -> bool:
    if not sys.stdin.isatty():
        return False
    with display.paused():
        return typer.confirm(f"Promote the new model? {printable(reason)}", err=True)
