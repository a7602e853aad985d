"""Embedding stored frames: once a video and model version, safe to repeat, and one bad video costs no other."""

import numpy as np
import pytest
from index_fixtures import Library
from stored_frames import store_video

from framesearch.errors import NotStored, ObjectDamaged
from framesearch.index.codebook import codebook_digest
from framesearch.jobs import embed
from framesearch.models.encoder import Encoder
from framesearch.records import FrameRole
from framesearch.store import layout, tables


def test_embeds_the_index_frames_of_each_video_once(library: Library) -> None:
    assert library.embed() == ["v0", "v1", "v2"]
    with library.storage.open(layout.embeddings("1", "v1")) as file:
        embeddings = tables.read_embeddings(file)
    with library.storage.open(layout.frames("v1")) as file:
        times, _ = tables.read_frame_times(file, FrameRole.INDEX)
    assert embeddings.timestamps_s.tolist() == times.tolist()
    assert np.linalg.norm(embeddings.vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert library.embed() == []


def test_another_model_version_embeds_anew(library: Library) -> None:
    library.embed("1")
    assert embed.videos_to_embed("2", library.catalogue, library.storage) == ["v0", "v1", "v2"]


def test_blank_frames_are_not_embedded(library: Library) -> None:
    store_video(library.catalogue, library.storage, "black", seed=5, quality=0.0)
    encoder = Encoder(library.encoder_file)
    assert embed.embed_video("black", encoder, "1", library.storage) == 0
    assert "black" not in embed.videos_to_embed("1", library.catalogue, library.storage)
    assert "black" in library.videos_of(library.publish().index_id)


def test_embedding_twice_keeps_the_first(library: Library) -> None:
    library.embed()
    path = library.storage.root / layout.embeddings("1", "v0")
    before = path.read_bytes()
    assert embed.embed_video("v0", Encoder(library.encoder_file), "1", library.storage) == 24
    assert path.read_bytes() == before


def test_damaged_frames_name_the_video_and_cost_no_other(library: Library) -> None:
    library.damage(layout.frames("v1"))
    with pytest.raises(ObjectDamaged, match=r"v1\.parquet is damaged"):
        library.embed()
    assert embed.embed_video("v2", Encoder(library.encoder_file), "1", library.storage) == 24
    assert library.videos_of(library.build().index_id) == ["v0", "v2"]


def test_a_picture_that_is_no_picture_names_the_video(library: Library) -> None:
    frame = tables.Frame(0.0, b"no jpeg", FrameRole.INDEX, 0.9)
    library.storage.delete(layout.frames("v1"))
    with library.storage.scratch() as scratch:
        tables.write_frames(scratch / "frames", [frame])
        library.storage.create(layout.frames("v1"), scratch / "frames")
    with pytest.raises(ObjectDamaged, match=r"video v1 are damaged.*ingest the video again"):
        embed.embed_video("v1", Encoder(library.encoder_file), "1", library.storage)


def test_frames_that_are_not_stored_are_said(library: Library) -> None:
    with pytest.raises(NotStored):
        embed.embed_video("absent", Encoder(library.encoder_file), "1", library.storage)


def test_waits_for_frames_before_embedding(library: Library) -> None:
    library.storage.delete(layout.frames("v1"))
    assert library.embed() == ["v0", "v2"]


def test_damaged_features_are_made_again_with_the_embeddings(library: Library) -> None:
    library.embed()
    library.damage(layout.features("v1", codebook_digest()))
    library.storage.delete(layout.embeddings("1", "v1"))
    assert library.embed() == ["v1"]
    with library.storage.open(layout.features("v1", codebook_digest())) as file:
        assert len(tables.read_features(file).features) == 24
