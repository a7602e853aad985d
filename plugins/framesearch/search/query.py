"""A picture, ready to be searched for."""

from dataclasses import dataclass

import numpy as np

from framesearch.images.keypoints import Keypoints, detect
from framesearch.images.overlay import Prepared, prepared
from framesearch.images.views import MIRRORED, mirror, views
from framesearch.models.encoder import Encoder

_QUERY_HEIGHT, _QUERY_FEATURES = 200, 300


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A picture, ready to be searched for.

    Attributes:
        names: of its views.
        vectors: float32 (V, D), their embeddings.
        keypoints: of the picture and of its mirror image.
        pixels: of the two.
        aspect: width by height.
    """

    names: list[str]
    vectors: np.ndarray
    keypoints: tuple[Keypoints, Keypoints]
    pixels: tuple[Prepared, Prepared]
    aspect: float

    def direction(self, view: int) -> int:
        """1 where a view is of the mirror image, else 0."""
        return int(MIRRORED in self.names[view])


def read_query(encoder: Encoder, rgb: np.ndarray) -> Query:
    """Everything about a picture (RGB uint8 (H, W, 3)) that searching needs."""
    readings = views(rgb, encoder.height, encoder.width)
    keypoints = detect(rgb, height=_QUERY_HEIGHT, most=_QUERY_FEATURES)
    pixels = prepared(rgb)
    return Query(
        list(readings),
        encoder.embed(list(readings.values())),
        (keypoints, keypoints.mirrored()),
        (pixels, Prepared(mirror(pixels.grey))),
        rgb.shape[1] / rgb.shape[0],
    )
