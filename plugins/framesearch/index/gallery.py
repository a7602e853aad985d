"""What can be searched: stored frames by their embeddings and local features, with their times and videos.

A gallery knows nothing of files, cards or titles: the gate searches one that was never stored, a bundle opens one from
its files. All who search go through its methods, so that several immutable segments can stand behind them later.
"""

from dataclasses import dataclass

import numpy as np

from framesearch.images.keypoints import Keypoints
from framesearch.index.codebook import places_of
from framesearch.index.vectors import FrameIndex
from framesearch.index.visual_words import LocalIndex, Matches


@dataclass(frozen=True, eq=False)
class Gallery:
    """N frames ("rows"), those of a video together and in time order. Safe to search from threads.

    Attributes:
        index, local: the rows by their embeddings and by their local features.
        video_ids: of all videos, in the order of their rows.
        video_of_row: int32 (N,), for each row its place in `video_ids`.
        timestamps_s: float64 (N,), presentation time of each row's frame.
        until_s: float64 (N,), of the last stored frame that shows the same picture: still pictures are one row.
        aspects: float32 (N,), width by height of each row's frame; 0 where it has no local features.
        jpegs: JPEG_PLACE (N,), where each row's frame lies in the storage; see `store.tables`.
    """

    index: FrameIndex
    local: LocalIndex
    video_ids: tuple[str, ...]
    video_of_row: np.ndarray
    timestamps_s: np.ndarray
    until_s: np.ndarray
    aspects: np.ndarray
    jpegs: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    def rows_of(self, video: int) -> range:
        """The rows of a video, by its place in `video_ids`."""
        first, end = np.searchsorted(self.video_of_row, [video, video + 1])
        return range(int(first), int(end))

    def late_s(self, rows: int | np.ndarray, time_s: float) -> np.ndarray:
        """Seconds between a moment and what rows show; not positive while a still picture of theirs stands."""
        late: np.ndarray = np.maximum(self.timestamps_s[rows] - time_s, time_s - self.until_s[rows])
        return late

    def nearest(
        self, vectors: np.ndarray, count: int, *, without: range | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows whose embeddings are most similar to each query's, best first.

        Args:
            vectors: float32 (Q, D), unit norm.
            without: rows that are not to be found.

        Returns:
            Inner products float32 (Q, K) and rows int64 (Q, K), K at most `count`; -1 where there are fewer rows.
        """
        return self.index.search(vectors, count, without=without)

    def vectors(self, rows: np.ndarray | range) -> np.ndarray:
        """The embeddings of rows, as exact as the index keeps them: float32 (R, D)."""
        return self.index.vectors(rows)

    def match(self, keypoints: Keypoints) -> Matches:
        """Every stored local feature that looks like one of the query's."""
        return self.local.match(keypoints)

    def votes(self, matches: Matches, *, without: range | None) -> np.ndarray:
        """How much local features speak for each row: float32 (N,), 0 for most and for those `without`."""
        votes = self.local.votes(matches)
        if without is not None:
            votes[without.start : without.stop] = 0
        return votes

    def matched_places(self, matches: Matches) -> tuple[np.ndarray, np.ndarray]:
        """Where the stored features of matches lie in their frames: places and arrows, complex64 (M,) each.

        See `codebook.places_of`.
        """
        return places_of(self.local.features[matches.feature], self.aspects[matches.row])

    def prepare(self) -> None:
        """Do now what the first query would wait for, about a second for ten million local features."""
        self.local.prepare()
