"""framesearch with parts of it left out: what each is worth, on the same frames, index and queries."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.systems import FramesearchSystem, Reply
from framesearch.images.keypoints import Keypoints, detect
from framesearch.search import query, verification
from framesearch.settings import Settings

_VIEWS = query.views


def _no_features(rgb: np.ndarray, *, height: int, most: int) -> Keypoints:
    return detect(rgb, height=height, most=0)


def _plain_view(rgb: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    return {"original": _VIEWS(rgb, height, width)["original"]}


_NO_PIXELS = {(verification, "_COMPARED"): 0, (verification, "_COMPARED_UNALIGNED"): 0}
WITHOUT: dict[str, dict[tuple[ModuleType, str], Any]] = {
    "without pixels": _NO_PIXELS,
    "without exact placement": {(verification, "_REGISTERED"): 0},
    "without local features": {(query, "detect"): _no_features},
    "embedding and views": {(query, "detect"): _no_features, **_NO_PIXELS},
    "embedding alone": {(query, "detect"): _no_features, (query, "views"): _plain_view, **_NO_PIXELS},
}
"""By name, what is used instead, by module and name there."""


class AblatedSystem(FramesearchSystem):
    """framesearch without some of its parts; its threshold of "found" was set with them and means nothing here."""

    abstains = False

    def __init__(self, settings: Settings, gallery: Gallery, name: str) -> None:
        super().__init__(settings, gallery, name)
        self.digest = f"{self.digest} {name}"
        self._instead = WITHOUT[name]

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """One search a picture."""
        with ExitStack() as stack:
            for (module, name), instead in self._instead.items():
                stack.enter_context(mock.patch.object(module, name, instead))
            return super().answer(pictures)
