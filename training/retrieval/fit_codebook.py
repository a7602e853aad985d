"""`python -m training.retrieval.fit_codebook VIDEO...`: fit the codebook of local features to any footage.

The one that ships was made from the four demo clips (see `embedded_stack.demo_feed`). Features stored with one codebook
mean nothing to another: who replaces the file must delete `features/` in the storage and rebuild the index.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2

from framesearch.images.keypoints import DIMENSIONS, detect
from framesearch.images.libraries import configure
from framesearch.index.codebook import CENTRES, FILE, HALF, SIGNATURE_BITS
from framesearch.jobs.local_features import FEATURE_HEIGHT
from framesearch.video import VideoFile

FRAMES = 60  # of each video
FEATURES = 100  # of each frame
ITERATIONS = 12


def descriptors_of(video: Path) -> np.ndarray:
    """The strongest local features of frames spread over a video: uint8 (N, 128)."""
    with VideoFile(video, height=FEATURE_HEIGHT, max_hours=24) as file:
        pictures = [frame.picture() for number, frame in enumerate(file.frames()) if number % 2 == 0]
    chosen = pictures[:: max(1, len(pictures) // FRAMES)]
    return np.concatenate([detect(rgb, height=FEATURE_HEIGHT, most=FEATURES).descriptors for rgb in chosen])


def fit(descriptors: np.ndarray, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Centres float16 (2, 256, 64) of the halves of descriptors (uint8 (N, 128)), projections float16 (128, 32)."""
    halves = descriptors.astype(np.float32).reshape(-1, 2, HALF)
    rng = np.random.default_rng(seed)
    centres = [kmeans2(halves[:, half], CENTRES, iter=ITERATIONS, minit="++", rng=rng)[0] for half in range(2)]
    directions, _ = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))
    return np.stack(centres).astype(np.float16), directions[:, :SIGNATURE_BITS].astype(np.float16)


def main() -> None:
    """Read the videos, fit, write."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("videos", nargs="+", type=Path)
    options.add_argument("--to", type=Path, default=FILE)
    asked = options.parse_args()
    configure()
    centres, projections = fit(np.concatenate([descriptors_of(video) for video in asked.videos]))
    np.savez_compressed(asked.to, centres=centres, projections=projections)


if __name__ == "__main__":
    main()
