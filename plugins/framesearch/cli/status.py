"""`framesearch status`: playlists, videos, frames, the champion and the index."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framesearch.cli.terminal import out, printable, sentences, shown, write_line
from framesearch.errors import FramesearchError
from framesearch.records import Video, VideoStatus

if TYPE_CHECKING:
    pass


JUDGED = (
    ("search/r1", "in the search: right moment first"),
    ("search/video1", "right video"),
    ("r1", "alone: right moment first"),
    ("video1", "right video"),
)
"""Champion metrics shown by `status`; see `training.gate`."""


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
    from framesearch.backends import open_catalogue, open_storage
    from framesearch.index.card import read_card
    from framesearch.index.pointer import current_index_id
    from framesearch.settings import settings

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
            {"error": "nothing is indexed yet"} if index_id is None else card_facts(read_card(storage, index_id))
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


def card_facts(card: Any) -> dict[str, Any]:
    """An index card as JSON, without the list of its files."""
    facts = asdict(card)
    del facts["parts"]
    return facts


def _champion() -> dict[str, Any]:
    try:
        from framesearch.models.registry import Registry
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
