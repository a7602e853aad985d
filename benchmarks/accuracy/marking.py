"""Which answers are right, and what that comes to.

A query's first answer is right, *strict*, where it is a stored frame of the query's own video within one second; and,
*static-aware*, where it is, or where it is a stored frame of a copy of the film within one second of the same moment,
or a frame, of any video, that looks the same as the query did before it was distorted (112 px grey, normalised
cross-correlation above .998): a still scene has no one right second, and where a library holds the same shot twice
nobody could tell which one a picture is from. The right *video* is any copy of the film, or a frame that looks the
same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.asking import Answers
from benchmarks.accuracy.copies import Copies
from benchmarks.accuracy.footage import Footage
from benchmarks.accuracy.gallery import Gallery
from benchmarks.accuracy.queries import Base
from framesearch.images.sameness import look, looks_alike
from framesearch.search.rightness import is_right, on_time
from training.gate.precision import PooledPrecision, pooled_precision

RANKS = 5
RESAMPLES = 1000
INTERVAL = 0.95


@dataclass(frozen=True, slots=True)
class Marks:
    """The answers of one system, marked; B base frames of indexed films, D of others, K transforms.

    Attributes:
        kinds: names of the transforms.
        strict, right: bool (B, K, 5), by rank; `right` is static-aware.
        film: bool (B, K), the first answer names the right film.
        found: bool (B, K).
        error_s: float64 (B, K), of first answers in the query's own video, else NaN.
        sure: float64 (B, K), the higher the surer; -inf without an answer.
        score, confidence: float64 (B, K), as the system told them; NaN without an answer.
        cpu_ms: float64 (B + D, K).
        outside_found, outside_sure, outside_confidence: (D, K), of what is not in the library.
    """

    kinds: tuple[str, ...]
    strict: np.ndarray
    right: np.ndarray
    film: np.ndarray
    found: np.ndarray
    error_s: np.ndarray
    sure: np.ndarray
    confidence: np.ndarray
    cpu_ms: np.ndarray
    outside_found: np.ndarray
    outside_sure: np.ndarray
    outside_confidence: np.ndarray


def mark(
    answers: Answers,
    kinds: Sequence[str],
    inside: Sequence[Base],
    outside: Sequence[Base],
    gallery: Gallery,
    footage: Footage,
    copies: Copies,
) -> Marks:
    """Mark the answers of one system."""
    count = len(kinds)
    strict, right = (np.zeros((len(inside), count, RANKS), bool) for _ in range(2))
    film, found = (np.zeros((len(inside), count), bool) for _ in range(2))
    error_s, score, confidence = (np.full((len(inside), count), np.nan) for _ in range(3))
    outside_found = np.zeros((len(outside), count), bool)
    outside_score, outside_confidence = (np.full((len(outside), count), np.nan) for _ in range(2))
    cpu_ms = np.array(
        [[reply.cpu_ms for reply in answers[base.key]] for base in (*inside, *outside)], np.float64
    ).reshape(-1, count)
    file_of_video = dict(zip(gallery.video_ids, gallery.files, strict=True))
    for number, base in enumerate(inside):
        looks = look(base.rgb())
        alike: dict[int, bool] = {}
        for kind, reply in enumerate(answers[base.key]):
            found[number, kind] = reply.found and bool(reply.places)
            for rank, place in enumerate(reply.places[:RANKS]):
                row = gallery.row_at(place.video_id, place.timestamp_s)
                if row is None:
                    same = False
                else:
                    if row not in alike:
                        alike[row] = bool(looks_alike(gallery.thumbnails[row][None], looks)[0])
                    same = alike[row]
                file = file_of_video.get(place.video_id)
                late_s = np.inf if file is None else copies.late_s(base, file, place.timestamp_s)
                own = place.video_id == base.video_id
                strict[number, kind, rank] = own and on_time(late_s)
                right[number, kind, rank] = is_right(late_s, same)
                if rank == 0:
                    film[number, kind] = (file is not None and footage.film_of(file) == base.film) or same
                    error_s[number, kind] = late_s if own else np.nan
                    score[number, kind], confidence[number, kind] = place.score, place.confidence
    for number, base in enumerate(outside):
        for kind, reply in enumerate(answers[base.key]):
            outside_found[number, kind] = reply.found and bool(reply.places)
            if reply.places:
                outside_score[number, kind] = reply.places[0].score
                outside_confidence[number, kind] = reply.places[0].confidence
    sure, outside_sure = _sureness(confidence, score, outside_confidence, outside_score)
    return Marks(
        tuple(kinds),
        strict,
        right,
        film,
        found,
        error_s,
        sure,
        confidence,
        cpu_ms,
        outside_found,
        outside_sure,
        outside_confidence,
    )


def _sureness(
    confidence: np.ndarray, score: np.ndarray, outside_confidence: np.ndarray, outside_score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks by confidence, then by score where a system is equally confident; no answer comes below all answers."""
    pairs = np.stack(
        [np.concatenate([confidence, outside_confidence]), np.concatenate([score, outside_score])], axis=-1
    ).reshape(-1, 2)
    _, ranks = np.unique(np.nan_to_num(pairs, nan=-np.inf), axis=0, return_inverse=True)
    sure = np.where(np.isnan(pairs[:, 0]), -np.inf, ranks.reshape(-1).astype(np.float64))
    inside = sure[: confidence.size].reshape(confidence.shape)
    return inside, sure[confidence.size :].reshape(outside_confidence.shape)


def pooled(
    marks: Marks, inside: np.ndarray | slice = slice(None), outside: np.ndarray | slice = slice(None)
) -> PooledPrecision:
    """The pooled precision over some base frames of indexed films, and some of others."""
    right = marks.right[inside, :, 0]
    sure = np.concatenate([marks.sure[inside].reshape(-1), marks.outside_sure[outside].reshape(-1)])
    rights = np.concatenate([right.reshape(-1), np.zeros(marks.outside_sure[outside].size, bool)])
    return pooled_precision(sure, rights, right.size)


def figures(
    marks: Marks, inside: np.ndarray | slice = slice(None), outside: np.ndarray | slice = slice(None)
) -> dict[str, float]:
    """What the marks come to, over some of the base frames. Shares are 0 to 1, NaN where there is nothing to share."""
    right, film, found = marks.right[inside], marks.film[inside], marks.found[inside]
    falsely, errors = marks.outside_found[outside], marks.error_s[inside]
    errors = errors[~np.isnan(errors)]
    curve = pooled(marks, inside, outside)
    named = found & film
    called = found.sum() + falsely.sum()
    return {
        "r1": _share(right[..., 0]),
        "r1_strict": _share(marks.strict[inside][..., 0]),
        "r5": _share(right.any(axis=-1)),
        "r5_strict": _share(marks.strict[inside].any(axis=-1)),
        "video1": _share(film),
        "micro_ap": curve.average,
        "recall_at_p90": curve.recall,
        "found_right": _share(found & right[..., 0]),
        "found_wrong": _share(found & ~right[..., 0]),
        "not_found": _share(~found),
        "found_right_video": _share(film[found]),
        "found_precision": float(named.sum() / called) if called else float("nan"),
        "falsely_found": _share(falsely),
        "time_error_median_s": float(np.median(errors)) if len(errors) else float("nan"),
        "time_error_p95_s": float(np.quantile(errors, 0.95)) if len(errors) else float("nan"),
    }


def _share(of: np.ndarray | np.bool_) -> float:
    return float(np.mean(of)) if np.size(of) else float("nan")


def threshold_at_p90(marks: Marks) -> float:
    """The confidence of the last answer that still belongs to nine in ten right ones; infinite where there is none."""
    at = pooled(marks).threshold
    told = np.concatenate([marks.confidence.reshape(-1), marks.outside_confidence.reshape(-1)])
    sure = np.concatenate([marks.sure.reshape(-1), marks.outside_sure.reshape(-1)])
    return float(told[np.flatnonzero(sure == at)[0]]) if np.isfinite(at) else float("inf")


def intervals(marks: Marks, seed: int) -> dict[str, tuple[float, float]]:
    """95 % intervals of all figures by resampling base frames: queries of one frame are not independent."""
    rng = np.random.default_rng(seed)
    inside, outside = len(marks.right), len(marks.outside_sure)
    drawn: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        picked = rng.integers(0, inside, inside), rng.integers(0, max(1, outside), outside)
        for name, value in figures(marks, *picked).items():
            drawn.setdefault(name, []).append(value)
    edge = (1 - INTERVAL) / 2
    with np.errstate(all="ignore"):
        return {
            name: (float(np.nanquantile(values, edge)), float(np.nanquantile(values, 1 - edge)))
            if not np.isnan(values).all()
            else (float("nan"), float("nan"))
            for name, values in drawn.items()
        }


def difference(one: Marks, other: Marks, seed: int) -> tuple[float, float, float]:
    """By how much the first R1 exceeds the second on the same queries, with its 95 % interval over base frames."""
    paired = one.right[..., 0].mean(axis=1) - other.right[..., 0].mean(axis=1)
    rng = np.random.default_rng(seed)
    means = paired[rng.integers(0, len(paired), (RESAMPLES, len(paired)))].mean(axis=1)
    edge = (1 - INTERVAL) / 2
    return float(paired.mean()), float(np.quantile(means, edge)), float(np.quantile(means, 1 - edge))


def by_kind(marks: Marks) -> dict[str, dict[str, float]]:
    """The figures of each transform on its own; its precision pooled with the same transform's distractors."""
    told = {}
    for number, kind in enumerate(marks.kinds):
        one = slice(number, number + 1)
        told[kind] = figures(
            Marks(
                (kind,),
                marks.strict[:, one],
                marks.right[:, one],
                marks.film[:, one],
                marks.found[:, one],
                marks.error_s[:, one],
                marks.sure[:, one],
                marks.confidence[:, one],
                marks.cpu_ms[:, one],
                marks.outside_found[:, one],
                marks.outside_sure[:, one],
                marks.outside_confidence[:, one],
            )
        )
    return told
