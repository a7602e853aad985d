"""What a similarity score means in an index: measured on the catalogue's own probe frames when a bundle is built.

Probe frames are never indexed, so each is a fair query with a known answer: as it is and distorted as screenshots
are. Searched with its own video left out, the same query tells how high the score of a picture gets that is *not* in
the library. Both together give the threshold of "found" and the probability that a match is right.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from framesearch.images.distortions import DISTORTIONS
from framesearch.images.pixels import correlation
from framesearch.images.sameness import LOOKS_THE_SAME, SIDE, look
from framesearch.index.card import Calibration, Curve
from framesearch.index.gallery import Gallery
from framesearch.index.score import WEIGHTS, Weights
from framesearch.models.encoder import Encoder
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader
from framesearch.search.probes import probe_frames
from framesearch.search.query import Query, read_query
from framesearch.search.ranking import Place, rank
from framesearch.search.rightness import is_right
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

PROBES = 200
DISTORTED = 2  # of each probe, beside the clean one
SAME_PICTURE = 0.9  # across videos: the same frame of another copy, neither right nor wrong
SAME_FILM = 0.97  # across videos: proof that they are copies, all of whose matches among them are neither
TWINS = 0.5  # share of a video's frames that another answers as well: recordings of one scene, copies in effect
STILL = 0.99  # of neighbouring frames: a still scene
STILL_SHARE = 0.95  # of the neighbours called still that are to be
PRUDENCE, RESAMPLES = 0.8, 200  # see `prudent_score`
MARGIN = 0.04  # of the right answers, given up for a higher threshold: two trainings on one library differ by that much
LEAST_PAIRS = 20  # below, a share says nothing
ENOUGH_PAIRS = 60  # so many are asked though the time is spent
NEIGHBOURS = 3  # pairs of neighbouring frames compared for each probe
NOWHERE = -1  # the "video" of a picture that no film shows


@dataclass(frozen=True, slots=True)
class _Answer:
    """A match that came back for a probe frame.

    Attributes:
        rank: 0 for the first match, 1 and 2 for further ones; None where the probe's own video was left out.
        video, other: the probe's and the match's, as places in `Gallery.video_ids`.
        right: the right video at the right moment.
        clean: the probe was not distorted.
    """

    rank: int | None
    score: float
    video: int
    other: int
    right: bool
    clean: bool


@dataclass(slots=True)
class _Asked:
    """All that came back, the pairs of videos that are copies of a film, and how alike neighbouring frames are."""

    answers: list[_Answer] = field(default_factory=list)
    copies: set[frozenset[int]] = field(default_factory=set)
    neighbours: list[float] = field(default_factory=list)
    neighbours_same: list[bool] = field(default_factory=list)
    probes: int = 0

    def of_rank(self, *ranks: int | None) -> list[_Answer]:
        """The answers of these ranks that say something: not those from one copy of a film to another."""
        return [
            answer
            for answer in self.answers
            if answer.rank in ranks and frozenset((answer.video, answer.other)) not in self.copies
        ]


def calibrate(
    gallery: Gallery,
    encoder: Encoder,
    storage: Storage,
    *,
    precision: float,
    budget_s: float,
    weights: Weights = WEIGHTS,
    seed: int = 0,
) -> Calibration:
    """Measure what scores mean in an index.

    Args:
        encoder: the one that made the gallery's embeddings.
        precision: share of the pictures called found that are to name the right video.
        budget_s: wall-clock seconds after which no further probe is tried; none at all where negative.
        weights: of the evidence, by which scores are made.

    Returns:
        The calibration; `Calibration()` with its defaults where there are too few probe frames.
    """
    started = time.monotonic()
    rng = np.random.default_rng(seed)
    thumbnails = _Thumbnails(gallery, storage)

    def search(query: Query, top: int, without: range | None = None) -> list[Place]:
        return rank(gallery, query, top, thumbnails.pictures, weights=weights, without=without).places

    asked = _Asked()
    for video, timestamp_s, rgb in probe_frames(gallery, storage, rng, PROBES) if budget_s >= 0 else ():
        if time.monotonic() - started > budget_s and len(asked.of_rank(0)) >= ENOUGH_PAIRS:
            break
        _ask(gallery, encoder, search, thumbnails, asked, video, timestamp_s, rgb, rng)
    seconds = time.monotonic() - started
    queries = len(asked.of_rank(0))
    if queries < LEAST_PAIRS:
        log.warning("calibration: only %d queries from probe frames, the defaults stand", queries)
        return Calibration(rows=len(gallery))
    calibration = _fit(asked, precision, len(gallery), seconds)
    log.info("calibrated: %d queries, %.1f s, %s", queries, seconds, calibration.figures)
    return calibration


# ---- asking


def _ask(
    gallery: Gallery,
    encoder: Encoder,
    search: Callable[..., list[Place]],
    thumbnails: "_Thumbnails",
    asked: _Asked,
    video: int,
    timestamp_s: float,
    rgb: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Ask one probe frame, clean and distorted, and note what came back."""
    truth = look(rgb)
    rows = gallery.rows_of(video)
    after = rows.start + int(np.searchsorted(gallery.timestamps_s[rows.start : rows.stop], timestamp_s))
    around = [truth, *(thumbnails.of(row) for row in (after - 1, after) if row in rows)]

    def note(rank_: int | None, place: Place, *, clean: bool) -> None:
        alike = max(thumbnails.correlation(place.row, one) for one in around)
        if place.video != video and alike > SAME_FILM:
            asked.copies.add(frozenset((video, place.video)))
        if place.video != video and alike > SAME_PICTURE:
            return
        late_s = float(gallery.late_s(place.row, timestamp_s))
        same = thumbnails.correlation(place.row, truth) > LOOKS_THE_SAME
        right = is_right(late_s if place.video == video else np.inf, same)
        asked.answers.append(_Answer(rank_, place.score, video, place.video, bool(right), clean))

    asked.probes += 1
    kinds = rng.choice(sorted(set(DISTORTIONS) - {"none"}), DISTORTED, replace=False)
    for number, query in enumerate([rgb, *(DISTORTIONS[kind](rgb, rng) for kind in kinds)]):
        read = read_query(encoder, query)
        for position, place in enumerate(search(read, 3)):
            note(position, place, clean=number == 0)
        for place in search(read, 1, without=rows):
            note(None, place, clean=number == 0)
        if len(gallery.video_ids) == 1:  # nothing else to compare with: what no film shows, its own frame in pieces
            best = search(read_query(encoder, _shuffled(query, rng)), 1)[0]
            asked.answers.append(_Answer(None, best.score, video, NOWHERE, right=False, clean=False))
    _compare_neighbours(gallery, thumbnails, asked, video, rng)


def _compare_neighbours(
    gallery: Gallery, thumbnails: "_Thumbnails", asked: _Asked, video: int, rng: np.random.Generator
) -> None:
    rows = gallery.rows_of(video)
    if len(rows) < 2:
        return
    for row in rng.integers(rows.start, rows.stop - 1, NEIGHBOURS):
        one, other = gallery.vectors(range(row, row + 2))
        asked.neighbours.append(float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other))))
        asked.neighbours_same.append(thumbnails.correlation(int(row), thumbnails.of(int(row) + 1)) > STILL)


def _shuffled(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture cut into 4 x 4 tiles in random order, colours inverted."""
    height, width = rgb.shape[0] // 4, rgb.shape[1] // 4
    tiles = [rgb[y * height : (y + 1) * height, x * width : (x + 1) * width] for y in range(4) for x in range(4)]
    order = rng.permutation(16)
    return 255 - np.vstack([np.hstack([tiles[order[4 * y + x]] for x in range(4)]) for y in range(4)])


class _Thumbnails:
    """Small grey pictures of indexed frames, to tell whether two show the same."""

    def __init__(self, gallery: Gallery, storage: Storage) -> None:
        self.pictures = FrameCache(FrameReader(storage)).of(gallery)
        self._by_row: dict[int, np.ndarray] = {}

    def of(self, row: int) -> np.ndarray:
        if row not in self._by_row:
            rgb = self.pictures([row]).get(row)
            looks = np.zeros((SIDE, SIDE), np.uint8) if rgb is None else look(rgb)
            self._by_row[row] = looks  # where it can't be had it looks like nothing else
        return self._by_row[row]

    def correlation(self, row: int, thumbnail: np.ndarray) -> float:
        """Normalised cross-correlation with another thumbnail, -1 to 1; 0 where one of them is plain."""
        return correlation(self.of(row), thumbnail)


# ---- fitting


def _note_twins(asked: _Asked) -> None:
    """Take videos for copies of one film that nobody could tell apart: one speaker, one room, two recordings.

    Without its own video, most of the one's undistorted frames find the other with a score that nine in ten right
    answers reach; or one does with a score that half of them reach: they share a part.
    """
    right = [answer.score for answer in asked.of_rank(0) if answer.clean and answer.right]
    if len(right) < LEAST_PAIRS:
        return
    hardly, usually = np.quantile(right, [0.1, 0.5])
    scores: dict[int, list[tuple[float, int]]] = {}
    for answer in asked.of_rank(None):
        if answer.clean and answer.other != NOWHERE:
            scores.setdefault(answer.video, []).append((answer.score, answer.other))
    for video, found in scores.items():
        for other in {other for _, other in found}:
            by_other = np.array([score for score, by in found if by == other])
            if (by_other >= hardly).sum() >= TWINS * len(found) or (by_other >= usually).any():
                asked.copies.add(frozenset((video, other)))


def _fit(asked: _Asked, precision: float, rows: int, seconds: float) -> Calibration:
    _note_twins(asked)
    first, further, outside = asked.of_rank(0), asked.of_rank(1, 2), asked.of_rank(None)
    own, foreign = (np.array([answer.score for answer in answers]) for answers in (first, outside))
    right = np.array([answer.right for answer in first])
    video = np.array([answer.video == answer.other for answer in first])
    clean = np.array([answer.clean for answer in first])
    pooled = np.concatenate([own, foreign])
    named = np.concatenate([video, np.zeros(len(foreign), bool)])
    films = np.array([answer.video for answer in (*first, *outside)])
    found_score = prudent_score(pooled, named, films, precision)
    found, falsely = own >= found_score, foreign >= found_score
    called = int(found.sum() + falsely.sum())
    figures = {
        "probe_frames": asked.probes,
        "queries_in_library": len(own),
        "queries_not_in_library": len(foreign),
        "copies": len(asked.copies),
        "moment_at_1": float(right.mean()),
        "video_at_1": float(video.mean()),
        "clean_moment_at_1": float(right[clean].mean()) if clean.any() else 0.0,
        "clean_video_at_1": float(video[clean].mean()) if clean.any() else 0.0,
        "clean_found": float(found[clean].mean()) if clean.any() else 0.0,
        "found_precision": float((found & video).sum() / called) if called else 1.0,
        "found_recall": float((found & video).mean()),
        "falsely_found": float(falsely.mean()) if len(foreign) else 0.0,
        "seconds": round(seconds, 2),
    }
    return Calibration(
        found_score=found_score,
        first=fit_curve(pooled, np.concatenate([right, np.zeros(len(foreign), bool)])),
        further=fit_curve(
            np.array([answer.score for answer in further]), np.array([answer.right for answer in further], bool)
        ),
        still_score=_still_score(np.array(asked.neighbours), np.array(asked.neighbours_same, bool)),
        method="probes",
        rows=rows,
        figures={name: round(value, 4) for name, value in figures.items()},
    )


def lowest_precise_score(scores: np.ndarray, right: np.ndarray, precision: float) -> float:
    """The lowest threshold on scores at which the share of right ones at or above it reaches `precision`.

    Equal scores count together. Where no threshold reaches it, the one just above the highest wrong score.
    """
    if len(scores) == 0:
        return Calibration().found_score
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    share = hits / np.arange(1, len(ranked) + 1)
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    precise = np.flatnonzero((share >= precision) & last_of_ties)
    return float(ranked[precise[-1]]) if len(precise) else float(np.nextafter(ranked[0], np.inf))


def prudent_score(scores: np.ndarray, right: np.ndarray, films: np.ndarray, precision: float) -> float:
    """The lowest precise score, as high as it would have been for most other choices of films.

    A handful of films decides about the rest of the world's: the threshold is measured again and again on as many drawn
    from them (bootstrap by `films`, int (N,)), and the quantile `PRUDENCE` of what comes out stands, if that is higher.
    From there it rises as far as `MARGIN` of the right answers lie: where hardly any does, films that none of these
    resembles have the room to themselves.
    """
    threshold = lowest_precise_score(scores, right, precision)
    rows = [np.flatnonzero(films == film) for film in np.unique(films)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        sample = np.concatenate([rows[film] for film in rng.integers(0, len(rows), len(rows))])
        drawn.append(lowest_precise_score(scores[sample], right[sample], precision))
    threshold = max(threshold, float(np.quantile(drawn, PRUDENCE)))
    kept = np.sort(scores[right & (scores >= threshold)])
    return float(kept[int(MARGIN * len(kept))]) if len(kept) else threshold


def fit_curve(scores: np.ndarray, right: np.ndarray) -> Curve:
    """Probability of being right by score: logistic regression by Newton's method, with Platt's softened targets.

    Source: Platt, Probabilistic outputs for support vector machines (1999); Lin, Lin and Weng (2007). A falling curve
    would be noise: the overall share stands instead.
    """
    rights, wrongs = int(right.sum()), int((~right).sum())
    targets = np.where(right, (rights + 1) / (rights + 2), 1 / (wrongs + 2))
    prior = np.log((rights + 1) / (wrongs + 1))
    if len(scores) < LEAST_PAIRS or np.ptp(scores) < 1e-6:
        return Curve(0.0, float(prior))
    centre, spread = scores.mean(), scores.std()
    x = np.stack([(scores - centre) / spread, np.ones(len(scores))], axis=1)
    weights = np.array([0.0, prior])
    ridge = np.diag([1e-2, 1e-6])  # so that perfectly told apart scores keep a finite slope
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (p - targets) + ridge @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(step, -3, 3)
        if np.abs(step).max() < 1e-8:
            break
    if weights[0] <= 0:
        return Curve(0.0, float(prior))
    return Curve(float(weights[0] / spread), float(weights[1] - weights[0] * centre / spread))


def _still_score(similarities: np.ndarray, same: np.ndarray) -> float:
    if len(similarities) < LEAST_PAIRS or not same.any():
        return Calibration().still_score
    score = lowest_precise_score(similarities, same, STILL_SHARE)
    below = similarities[similarities < score].max(initial=-1.0)
    return float(np.clip(score - min((score - below) / 2, 0.005), 0.9, 0.9999))
