"""Frames by what they show in part: inverted lists of local features.

Embeddings know a picture as a whole and lose it when it is cropped, framed by a page or photographed off a screen.
Local features survive that: each of the query's looks up the frames that have one like it, and the rare ones count
most (Sivic and Zisserman 2003, https://doi.org/10.1109/ICCV.2003.1238663, with the signatures of `codebook`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from framesearch.images.keypoints import Keypoints
from framesearch.index.codebook import SIGNATURE_BITS, WORDS, nearest_words, signatures

WORDS_LOOKED_UP = 6  # of a query's feature: noise moves one across the border of a cell
LARGEST_DISTANCE = 9  # bits, of 32: two features of one thing lie closer, of two things hardly ever
_MOST_POSTINGS = 4_000_000  # looked at for a query; the longest lists, which say least, are left out beyond
_FEWEST = 8  # features: a frame that has fewer counts as having so many, or one chance hit would be half of it
_LEAST_WEIGHT = 0.1

_BITS = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of a query's and a stored feature that look alike, all arrays of one length, ordered by row.

    Attributes:
        query: int64, which of the query's keypoints.
        row: int64, the frame.
        feature: int64, which of all stored features.
        weight: float32, how much the pair says: more for rare words and close signatures.
    """

    query: np.ndarray
    row: np.ndarray
    feature: np.ndarray
    weight: np.ndarray

    def of_rows(self, rows: np.ndarray) -> "Matches":
        """Those in some of the frames only."""
        chosen = np.isin(self.row, rows)
        return Matches(self.query[chosen], self.row[chosen], self.feature[chosen], self.weight[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Lists:
    """The features by their word: a posting a feature, those of one word together.

    Attributes:
        starts: int64 (WORDS + 1,), where the postings of each word begin and end.
        feature, row, signature: of each posting.
        rarity: float32 (WORDS,), what a match of each word says.
    """

    starts: np.ndarray
    feature: np.ndarray
    row: np.ndarray
    signature: np.ndarray
    rarity: np.ndarray


class LocalIndex:
    """All stored features by their word.

    Attributes:
        features: FEATURE (F,), those of a row together, rows in order.
        starts: int64 (N + 1,), where the features of each row begin and end.

    Memory: 12 bytes a feature beside `features`, which may be a mapped file; none before the first match.
    """

    def __init__(self, features: np.ndarray, counts: np.ndarray) -> None:
        """Take the features as they are.

        Args:
            features: FEATURE (F,).
            counts: int (N,), how many of them each row has.
        """
        self.features = features
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._norms = np.sqrt(np.maximum(_FEWEST, counts)).astype(np.float32)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def prepare(self) -> None:
        """Sort the features by word, about a second for ten million, which the first match does otherwise.

        Whoever builds an index upon this one never needs it.
        """
        _ = self._lists

    @cached_property
    def _lists(self) -> _Lists:
        words, frames = self.features["word"], len(self)
        feature = np.argsort(words, kind="stable").astype(np.int32 if len(words) < 2**31 else np.int64)
        row = np.repeat(np.arange(frames, dtype=np.int32), np.diff(self.starts))[feature]
        lengths = np.bincount(words, minlength=WORDS)
        rarity = np.log(max(1, frames) / np.maximum(1, lengths)).clip(_LEAST_WEIGHT).astype(np.float32)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return _Lists(starts, feature, row, self.features["signature"][feature], rarity)

    def match(self, keypoints: Keypoints) -> Matches:
        """Every stored feature that looks like one of the query's."""
        lists = self._lists
        words = nearest_words(keypoints.descriptors, WORDS_LOOKED_UP).reshape(-1)
        query = np.repeat(np.arange(len(keypoints)), WORDS_LOOKED_UP)
        lengths = lists.starts[words.astype(np.int64) + 1] - lists.starts[words]
        shortest = np.argsort(lengths, kind="stable")
        looked_up = np.sort(shortest[np.cumsum(lengths[shortest]) <= _MOST_POSTINGS])
        looked_up = looked_up[lengths[looked_up] > 0]
        words, query, lengths = words[looked_up], query[looked_up], lengths[looked_up]
        wanted = signatures(keypoints.descriptors[query], words)
        entry = np.repeat(np.arange(len(words)), lengths)  # which looked-up word each posting is of
        posting = np.arange(len(entry)) + np.repeat(lists.starts[words] - np.cumsum(lengths) + lengths, lengths)
        apart = lists.signature[posting] ^ wanted[entry]
        distance = _BITS[apart & 0xFFFF] + _BITS[apart >> 16]
        close = distance <= LARGEST_DISTANCE
        posting, entry, distance = posting[close], entry[close], distance[close]
        weight = lists.rarity[words[entry]] * (1 - distance / np.float32(LARGEST_DISTANCE + 4))
        order = np.argsort(lists.row[posting], kind="stable")
        posting, entry = posting[order], entry[order]
        return Matches(
            query[entry],
            lists.row[posting].astype(np.int64),
            lists.feature[posting].astype(np.int64),
            weight[order].astype(np.float32),
        )

    def votes(self, matches: Matches) -> np.ndarray:
        """How much the matches speak for each frame: float32 (N,), 0 for most."""
        result: np.ndarray = (
            np.bincount(matches.row, weights=matches.weight, minlength=len(self)).astype(np.float32) / self._norms
        )
        return result


assert SIGNATURE_BITS == 32  # `match` compares two halves of 16 bits
