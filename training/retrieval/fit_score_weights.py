"""`python -m training.retrieval.fit_score_weights`: fit the weights of the score to the probe frames of a home.

A score is a weighed sum of terms (`framesearch.index.score`). The weights are those under which the right frames of
each query would be chosen among all of its candidates with the highest probability: a conditional logit (McFadden 1974,
Conditional logit analysis of qualitative choice behavior), not negative and lightly regularised. Queries are probe
frames under the gate's transforms. What is printed belongs into `framesearch.index.score.WEIGHTS`; indexes that are
built from then on record it on their cards.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from framesearch.backends import open_storage
from framesearch.errors import NoIndex, NotEnoughFrames
from framesearch.images.distortions import DISTORTIONS, distorted
from framesearch.images.libraries import configure
from framesearch.index.bundle import Bundle, open_bundle
from framesearch.index.pointer import current_index_id
from framesearch.index.score import WEIGHTS, Weights
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader
from framesearch.search.probes import probe_frames
from framesearch.search.query import read_query
from framesearch.search.ranking import gather
from framesearch.search.rightness import on_time
from framesearch.settings import Settings, settings
from framesearch.store.storage import Storage

log = logging.getLogger(__name__)

NAMES = tuple(WEIGHTS.terms)
RIDGE = 1e-3  # of the squared weights, a query
LEAST_QUERIES = 50
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The candidates of one query.

    Attributes:
        film: the video that the query is from.
        terms: float64 (N, T), of each candidate, in the order of `NAMES`.
        right: bool (N,), which of them are right; at least one.
    """

    film: int
    terms: np.ndarray
    right: np.ndarray


def choices_of(bundle: Bundle, storage: Storage, most: int, seed: int = 0) -> list[Choice]:
    """Ask probe frames of all videos, each under one transform after the other, up to so many queries.

    Queries none of whose candidates is right teach nothing and are left out.
    """
    gallery, pictures = bundle.gallery, FrameCache(FrameReader(storage)).of(bundle.gallery)
    probes = list(probe_frames(gallery, storage, np.random.default_rng(seed), most))
    kinds, choices = sorted(DISTORTIONS), list[Choice]()
    for number in range(most if probes else 0):
        turn, place = divmod(number, len(probes))
        video, time_s, rgb = probes[place]
        kind = kinds[(place + turn) % len(kinds)]  # another one at every turn
        seen = distorted(rgb, kind, f"{gallery.video_ids[video]}|{time_s:.3f}")
        pool = gather(gallery, read_query(bundle.encoder, seen), pictures)
        rows = np.array(list(pool.candidates), np.int64)
        right = (gallery.video_of_row[rows] == video) & on_time(gallery.late_s(rows, time_s))
        if right.any():
            terms = [[one.terms.get(name, 0.0) for name in NAMES] for one in pool.candidates.values()]
            choices.append(Choice(video, np.array(terms), right))
    return choices


def fit(choices: Sequence[Choice]) -> np.ndarray:
    """The weights, float64 (T,), under which the right candidates are most probable."""

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros(len(weights))
        for choice in choices:
            scores = choice.terms @ weights
            all_, right = logsumexp(scores), logsumexp(scores[choice.right])
            total += all_ - right
            gradient += np.exp(scores - all_) @ choice.terms
            gradient -= np.exp(scores[choice.right] - right) @ choice.terms[choice.right]
        penalty = RIDGE * len(choices)
        return total + penalty * float(weights @ weights), gradient + 2 * penalty * weights

    start = np.array([WEIGHTS.terms[name] for name in NAMES])
    found = minimize(loss, start, jac=True, bounds=[(0, None)] * len(start), method="L-BFGS-B")
    return np.asarray(found.x)


def right_first(choices: Sequence[Choice], weights: np.ndarray) -> float:
    """The share of queries whose best candidate is right."""
    return float(np.mean([choice.right[int(np.argmax(choice.terms @ weights))] for choice in choices]))


def across_films(choices: Sequence[Choice]) -> float:
    """`right_first` of weights that were fitted to other films than those they are asked about."""
    films = np.unique([choice.film for choice in choices])
    if len(films) < 2:
        return float("nan")
    shares, counts = [], []
    for fold in np.array_split(np.random.default_rng(0).permutation(films), min(FOLDS, len(films))):
        inside = [choice for choice in choices if choice.film not in fold]
        outside = [choice for choice in choices if choice.film in fold]
        shares.append(right_first(outside, fit(inside)))
        counts.append(len(outside))
    return float(np.average(shares, weights=counts))


def main() -> None:
    """Ask, fit, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--home", type=Path, help="FRAMESEARCH_HOME with a published index")
    options.add_argument("--queries", type=int, default=600)
    asked = options.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    configure()
    chosen = settings() if asked.home is None else Settings(home=asked.home)
    storage = open_storage(chosen)
    index_id, _ = current_index_id(storage)
    if index_id is None:
        raise NoIndex("nothing is indexed yet: `framesearch run PLAYLIST`")
    bundle = open_bundle(storage, index_id, threads=1)
    choices = choices_of(bundle, storage, asked.queries)
    if len(choices) < LEAST_QUERIES:
        raise NotEnoughFrames(f"only {len(choices)} queries can be learned from, {LEAST_QUERIES} are needed")
    fitted = fit(choices)
    now = np.array([WEIGHTS.terms[name] for name in NAMES])
    log.info(
        "right frame first, of %d queries: %.3f with the weights there are, %.3f fitted, %.3f fitted to other films",
        *(len(choices), right_first(choices, now), right_first(choices, fitted), across_films(choices)),
    )
    terms = {name: round(float(weight), 3) for name, weight in zip(NAMES, fitted, strict=True)}
    told = f"{len(choices)} queries of {len(np.unique([one.film for one in choices]))} videos"
    print(json.dumps(asdict(Weights(terms, fitted_on=told)), indent=2))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
