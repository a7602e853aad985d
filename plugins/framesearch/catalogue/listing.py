"""What one reading of a playlist changes in the catalogue's tables."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from framesearch.catalogue.schema import memberships, removed_videos, videos
from framesearch.records import ListedVideo, ListingDiff, PlaylistListing, Reason, VideoStatus

CHUNK = 500  # ids a statement: below every database's limit of bound parameters

Rows = Mapping[str, sa.Row[Any]]


def chunks(ids: list[str]) -> Iterator[list[str]]:
    """The ids, so many at a time as one statement may bind."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def record(connection: sa.Connection, listing: PlaylistListing, now: datetime) -> ListingDiff:
    """Record a listing whose playlist is in the catalogue; see `contract.Catalogue.record_listing`."""
    listed = {video.video_id: video for video in listing.videos}  # a playlist may name a video twice
    known = _known(connection, list(listed))
    replaced = {listed_id: row for listed_id, row in known.items() if _is_replaced(row, listed[listed_id])}
    added = [video for listed_id, video in listed.items() if listed_id not in known or listed_id in replaced]
    moved = _moved(connection, listing, added, replaced.values())
    kept = {**{listed_id: row for listed_id, row in known.items() if listed_id not in replaced}, **moved}

    in_place_of = _remove(connection, replaced.values(), set(_video_ids(moved)), now)
    _move(connection, moved)
    for listed_id, row in kept.items():
        _refresh(connection, row, listed[listed_id])
    inserted = _add(connection, [video for video in added if video.video_id not in moved], now)
    for listed_id, playlists in in_place_of.items():
        if listed_id in inserted:
            _join(connection, [(playlist, inserted[listed_id]) for playlist in playlists])
    video_ids = {listed_id: row.video_id for listed_id, row in kept.items()} | inserted
    return ListingDiff(
        new=tuple(video_id for listed_id, video_id in inserted.items() if listed_id not in known),
        vanished=_update_members(connection, listing, [video_ids[listed_id] for listed_id in listed], now),
        returned=tuple(row.video_id for row in kept.values() if row.vanished_at is not None),
        replaced=tuple(video_id for listed_id, video_id in inserted.items() if listed_id in known),
        moved=tuple(_video_ids(moved)),
        note=listing.note,
    )


def _video_ids(rows: Rows) -> Iterator[str]:
    return (row.video_id for row in rows.values())


def _known(connection: sa.Connection, listed_ids: list[str]) -> Rows:
    """The rows of the videos that the catalogue holds already, by the id they are listed under, in listed order."""
    found: dict[str, sa.Row[Any]] = {}
    for chunk in chunks(listed_ids):
        rows = connection.execute(sa.select(videos).where(videos.c.listed_id.in_(chunk)))
        found.update({row.listed_id: row for row in rows})
    return {listed_id: found[listed_id] for listed_id in listed_ids if listed_id in found}


def _is_replaced(row: sa.Row[Any], video: ListedVideo) -> bool:
    """Whether a file is not what its stored frames, if any, are of."""
    if video.version is None or row.version is None:
        return False
    partial = row.status == VideoStatus.READY and row.detail is not None
    return row.version != video.version.content or (partial and row.stamp != video.version.stamp)


def _moved(
    connection: sa.Connection, listing: PlaylistListing, added: list[ListedVideo], replaced: Iterable[sa.Row[Any]]
) -> Rows:
    """Videos whose files have other names now, by the id they are listed under now.

    Their frames are stored whole, their content is listed again, and at their old place there is none of it: it holds
    something else, or no playlist lists it any more.
    """
    free: dict[str, list[sa.Row[Any]]] = {}
    for row in [*_left(connection, listing, added), *replaced]:
        if row.status == VideoStatus.READY and row.detail is None:
            free.setdefault(row.version, []).append(row)
    moved: dict[str, sa.Row[Any]] = {}
    for video in added:
        if video.version is not None and free.get(video.version.content):
            moved[video.video_id] = free[video.version.content].pop(0)
    return moved


def _left(connection: sa.Connection, listing: PlaylistListing, added: list[ListedVideo]) -> Iterator[sa.Row[Any]]:
    """Videos with the content of one that was added, and that no playlist will list when this listing is recorded."""
    listed_ids = {video.video_id for video in listing.videos}
    for chunk in chunks(list(dict.fromkeys(video.version.content for video in added if video.version is not None))):
        rows = connection.execute(sa.select(videos).where(videos.c.version.in_(chunk)).order_by(videos.c.ordinal)).all()
        of_rows = memberships.c.video_id.in_([row.video_id for row in rows])
        listed_by: dict[str, set[str]] = {}
        for video_id, playlist in connection.execute(
            sa.select(memberships.c.video_id, memberships.c.playlist_url).where(of_rows)
        ):
            listed_by.setdefault(video_id, set()).add(playlist)
        leaves = {listing.url} if listing.complete else set()
        yield from (
            row for row in rows if row.listed_id not in listed_ids and listed_by.get(row.video_id, set()) <= leaves
        )


def _remove(
    connection: sa.Connection, rows: Iterable[sa.Row[Any]], moved: set[str], now: datetime
) -> dict[str, list[str]]:
    """Take videos whose files hold something else now out of the catalogue, but for those that moved elsewhere.

    Returns:
        The playlists that list what is in their place, by the id under which they list it.
    """
    in_place_of = {}
    for row in rows:
        of_old = memberships.c.video_id == row.video_id
        in_place_of[row.listed_id] = list(connection.scalars(sa.select(memberships.c.playlist_url).where(of_old)))
        connection.execute(sa.delete(memberships).where(of_old))
        if row.video_id not in moved:
            connection.execute(sa.delete(videos).where(videos.c.video_id == row.video_id))
            connection.execute(sa.insert(removed_videos).values(video_id=row.video_id, removed_at=now))
    return in_place_of


def _move(connection: sa.Connection, moved: Rows) -> None:
    """List videos under other ids: in two steps, since one may take another's."""
    for row in moved.values():
        _update(connection, row, listed_id=f"moving {row.video_id}")
    for listed_id, row in moved.items():
        _update(connection, row, listed_id=listed_id)


def _add(connection: sa.Connection, added: list[ListedVideo], now: datetime) -> dict[str, str]:
    """Insert videos; returns their ids by the ids that they are listed under.

    What storage and indices hold is named by video: the id of a video that was replaced is never used again.
    """
    taken = {
        video_id
        for chunk in chunks([video.video_id for video in added])
        for table in (videos, removed_videos)
        for video_id in connection.scalars(sa.select(table.c.video_id).where(table.c.video_id.in_(chunk)))
    }
    video_ids = {
        video.video_id: _free_id(connection, video.video_id) if video.video_id in taken else video.video_id
        for video in added
    }
    rows = [
        {
            "video_id": video_ids[video.video_id],
            "listed_id": video.video_id,
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
        for video in added
    ]
    if rows:
        connection.execute(sa.insert(videos), rows)
    return video_ids


def _free_id(connection: sa.Connection, listed_id: str) -> str:
    """An id that no video has or had: "file-a-2", "file-a-3", ..."""
    number = 2
    while any(
        connection.scalar(sa.select(table.c.video_id).where(table.c.video_id == f"{listed_id}-{number}"))
        for table in (videos, removed_videos)
    ):
        number += 1
    return f"{listed_id}-{number}"


def _refresh(connection: sa.Connection, row: sa.Row[Any], video: ListedVideo) -> None:
    """Take over what the listing says of a video that is known."""
    values: dict[str, Any] = {"title": video.title, "url": video.url, "vanished_at": None}
    if video.version is not None:
        values |= {"version": video.version.content, "stamp": video.version.stamp}
    if _is_due_again(row, video):
        values |= {"status": VideoStatus.DISCOVERED, "reason": None, "detail": None, "attempts": 0}
        values |= {"next_attempt_at": None}
    if any(getattr(row, name) != value for name, value in values.items()):
        _update(connection, row, **values)


def _is_due_again(row: sa.Row[Any], video: ListedVideo) -> bool:
    """Whether a file that could not be read deserves another attempt: it changed, or is back."""
    if video.version is None or row.status not in (VideoStatus.FAILED, VideoStatus.UNAVAILABLE):
        return False
    was_away = row.vanished_at is not None or row.reason in (Reason.DELETED, Reason.FORBIDDEN)
    return was_away or row.stamp != video.version.stamp


def _update(connection: sa.Connection, row: sa.Row[Any], **values: Any) -> None:
    connection.execute(sa.update(videos).where(videos.c.video_id == row.video_id).values(**values))


def _join(connection: sa.Connection, members: Iterable[tuple[str, str]]) -> None:
    """Add videos to playlists: (playlist, video)."""
    rows = [{"playlist_url": playlist, "video_id": video_id} for playlist, video_id in members]
    if rows:
        connection.execute(sa.insert(memberships), rows)


def _update_members(
    connection: sa.Connection, listing: PlaylistListing, video_ids: list[str], now: datetime
) -> tuple[str, ...]:
    """Make these the playlist's videos, none leaving where the listing is not complete.

    Returns:
        Those that left and that no other playlist lists: they are marked as vanished.
    """
    of_playlist = memberships.c.playlist_url == listing.url
    members = set(connection.scalars(sa.select(memberships.c.video_id).where(of_playlist)))
    _join(connection, [(listing.url, video_id) for video_id in video_ids if video_id not in members])
    vanished: list[str] = []
    for chunk in chunks(sorted(members.difference(video_ids)) if listing.complete else []):
        connection.execute(sa.delete(memberships).where(of_playlist, memberships.c.video_id.in_(chunk)))
        elsewhere = set(connection.scalars(sa.select(memberships.c.video_id).where(memberships.c.video_id.in_(chunk))))
        nowhere = [video_id for video_id in chunk if video_id not in elsewhere]
        connection.execute(sa.update(videos).where(videos.c.video_id.in_(nowhere)).values(vanished_at=now))
        vanished += nowhere
    return tuple(vanished)
