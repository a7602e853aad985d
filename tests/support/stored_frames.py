"""Catalogue and storage as ingest leaves them, without decoding any video: textured frames that drift with time."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import cv2
import numpy as np

from framesearch.catalogue.contract import Catalogue
from framesearch.images.pixels import encode_jpeg
from framesearch.records import FrameCounts, FrameRole, ListedVideo, PlaylistListing
from framesearch.store import layout, tables
from framesearch.store.storage import Storage

HEIGHT, WIDTH = 90, 160
SHOT_S = 6.0
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@cache
def _scenery(seed: int, shot: int) -> np.ndarray:
    rng = np.random.default_rng([seed, shot])
    rough = rng.integers(0, 256, (10, 20, 3), dtype=np.uint8)
    fine = rng.normal(0, 12, (3 * HEIGHT, 3 * WIDTH, 3))
    smooth = cv2.resize(rough, (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    return (smooth + cv2.GaussianBlur(fine, (0, 0), 1.5)).clip(0, 255).astype(np.uint8)


def picture(seed: int, time_s: float, *, still: bool = False) -> np.ndarray:
    """What the video of this seed shows at a time: a camera that pans over a scenery, another one every shot."""
    shot, into = divmod(time_s, SHOT_S)
    x, y = (0, 0) if still else (round(into * 30), round(into * 12))
    return _scenery(seed, int(shot))[y : y + HEIGHT, x : x + WIDTH].copy()


def store_video(
    catalogue: Catalogue,
    storage: Storage,
    video_id: str,
    *,
    seed: int,
    seconds: float = 12.0,
    title: str | None = None,
    url: str | None = None,
    still: bool = False,
    quality: float = 0.9,
    shown: Callable[[float], np.ndarray] | None = None,
    playlist: str = "https://films.example/list",
) -> None:
    """Take a video into catalogue and storage: index frames every half second, a probe frame every three.

    Args:
        shown: what it shows at a time, if not `picture`.
    """
    listed = [ListedVideo(v.video_id, v.url, v.title, v.duration_s) for v in catalogue.videos(playlist=playlist)]
    video = ListedVideo(video_id, url or f"https://films.example/{video_id}", title or f"Film {video_id}", seconds)
    catalogue.record_listing(
        PlaylistListing(playlist, "Films", [*(v for v in listed if v.video_id != video_id), video]), NOW
    )
    times = [(k / 2, FrameRole.INDEX) for k in range(int(seconds * 2))]
    times += [(k * 3 + 1.25, FrameRole.PROBE) for k in range(int(seconds / 3))]
    frames = [
        tables.Frame(
            time_s,
            encode_jpeg(picture(seed, time_s, still=still) if shown is None else shown(time_s), 90),
            role,
            quality,
        )
        for time_s, role in sorted(times)
    ]
    with storage.scratch() as scratch:
        tables.write_frames(scratch / "frames", frames)
        storage.create(layout.frames(video_id), scratch / "frames")
    probes = sum(role is FrameRole.PROBE for _, role in times)
    catalogue.mark_ready(video_id, FrameCounts(len(times) - probes, probes, seconds), NOW)
