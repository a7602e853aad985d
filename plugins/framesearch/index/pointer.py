"""Which bundles are stored, and which of them is published."""

import json
import re
import secrets
from datetime import UTC, datetime

from framesearch.errors import IndexIncompatible
from framesearch.store import layout
from framesearch.store.storage import Storage

_INDEX_ID = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{4}")


def new_index_id(now: datetime) -> str:
    """A name that sorts by time: 20260131T120000000000Z-4f2a."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}"


def is_index_id(name: str) -> bool:
    """Whether a folder of this name is a bundle's."""
    return _INDEX_ID.fullmatch(name) is not None


def built_at(index_id: str) -> datetime:
    """The time in a bundle's name.

    Raises:
        ValueError: not a bundle's name.
    """
    return datetime.strptime(index_id.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def current_index_id(storage: Storage) -> tuple[str | None, str]:
    """Which bundle is published, None before the first, and the pointer's generation.

    Raises:
        IndexIncompatible: the pointer is damaged.
    """
    value, generation = storage.read_pointer(layout.INDEX_POINTER)
    return (None if value is None else parse_pointer(value)), generation


def parse_pointer(value: bytes) -> str:
    """The bundle that a pointer's value names.

    Raises:
        IndexIncompatible: the value is damaged.
    """
    try:
        index_id: str = json.loads(value)["index_id"]
        if not _INDEX_ID.fullmatch(index_id):
            raise ValueError(index_id)
    except (ValueError, KeyError, TypeError) as error:
        raise IndexIncompatible(
            f"{layout.INDEX_POINTER} is damaged: `framesearch index rollback ID` sets it anew"
        ) from error
    return index_id


def move_pointer(storage: Storage, index_id: str, generation: str) -> None:
    """Publish a bundle where the pointer still has this generation.

    Raises:
        PointerMoved: somebody else moved it.
    """
    value = json.dumps({"index_id": index_id, "published_at": datetime.now(UTC).isoformat(timespec="seconds")})
    storage.move_pointer(layout.INDEX_POINTER, value.encode(), generation)


def stored_index_ids(storage: Storage) -> list[str]:
    """The complete bundles in storage, oldest first."""
    ends = f"/{layout.BUNDLE_CARD}"
    ids = (
        path.removeprefix(layout.INDEX).removesuffix(ends) for path in storage.list(layout.INDEX) if path.endswith(ends)
    )
    return sorted(index_id for index_id in ids if _INDEX_ID.fullmatch(index_id))
