"""framesearch with parts of it left out: what each is worth, on the same frames, index and queries."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.systems import FramesearchSystem, Reply
from framesearch import ranking
from framesearch.images.keypoints import Keypoints, detect
from framesearch.settings import Settings

_VIEWS = ranking.views


def _no_features(rgb: np.ndarray, *, height: int, most: int) -> Keypoints:
    return detect(rgb, height=height, most=0)


def _plain_view(rgb: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    return {"original": _VIEWS(rgb, height, width)["original"]}


_NO_PIXELS = {"_COMPARED": 0, "_COMPARED_UNALIGNED": 0}
WITHOUT: dict[str, dict[str, Any]] = {
    "without pixels": _NO_PIXELS,
    "without local features": {"detect": _no_features},
    "embedding and views": {"detect": _no_features, **_NO_PIXELS},
    "embedding alone": {"detect": _no_features, "views": _plain_view, **_NO_PIXELS},
}
"""By name, what `framesearch.ranking` uses instead."""


class AblatedSystem(FramesearchSystem):
    """framesearch without some of its parts; its threshold of "found" was set with them and means nothing here."""

    abstains = False

    def __init__(self, settings: Settings, gallery: Gallery, name: str) -> None:
        super().__init__(settings, gallery, name)
        self.digest = f"{self.digest} {name}"
        self._instead = WITHOUT[name]

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """One search a picture."""
        with mock.patch.multiple(ranking, **self._instead):
            return super().answer(pictures)
