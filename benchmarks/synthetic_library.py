"""A catalogue of any size without footage: embeddings drawn at random, frames only where a measurement reads them."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from framesearch.backends import open_catalogue, open_storage
from framesearch.catalogue.contract import Catalogue
from framesearch.images.pixels import encode_jpeg
from framesearch.index.codebook import codebook_digest
from framesearch.jobs.local_features import FEATURES
from framesearch.records import FrameCounts, FrameRole, ListedVideo, PlaylistListing
from framesearch.settings import Settings
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

PLAYLIST = "https://films.example/list"


def picture(seed: int, height: int = 180, width: int = 320) -> np.ndarray:
    """A picture with shapes and grain, another one for every seed."""
    rng = np.random.default_rng(seed)
    rough = cv2.resize(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return (rough + rng.normal(0, 8, rough.shape)).clip(0, 255).astype(np.uint8)


class SyntheticLibrary:
    """A home filled with videos of `rows` frames each."""

    def __init__(self, home: Path, encoder_file: Path) -> None:
        self.settings = Settings(home=home)
        self.storage: Storage = open_storage(self.settings)
        self.catalogue: Catalogue = open_catalogue(self.settings)
        self.encoder_file = encoder_file

    def list_videos(self, count: int, rows: int) -> None:
        """Take videos 0 to `count` into the catalogue as ready."""
        now = datetime.now(UTC)
        videos = [ListedVideo(f"video{n}", f"https://films.example/{n}", f"Film {n}", rows / 4) for n in range(count)]
        for new in self.catalogue.record_listing(PlaylistListing(PLAYLIST, "Films", videos), now).new:
            self.catalogue.mark_ready(new, FrameCounts(rows, 0, rows / 4), now)

    def store_frames(self, number: int, rows: int) -> None:
        """Store `rows` index frames of a video and a probe frame for every twenty."""
        jpegs = [encode_jpeg(picture(number * 100_000 + shot), 85) for shot in range(min(rows, 64))]
        frames = [tables.Frame(row / 4, jpegs[row % len(jpegs)], FrameRole.INDEX, 0.9) for row in range(rows)]
        frames += [
            tables.Frame(row / 4 + 0.1, jpegs[row % len(jpegs)], FrameRole.PROBE, 0.9) for row in range(0, rows, 20)
        ]
        with self.storage.scratch() as scratch:
            tables.write_frames(scratch / "frames", sorted(frames, key=lambda frame: frame.timestamp_s))
            self.storage.create(layout.frames(f"video{number}"), scratch / "frames")

    def store_embeddings(self, number: int, rows: int, dimension: int) -> None:
        """Store random unit vectors as the embeddings of a video by model version 1."""
        vectors = np.random.default_rng(number).normal(size=(rows, dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        with self.storage.scratch() as scratch:
            embeddings = tables.Embeddings(np.arange(rows) / 4, vectors)
            tables.write_embeddings(scratch / "embeddings", embeddings)
            self.storage.create(layout.embeddings("1", f"video{number}"), scratch / "embeddings")

    def store_features(self, number: int, rows: int) -> None:
        """Store random local features for a video's frames, as many as real ones have."""
        rng = np.random.default_rng(number)
        size = FEATURES * tables.FEATURE.itemsize
        features = [np.frombuffer(rng.bytes(size), tables.FEATURE) for _ in range(rows)]
        with self.storage.scratch() as scratch:
            times = np.arange(rows) / 4
            local = tables.LocalFeatures(
                times, times, np.full(rows, 16 / 9, np.float32), features, np.zeros(rows, tables.JPEG_PLACE)
            )
            tables.write_features(scratch / "features", local)
            self.storage.create(layout.features(f"video{number}", codebook_digest()), scratch / "features")
