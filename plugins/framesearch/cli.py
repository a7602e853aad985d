"""The command line `framesearch`, for people and for scripts.

Heavy libraries are loaded by the command that needs them, so that `--help` and `status` answer at once.
"""

import logging
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len

from framesearch import model_commands
from framesearch.errors import FramesearchError, ImageUnreadable, InvalidSetting
from framesearch.records import Answer, Match, Video, VideoStatus
from framesearch.terminal import err, out, printable, sentences, shown, tolerate_any_text, write_line

if TYPE_CHECKING:
    from framesearch.progress import RunDisplay

JUDGED = (
    ("search/r1", "in the search: right moment first"),
    ("search/video1", "right video"),
    ("r1", "alone: right moment first"),
    ("video1", "right video"),
)
"""Champion metrics shown by `status`; see `training.gate`."""

_TITLE_WIDTH = 48  # columns that titles share: what follows a longer one is out of line

app = typer.Typer(
    help="Which video is this picture from, and when?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
index_app = typer.Typer(help="List index bundles and move back to an older one.", no_args_is_help=True)
app.add_typer(index_app, name="index")
app.add_typer(model_commands.app, name="model")


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
    from framesearch.privacy import close_to_others
    from framesearch.settings import settings

    with suppress(InvalidSetting):  # the command itself says so, unless it is only asked for its help
        if hint := close_to_others(settings()):
            err.print(f"[yellow]{shown(hint)}[/]")


# ---- search


@app.command()
def search(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, or folders of pictures.")],
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many matches at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a picture and line.")] = False,
) -> None:
    """Say which video each picture is from, and when. Exit status 1 if a picture could not be read.

    JPEG, PNG, WebP, AVIF, HEIC, JPEG XL, JPEG 2000, GIF, BMP, TIFF, ICO and PNM are read, told by their content.
    """
    with sentences():
        from framesearch.images.picture_folder import picture_folder
        from framesearch.images.query import read_picture
        from framesearch.lookup import Finder
        from framesearch.settings import settings

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
                _tell_error(path, str(error), as_json)
                continue
            pictures += listed.pictures
            if note := listed.note():
                err.print(f"[yellow]{shown(note)}[/]")
        for path in pictures:
            try:
                answer = finder.search(read_picture(path, settings()), top)
            except ImageUnreadable as error:
                failed = True
                _tell_error(path, str(error), as_json)
                continue
            if as_json:
                write_line(_as_json(path, answer))
            else:
                _tell(path, answer)
        if failed:
            raise typer.Exit(1)


def _as_json(path: Path, answer: Answer) -> dict[str, Any]:
    return {
        "query": str(path),
        "found": answer.found,
        "matches": [asdict(match) for match in answer.matches],
        "view": answer.view,
        "elapsed_ms": round(answer.elapsed_ms, 1),
    }


def _tell_error(path: Path, message: str, as_json: bool) -> None:
    if as_json:
        write_line({"query": str(path), "error": message})
    else:
        err.print(f"[red]{shown(message)}[/]")


def _tell(path: Path, answer: Answer) -> None:
    out.print(f"[bold]{shown(path)}[/]  [dim]{answer.elapsed_ms:.0f} ms[/]")
    if not answer.found:
        out.print(f"  not found. {answer.reason}" + ("  Nearest:" if answer.matches else ""))
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


def clock(seconds: float) -> str:
    """A time as people write it: 12:03, or 1:02:03; fractions are cut."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


# ---- run


@app.command()
def run(
    playlists: Annotated[
        list[str] | None, typer.Argument(metavar="PLAYLIST...", help="Addresses or folders; none: all followed ones.")
    ] = None,
) -> None:
    """Ingest playlists, retrain, promote and index in this process, without servers. Safe to repeat."""
    with sentences():
        from framesearch.pipeline import run_line
        from framesearch.progress import RunDisplay
        from framesearch.settings import settings
        from framesearch.sources.addresses import readable

        with RunDisplay(out, err) as display:
            report = run_line(playlists or [], settings(), display.step, lambda reason: _approve(reason, display))
        out.print(
            f"{report.listed} playlists listed, {report.extracted} videos extracted with {report.frames} frames, "
            f"{report.embedded} embedded"
        )
        if report.extracted_by_others:
            out.print(f"{report.extracted_by_others} videos extracted by others meanwhile")
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


# ---- status


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show playlists, videos by status, frames, the champion and the index card."""
    from framesearch.sources.addresses import readable

    with sentences():
        facts = _status()
    if as_json:
        write_line(facts)
        return
    for playlist in facts["playlists"]:
        title, url = shown(playlist["title"]), shown(readable(playlist["url"]))
        trouble = f"  [red]{shown(playlist['error'])}[/]" if playlist["error"] else ""
        out.print(f"playlist {title}  [dim]{url}[/]  {playlist['videos']} videos{trouble}")
        if playlist["note"]:
            out.print(f"  passed over: {shown(playlist['note'])}")
    if not facts["playlists"]:
        out.print("no playlist yet: `framesearch run PLAYLIST`")
    counts = ", ".join(f"{count} {name}" for name, count in facts["videos"].items() if count)
    out.print(f"videos   {counts or 'none'}" + (f"; {facts['vanished']} gone upstream" if facts["vanished"] else ""))
    for video in facts["not_ready"]:
        out.print(f"  {video['status']:<11} {shown(video['title'])}: {shown(video['detail'] or video['reason'] or '')}")
    for video in facts["partial"]:
        out.print(f"  {shown(video['title'])}: {video['status']}, {shown(video['detail'])}")
    out.print(f"frames   {facts['frames']['index']} to index, {facts['frames']['probe']} probe frames")
    champion = facts["champion"]
    if "error" in champion:
        out.print(f"champion {shown(champion['error'])}")
    else:
        told = [f"{title} {champion['metrics'][name]:.1%}" for name, title in JUDGED if name in champion["metrics"]]
        out.print(f"champion v{champion['version']} {shown(champion['family'])}  [dim]{', '.join(told)}[/]")
    card = facts["index"]
    if "error" in card:
        out.print(f"index    {shown(card['error'])}")
    else:
        out.print(
            f"index    {card['index_id']}: {card['rows']} frames of {card['videos']} videos, {card['index_type']}, "
            f"model v{card['model_version']}, built {card['built_at']}"
        )
        figures = card["calibration"]["figures"]
        if figures:
            out.print(
                f"         found from score {card['calibration']['found_score']:.3f}: precision "
                f"{figures['found_precision']:.1%}, recall {figures['found_recall']:.1%}; right moment first "
                f"{figures['moment_at_1']:.1%}, unmodified frames {figures['clean_moment_at_1']:.1%}"
            )


def _status() -> dict[str, Any]:
    from framesearch.bundle import current_index_id, read_card
    from framesearch.catalogue import open_catalogue
    from framesearch.settings import settings
    from framesearch.storage import open_storage

    catalogue, storage = open_catalogue(settings()), open_storage(settings())
    videos = catalogue.videos()
    by_status = Counter(video.status.value for video in videos)
    facts: dict[str, Any] = {
        "playlists": [
            {
                "url": playlist.url,
                "title": playlist.title,
                "videos": playlist.videos,
                "error": playlist.error,
                "note": playlist.note,
            }
            for playlist in catalogue.playlists()
        ],
        "videos": {status.value: by_status[status.value] for status in VideoStatus},
        "vanished": sum(video.vanished_at is not None for video in videos),
        "not_ready": [
            _in_short(video) for video in videos if video.status in (VideoStatus.FAILED, VideoStatus.UNAVAILABLE)
        ],
        "partial": [_in_short(video) for video in videos if video.status is VideoStatus.READY and video.detail],
        "frames": {
            "index": sum(video.index_frames for video in videos),
            "probe": sum(video.probe_frames for video in videos),
        },
    }
    try:
        index_id, _ = current_index_id(storage)
        facts["index"] = (
            {"error": "nothing is indexed yet"} if index_id is None else _card(read_card(storage, index_id))
        )
    except FramesearchError as error:
        facts["index"] = {"error": str(error)}
    facts["champion"] = _champion() if videos else {"error": "no model yet"}
    return facts


def _in_short(video: Video) -> dict[str, Any]:
    return {
        "video_id": video.video_id,
        "title": printable(video.title),
        "status": video.status.value,
        "reason": video.reason,
        "detail": video.detail,
    }


def _card(card: Any) -> dict[str, Any]:
    facts = asdict(card)
    del facts["parts"]
    return facts


def _champion() -> dict[str, Any]:
    try:
        from framesearch.registry import Registry
        from framesearch.settings import settings

        champion = Registry(settings()).champion()
    except FramesearchError as error:
        return {"error": str(error)}
    return {
        "version": champion.version,
        "family": champion.family,
        "run_id": champion.run_id,
        "run_url": champion.run_url,
        "metrics": dict(champion.metrics),
    }


# ---- index


@index_app.command("list")
def list_bundles(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a bundle and line.")] = False,
) -> None:
    """List the stored index bundles, newest first; the published one is marked."""
    with sentences():
        from framesearch.bundle import current_index_id, read_card, stored_index_ids
        from framesearch.settings import settings
        from framesearch.storage import open_storage

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
                _tell_error(Path(index_id), str(error), as_json)
                continue
            published = index_id == current
            if as_json:
                write_line(_card(card) | {"published": published})
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
        from framesearch.bundle import stored_index_ids
        from framesearch.settings import settings
        from framesearch.storage import open_storage

        return list(reversed(stored_index_ids(open_storage(settings()))))
    except FramesearchError:
        return []


@index_app.command("rollback")
def roll_back(
    index_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="By default the one before.", autocompletion=_stored_index_ids),
    ] = None,
) -> None:
    """Publish an older bundle again. Pages pick it up by themselves; the next rebuild publishes a newer one."""
    with sentences():
        from framesearch import publishing
        from framesearch.catalogue import open_catalogue
        from framesearch.settings import settings
        from framesearch.storage import open_storage

        published = publishing.roll_back(open_storage(settings()), open_catalogue(settings()), index_id)
        out.print(f"index {published} is published now")


def main() -> None:
    """The program: whatever the console's encoding, no character of a title costs an answer."""
    tolerate_any_text()
    app()


if __name__ == "__main__":
    main()
