"""What one reading of a playlist changes in the catalogue's tables."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from framesearch.catalogue.schema import memberships, removed_videos, videos
from framesearch.records import ListedVideo, ListingDiff, PlaylistListing, Reason, VideoStatus

CHUNK = 500  # ids a statement: below every database's limit of bound parameters


def chunks(ids: list[str]) -> Iterator[list[str]]:
    """The ids, so many at a time as one statement may bind."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def record(connection: sa.Connection, listing: PlaylistListing, now: datetime) -> ListingDiff:
    """Record a listing whose playlist is in the catalogue; see `contract.Catalogue.record_listing`."""
    listed = {video.video_id: video for video in listing.videos}  # a playlist may name a video twice
    known = _known(connection, list(listed))
    video_ids = {listed_id: known[listed_id].video_id if listed_id in known else listed_id for listed_id in listed}
    _add(connection, [(video_id, 1, listed[video_id]) for video_id in listed if video_id not in known], now)
    replaced, returned = [], []
    for listed_id, row in known.items():
        video = listed[listed_id]
        if _is_replaced(row, video):
            video_ids[listed_id] = _replace(connection, row, video, now)
            replaced.append(video_ids[listed_id])
            continue
        if row.vanished_at is not None:
            returned.append(row.video_id)
        _refresh(connection, row, video)
    return ListingDiff(
        new=tuple(listed_id for listed_id in listed if listed_id not in known),
        vanished=_update_members(connection, listing, list(video_ids.values()), now),
        returned=tuple(returned),
        replaced=tuple(replaced),
    )


def _known(connection: sa.Connection, listed_ids: list[str]) -> Mapping[str, sa.Row[Any]]:
    """The rows of the videos that the catalogue holds already, by the id they are listed under, in listed order."""
    found: dict[str, sa.Row[Any]] = {}
    for chunk in chunks(listed_ids):
        rows = connection.execute(sa.select(videos).where(videos.c.listed_id.in_(chunk)))
        found.update({row.listed_id: row for row in rows})
    return {listed_id: found[listed_id] for listed_id in listed_ids if listed_id in found}


def _add(connection: sa.Connection, added: Iterable[tuple[str, int, ListedVideo]], now: datetime) -> None:
    """Insert videos: (id, generation, as listed)."""
    rows = [
        {
            "video_id": video_id,
            "listed_id": video.video_id,
            "generation": generation,
            "url": video.url,
            "title": video.title,
            "duration_s": video.duration_s,
            "version": video.version.content if video.version else None,
            "stamp": video.version.stamp if video.version else None,
            "status": VideoStatus.DISCOVERED,
            "discovered_at": now,
            "attempts": 0,
            "index_frames": 0,
            "probe_frames": 0,
        }
        for video_id, generation, video in added
    ]
    if rows:
        connection.execute(sa.insert(videos), rows)


def _is_replaced(row: sa.Row[Any], video: ListedVideo) -> bool:
    """Whether a file is not what its stored frames, if any, are of."""
    if video.version is None or row.version is None:
        return False
    partial = row.status == VideoStatus.READY and row.detail is not None
    return row.version != video.version.content or (partial and row.stamp != video.version.stamp)


def _is_due_again(row: sa.Row[Any], video: ListedVideo) -> bool:
    """Whether a file that could not be read deserves another attempt."""
    if video.version is None or row.status not in (VideoStatus.FAILED, VideoStatus.UNAVAILABLE):
        return False
    # Also where it was not there, for now it is.
    return row.stamp != video.version.stamp or row.reason == Reason.DELETED


def _replace(connection: sa.Connection, row: sa.Row[Any], video: ListedVideo, now: datetime) -> str:
    """Put a new video in the place of one whose file holds something else now; returns its id.

    What storage and indices hold is named by video, and must never be taken for the new one's.
    """
    video_id = f"{row.listed_id}-{row.generation + 1}"
    of_old = memberships.c.video_id == row.video_id
    playlists = list(connection.scalars(sa.select(memberships.c.playlist_url).where(of_old)))
    connection.execute(sa.delete(memberships).where(of_old))
    connection.execute(sa.delete(videos).where(videos.c.video_id == row.video_id))
    connection.execute(sa.insert(removed_videos).values(video_id=row.video_id, removed_at=now))
    _add(connection, [(video_id, row.generation + 1, video)], now)
    if playlists:
        connection.execute(
            sa.insert(memberships), [{"playlist_url": playlist, "video_id": video_id} for playlist in playlists]
        )
    return video_id


def _refresh(connection: sa.Connection, row: sa.Row[Any], video: ListedVideo) -> None:
    """Take over what the listing says of a video that is known."""
    values: dict[str, Any] = {"title": video.title, "url": video.url, "vanished_at": None}
    if video.version is not None:
        values |= {"version": video.version.content, "stamp": video.version.stamp}
    if _is_due_again(row, video):
        values |= {"status": VideoStatus.DISCOVERED, "reason": None, "detail": None, "attempts": 0}
        values |= {"next_attempt_at": None}
    if any(getattr(row, name) != value for name, value in values.items()):
        connection.execute(sa.update(videos).where(videos.c.video_id == row.video_id).values(**values))


def _update_members(
    connection: sa.Connection, listing: PlaylistListing, video_ids: list[str], now: datetime
) -> tuple[str, ...]:
    """Make these the playlist's videos, none leaving where the listing is not complete.

    Returns:
        Those that left and that no other playlist lists: they are marked as vanished.
    """
    of_playlist = memberships.c.playlist_url == listing.url
    members = set(connection.scalars(sa.select(memberships.c.video_id).where(of_playlist)))
    joined = [{"playlist_url": listing.url, "video_id": video_id} for video_id in video_ids if video_id not in members]
    if joined:
        connection.execute(sa.insert(memberships), joined)
    vanished: list[str] = []
    for chunk in chunks(sorted(members.difference(video_ids)) if listing.complete else []):
        connection.execute(sa.delete(memberships).where(of_playlist, memberships.c.video_id.in_(chunk)))
        elsewhere = set(connection.scalars(sa.select(memberships.c.video_id).where(memberships.c.video_id.in_(chunk))))
        nowhere = [video_id for video_id in chunk if video_id not in elsewhere]
        connection.execute(sa.update(videos).where(videos.c.video_id.in_(nowhere)).values(vanished_at=now))
        vanished += nowhere
    return tuple(vanished)
