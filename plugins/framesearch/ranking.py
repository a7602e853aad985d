"""From a picture to ranked places in an index: the search itself, the same for people's queries and for calibration."""

from dataclasses import dataclass

import numpy as np

from framesearch.bundle import Bundle
from framesearch.images.views import views

NEIGHBOUR_S = 2.0  # a frame this close to a better match of the same video is the same find
_CANDIDATES = 256  # rows looked at a view: a still scene of some minutes may fill as many
_MOST_CANDIDATES = 8192
_BLOCK = 64  # rows compared at a time while following a still scene


@dataclass(frozen=True, slots=True)
class Place:
    """One find in an index.

    Attributes:
        row: the most similar frame.
        video: its video, as a place in `Bundle.videos`.
        score: inner product with the winning view.
        first_row, last_row: the still scene around it, inclusive.
    """

    row: int
    video: int
    score: float
    view: int
    first_row: int
    last_row: int


def embed_views(bundle: Bundle, rgb: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The names of a picture's views and their embeddings, float32 (V, D)."""
    readings = views(rgb, bundle.encoder.height, bundle.encoder.width)
    return list(readings), bundle.encoder.embed(list(readings.values()))


def rank(bundle: Bundle, vectors: np.ndarray, top: int, *, without: range | None = None) -> list[Place]:
    """The best places for a picture, each scored by its best view, at most one a scene.

    Args:
        vectors: of the picture's views, float32 (V, D).
        without: rows not to be found.
    """
    depth = _CANDIDATES
    while True:
        scores, rows = bundle.index.search(vectors, depth, without=without)
        places = _group(bundle, scores, rows, top)
        if len(places) >= top or depth >= min(len(bundle.index), _MOST_CANDIDATES):
            return places
        depth *= 8  # one scene filled the candidates: look further down


def _group(bundle: Bundle, scores: np.ndarray, rows: np.ndarray, top: int) -> list[Place]:
    """The best candidates (both arrays (V, K)), each standing for its scene."""
    order = np.argsort(-scores, axis=None, kind="stable")
    order = order[rows.reshape(-1)[order] >= 0]
    _, first = np.unique(rows.reshape(-1)[order], return_index=True)
    order = order[np.sort(first)]  # each row once, by its best view
    found, videos = rows.reshape(-1)[order], bundle.video_of_row[rows.reshape(-1)[order]]
    times = bundle.timestamps_s[found]
    left = np.ones(len(order), bool)
    places: list[Place] = []
    while len(places) < top and left.any():
        best = int(np.argmax(left))
        row, video = int(found[best]), int(videos[best])
        first_row, last_row = _still_scene(bundle, row, bundle.rows_of(video))
        view, score = int(order[best]) // scores.shape[1], float(scores.reshape(-1)[order[best]])
        places.append(Place(row, video, score, view, first_row, last_row))
        start_s, end_s = bundle.timestamps_s[first_row], bundle.timestamps_s[last_row]
        near = (times >= start_s - NEIGHBOUR_S) & (times <= end_s + NEIGHBOUR_S)
        left &= ~((videos == video) & near)
    return places


def _still_scene(bundle: Bundle, row: int, rows: range) -> tuple[int, int]:
    """The first and last row of the unbroken run around `row` whose frames look the same as it."""
    (vector,) = bundle.index.vectors(range(row, row + 1))
    least = bundle.card.calibration.still_score * np.linalg.norm(vector)

    def run(outward: range) -> int:
        length = 0
        for start in range(0, len(outward), _BLOCK):
            block = bundle.index.vectors(outward[start : start + _BLOCK])
            same = block @ vector >= least * np.linalg.norm(block, axis=1)
            if not same.all():
                return length + int(np.argmin(same))
            length += len(block)
        return length

    return row - run(range(row - 1, rows.start - 1, -1)), row + run(range(row + 1, rows.stop))
