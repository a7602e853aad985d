"""What the tasks of `rebuild_index` do: library use cases, with this installation's settings."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from airflow.sdk import Metadata
from framesearch.registry import Registry

from framesearch import indexing
from framesearch.catalogue import open_catalogue
from framesearch.encoder import Encoder
from framesearch.settings import settings
from framesearch.storage import open_storage
from orchestration.assets import INDEX
from orchestration.defaults import SLICE
from orchestration.failures import skip

_log = logging.getLogger(__name__)


def find_champion() -> dict[str, Any]:
    """The model version to embed with, its encoder fetched; skips where nothing was promoted yet."""
    registry = Registry(settings())
    champion = registry.champion()
    registry.encoder_file(champion.version)
    return {"model_version": champion.version, "run_url": champion.run_url}


def videos_to_embed(model_version: str) -> list[list[str]]:
    """The videos that this model version has not embedded yet: one a task, several where they are very many."""
    videos = indexing.videos_to_embed(model_version, open_catalogue(settings()), open_storage(settings()))
    size = -(-len(videos) // SLICE) or 1
    return [list(videos[start : start + size]) for start in range(0, len(videos), size)]


def embed_videos(video_ids: Sequence[str], model_version: str) -> dict[str, int]:
    """Embed the frames of these videos; how many they are."""
    storage = open_storage(settings())
    encoder = Encoder(Registry(settings()).encoder_file(model_version))
    frames = sum(indexing.embed_video(video_id, encoder, model_version, storage) for video_id in video_ids)
    return {"videos": len(video_ids), "frames": frames}


def build_index(model_version: str) -> dict[str, Any]:
    """Write and check a bundle of everything that is embedded; not yet published."""
    encoder = Registry(settings()).encoder_file(model_version)
    catalogue, storage = open_catalogue(settings()), open_storage(settings())
    built = indexing.build_index(model_version, encoder, catalogue, storage, settings())
    return {key: value for key, value in asdict(built).items() if key not in ("built_at", "published_at")}


def publish_index(built: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[Metadata]:
    """Move the pointer to the bundle and tell of it; pages pick it up by themselves."""
    if not indexing.publish(built["index_id"], open_catalogue(settings()), open_storage(settings())):
        skip(f"index {built['index_id']} is published already, and holds everything", context)
    yield Metadata(INDEX, extra=dict(built))


def clean_storage() -> dict[str, Any]:
    """Delete old bundles beyond those kept for roll-back, and the embeddings that only they used."""
    deleted = indexing.clean(open_storage(settings()), open_catalogue(settings()), settings())
    return {"deleted": deleted}
