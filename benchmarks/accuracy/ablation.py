"""framesearch with parts of it left out: what each is worth, on the same frames, index and queries."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.systems import FramesearchSystem, Reply
from framesearch.search import by_pixels, query, ranking
from framesearch.settings import Settings

_VIEWS = query.views


def _plain_view(rgb: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    return {"original": _VIEWS(rgb, height, width)["original"]}


_EMBEDDING, _FEATURES, _PIXELS = ranking.EVIDENCE
WITHOUT: dict[str, dict[tuple[ModuleType, str], Any]] = {
    "without pixels": {(ranking, "EVIDENCE"): (_EMBEDDING, _FEATURES)},
    "without exact placement": {(by_pixels, "_REGISTERED"): 0},
    "without local features": {(ranking, "EVIDENCE"): (_EMBEDDING, _PIXELS)},
    "embedding and views": {(ranking, "EVIDENCE"): (_EMBEDDING,)},
    "embedding alone": {(ranking, "EVIDENCE"): (_EMBEDDING,), (query, "views"): _plain_view},
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
