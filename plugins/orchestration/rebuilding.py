"""What the tasks of `rebuild_index` do: library use cases, with this installation's settings."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow.sdk import Metadata

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import NoIndex, PointerMoved
from framesearch.images.libraries import configure
from framesearch.jobs import embed
from framesearch.jobs.build_index import build_index as build_bundle
from framesearch.jobs.clean_storage import clean
from framesearch.jobs.publish_index import publish, update_index
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.records import IndexBuild
from framesearch.settings import settings
from framesearch.system import locks
from orchestration.assets import INDEX
from orchestration.defaults import SLICE
from orchestration.failures import skip
from orchestration.labels import holding

_log = logging.getLogger(__name__)

HOLDER = holding("rebuild_index")


def find_champion() -> dict[str, Any]:
    """The model version to embed with, its encoder fetched; skips where nothing was promoted yet."""
    registry = Registry(settings())
    champion = registry.champion()
    file = registry.encoder_file(champion.version)
    return {"model_version": champion.version, "run_url": champion.run_url, "encoder_file": str(file)}


def _encoder_file(champion: Mapping[str, Any]) -> Path:
    """The champion's encoder: as it was fetched; on another machine than that one, fetched there.

    Looked for first, as it spares each task MLflow's import, which takes longer than embedding a short video.
    """
    fetched = Path(champion["encoder_file"])  # its name holds version and run: it never becomes another's
    return fetched if fetched.is_file() else Registry(settings()).encoder_file(champion["model_version"])


def videos_to_embed(champion: Mapping[str, Any]) -> list[list[str]]:
    """The videos that the champion has not embedded yet: one a task, several where they are very many."""
    catalogue, storage = open_catalogue(settings()), open_storage(settings())
    videos = embed.videos_to_embed(champion["model_version"], catalogue, storage)
    size = -(-len(videos) // SLICE) or 1
    return [list(videos[start : start + size]) for start in range(0, len(videos), size)]


def embed_videos(video_ids: Sequence[str], champion: Mapping[str, Any]) -> dict[str, int]:
    """Embed the frames of these videos; how many they are."""
    configure()
    storage, version = open_storage(settings()), champion["model_version"]
    encoder = Encoder(_encoder_file(champion))
    frames = sum(embed.embed_video(video_id, encoder, version, storage) for video_id in video_ids)
    return {"videos": len(video_ids), "frames": frames}


def build_index(champion: Mapping[str, Any] | None, context: Mapping[str, Any]) -> dict[str, Any]:
    """Write and check a bundle of everything that is embedded; not yet published. Skips without a champion."""
    if champion is None:
        skip("there is no champion to embed with", context)
    configure()
    catalogue, storage = open_catalogue(settings()), open_storage(settings())
    with locks.held(locks.INDEX, settings(), HOLDER):
        built = build_bundle(champion["model_version"], _encoder_file(champion), catalogue, storage, settings())
    return _facts(built)


def _facts(built: IndexBuild) -> dict[str, Any]:
    return {key: value for key, value in asdict(built).items() if key not in ("built_at", "published_at")}


def publish_index(built: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[Metadata]:
    """Move the pointer to the bundle and tell of it; pages pick it up by themselves.

    Where somebody else published since it was built, one is built that holds both, unless theirs does.
    """
    catalogue, storage = open_catalogue(settings()), open_storage(settings())
    with locks.held(locks.INDEX, settings(), HOLDER):
        try:
            published = publish(built["index_id"], catalogue, storage)
        except (PointerMoved, NoIndex) as error:
            configure()
            _log.info("%s", error)
            version = built["model_version"]
            encoder_file = Registry(settings()).encoder_file(version)
            again, published = update_index(version, encoder_file, catalogue, storage, settings())
            built = _facts(again)
    if not published:
        skip(f"index {built['index_id']} is published already, and holds everything", context)
    yield Metadata(INDEX, extra=dict(built))


def clean_storage() -> dict[str, Any]:
    """Delete old bundles beyond those kept for roll-back, and the embeddings that only they used."""
    with locks.held(locks.INDEX, settings(), HOLDER):
        deleted = clean(open_storage(settings()), open_catalogue(settings()), settings())
    return {"deleted": deleted}
