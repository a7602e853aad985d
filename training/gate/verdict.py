"""The gate: a challenger sits the judge's exam beside the champion, and is better or not, for a reason.

The same gate for every encoder, wherever it comes from: trained here or imported. It needs no TensorFlow.

What the whole search finds with it decides (see `search_exam`). Where that is told apart from the champion's by nothing
but chance, the encoder alone decides, which is measured on five times the queries: it carries the pictures that have
too little detail for local features.
"""

import logging
from dataclasses import dataclass

import numpy as np

from framesearch.errors import EncoderInvalid
from framesearch.models import versions
from framesearch.models.encoder import Encoder
from framesearch.models.registry import Registry
from framesearch.models.versions import ModelVersion
from framesearch.settings import Settings
from framesearch.store.storage import Storage
from training.gate import encoder_exam
from training.gate.search_exam import SearchMarks, search_with

log = logging.getLogger(__name__)

SANE_R1 = 0.25  # of unmodified frames: a first version below that has learned nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger should be champion, and why, as a sentence with figures."""

    better: bool
    reason: str

    @property
    def word(self) -> str:
        """As a model version's tag has it."""
        return versions.BETTER if self.better else versions.NOT_BETTER


@dataclass(frozen=True, slots=True)
class ExamResult:
    """What an encoder's exam gave: by itself, and as a part of the search."""

    encoder: encoder_exam.Marks
    search: SearchMarks


@dataclass(frozen=True, slots=True)
class Judgement:
    """A challenger's exam, and what came of it.

    Attributes:
        marks: the challenger's encoder alone.
        champion: whom it was judged against; None where there was none.
        champion_marks: None where there was no champion, or its encoder can't be loaded.
        metrics: finite figures for the MLflow run: the marks', the champion's under champion/..., the difference.
    """

    exam: encoder_exam.Exam
    marks: encoder_exam.Marks
    champion: ModelVersion | None
    champion_marks: encoder_exam.Marks | None
    verdict: Verdict
    metrics: dict[str, float]

    def tags(self, catalogue_frames: int) -> dict[str, object]:
        """What the challenger's model version says of it."""
        return {
            versions.VERDICT: self.verdict.word,
            versions.REASON: self.verdict.reason,
            versions.JUDGED_AGAINST: self.champion.version if self.champion else versions.NO_CHAMPION,
            versions.CATALOGUE_FRAMES: catalogue_frames,
            "r1": f"{self.marks.metrics['r1']:.4f}",
        }

    def described(self) -> str:
        """The verdict and the figures, as Markdown for the model version's page."""
        found = self.marks.metrics
        return (
            f"{self.verdict.word.replace('_', ' ').capitalize()}: {self.verdict.reason}.\n\n"
            f"The encoder alone: R1 {found['r1']:.3f} (strict {found['r1_strict']:.3f}), R5 {found['r5']:.3f}, right "
            f"video {found['video1']:.3f}, micro AP {found['micro_ap']:.3f}, unmodified frames {found['r1/none']:.3f}."
        )


def judged(
    challenger: Encoder,
    champion: ModelVersion | None,
    registry: Registry,
    plan: encoder_exam.Plan,
    storage: Storage,
    settings: Settings,
) -> Judgement:
    """Judge a challenger against the champion, both on the same queries.

    Args:
        champion: None where there is none, or the challenger is the champion itself.
        settings: say how many queries the search is asked, and how sure it must be that the challenger finds more.

    Raises:
        NotEnoughFrames: the frames that were planned with can't be read any more.
        RegistryUnreachable: the champion's encoder can't be fetched.
    """
    rival = _rival(registry, champion)
    exam = encoder_exam.examine(plan, storage, [challenger, rival] if rival else [challenger])
    encoders = [challenger, rival] if rival else [challenger]
    own, *rivals = [
        ExamResult(encoder_exam.mark(exam, number), marks)
        for number, marks in enumerate(search_with(exam, storage, encoders, settings.judge_queries))
    ]
    champions = rivals[0] if rivals else None
    verdict, figures = decide(own, champion, champions, settings.promotion_confidence)
    metrics = {
        **own.encoder.metrics,
        **own.search.metrics,
        **figures,
        "queries": float(own.encoder.right.size),
        "search/queries": float(own.search.right.size),
        "probe_frames": float(len(exam.probes)),
        "gallery_frames": float(len(exam.video)),
    }
    finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
    return Judgement(exam, own.encoder, champion, champions.encoder if champions else None, verdict, finite)


def _rival(registry: Registry, champion: ModelVersion | None) -> Encoder | None:
    """The champion's encoder, as the index uses it."""
    if champion is None:
        return None
    try:
        return Encoder(registry.encoder_file(champion.version), told=f"champion version {champion.version}")
    except EncoderInvalid as error:
        log.warning("champion version %s can't be judged, any sane challenger beats it: %s", champion.version, error)
        return None


def decide(
    own: ExamResult, champion: ModelVersion | None, champions: ExamResult | None, confidence: float
) -> tuple[Verdict, dict[str, float]]:
    """Better than the champion on the same queries, by a margin beyond noise; a first version need only be sane."""
    found, alone = own.search.metrics["search/r1"], own.encoder.metrics["r1"]
    unmodified = own.encoder.metrics["r1/none"]
    if unmodified < SANE_R1:
        reason = (
            f"it finds only {unmodified:.0%} of unmodified frames ({own.encoder.right.size:,} queries): nothing was "
            "learned; train longer, or ingest more footage"
        )
        return Verdict(False, reason), {}
    if champion is None or champions is None:
        instead = f"; champion version {champion.version} can't be loaded" if champion else ""
        reason = (
            f"the search finds R1 {found:.3f} of {own.search.right.size:,} queries with it, it alone {alone:.3f} of "
            f"{own.encoder.right.size:,} and {unmodified:.0%} of unmodified frames; first version{instead}"
        )
        return Verdict(True, reason), {}
    search = encoder_exam.compare(own.search.right, champions.search.right, confidence)
    encoder = encoder_exam.compare(own.encoder.right, champions.encoder.right, confidence)
    better = search.low > 0 or (search.difference >= 0 and encoder.low > 0)
    reason = (
        f"the search finds R1 {found:.3f} with it, {champions.search.metrics['search/r1']:.3f} with champion version "
        f"{champion.version} on the same {own.search.right.size:,} queries, difference {_told(search)}; the encoder "
        f"alone {alone:.3f} against {champions.encoder.metrics['r1']:.3f} of {own.encoder.right.size:,}, difference "
        f"{_told(encoder)}: {'' if better else 'not '}better beyond noise at {confidence:.0%} confidence"
    )
    figures = {
        f"champion/{name}": value
        for metrics in (champions.encoder.metrics, champions.search.metrics)
        for name, value in metrics.items()
    }
    for prefix, compared in (("search/", search), ("", encoder)):
        figures[f"{prefix}difference"] = compared.difference
        figures[f"{prefix}difference_low"], figures[f"{prefix}difference_high"] = compared.low, compared.high
    return Verdict(better, reason), figures


def _told(compared: encoder_exam.Comparison) -> str:
    return f"{compared.difference:+.3f} [{compared.low:+.3f}, {compared.high:+.3f}]"
