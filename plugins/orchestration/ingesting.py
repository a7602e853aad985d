"""What the tasks of `ingest_playlists` do: library use cases, with this installation's settings."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Metadata

from framesearch.backends import open_catalogue, open_storage
from framesearch.images.libraries import configure
from framesearch.jobs.ingest import discover, extract_once
from framesearch.settings import CHECKOUT, settings
from framesearch.sources.addresses import normalise
from orchestration.assets import BACKLOG, FRAMES
from orchestration.defaults import SLICE
from orchestration.failures import skip
from orchestration.labels import holding

_log = logging.getLogger(__name__)


def playlists_to_list(params: Mapping[str, Any]) -> list[str]:
    """The playlists that the DAG run names; else those of the settings and all that the catalogue follows."""
    followed = [playlist.url for playlist in open_catalogue(settings()).playlists()]
    return _named(params["playlists"]) or list(dict.fromkeys([*_named(settings().playlists), *followed]))


def _named(playlists: Sequence[str] | None) -> list[str]:
    """Playlists as the catalogue calls them. Tasks run in another folder: relative paths start from the checkout."""
    given = [playlist.strip() for playlist in playlists or ()]
    return list(dict.fromkeys(normalise(playlist, CHECKOUT) for playlist in given if playlist))


def list_playlist(url: str) -> dict[str, Any]:
    """List one playlist and record in the catalogue what changed; counts of it, and what was passed over."""
    changes = asdict(discover(url, open_catalogue(settings()), settings()))
    note = changes.pop("note")
    return {"url": url, **{change: len(video_ids) for change, video_ids in changes.items()}, "note": note}


def videos_to_extract(params: Mapping[str, Any]) -> list[str]:
    """The videos whose frames are due, at most one slice of them."""
    due = _due(params)
    chosen = due[: min(params["limit"] or SLICE, SLICE)]
    _log.info("%d videos are due, this DAG run takes %d", len(due), len(chosen))
    return chosen


def _due(params: Mapping[str, Any]) -> list[str]:
    catalogue = open_catalogue(settings())
    return catalogue.due_videos(datetime.now(UTC), playlists=_named(params["playlists"]), force=params["force"])


def extract_frames(video_id: str) -> dict[str, Any]:
    """Store the frames of one video; how many they are."""
    catalogue = open_catalogue(settings())
    holder = holding("ingest_playlists")
    configure()
    counts, _ = extract_once(catalogue.video(video_id), catalogue, open_storage(settings()), settings(), holder)
    return {"video_id": video_id, **asdict(counts)}


def announce_frames(counts: Iterable[Mapping[str, Any]] | None, context: Mapping[str, Any]) -> Iterator[Metadata]:
    """Tell of the new frames, with how many there are; skips where there are none.

    The task asks that itself: it is to run whatever became of single videos, and no trigger rule says "all done, some
    of them skipped or failed, at least one well".
    """
    stored = [one for one in counts or () if one]
    if not stored:
        skip("no video has new frames", context)
    yield Metadata(
        FRAMES,
        extra={
            "videos": len(stored),
            "index_frames": sum(one["index_frames"] for one in stored),
            "probe_frames": sum(one["probe_frames"] for one in stored),
        },
    )


def announce_backlog(
    video_ids: Sequence[str] | None, params: Mapping[str, Any], context: Mapping[str, Any]
) -> Iterator[Metadata]:
    """Tell that videos are left for the next DAG run, which then follows at once.

    Not where this DAG run was of limited size: who set the limit wants no more than that. Nor where it came no further
    with any of its videos: the next one would not, either.

    Args:
        video_ids: that this DAG run took.
    """
    if params["limit"]:
        skip("this DAG run was limited: the next one takes the rest", context)
    # Without `force`: a video that was forced and failed again is not due again today.
    left = open_catalogue(settings()).due_videos(datetime.now(UTC))
    if not left:
        skip("no video is left for another DAG run", context)
    if set(video_ids or ()) <= set(left):
        skip(f"{len(left)} videos are left, but this DAG run came no further: the next one tries again", context)
    yield Metadata(BACKLOG, extra={"videos": len(left)})
