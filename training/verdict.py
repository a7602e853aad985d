"""The gate: a challenger sits the judge's exam beside the champion, and is better or not, for a reason.

The same gate for every encoder, wherever it comes from: trained here or imported. It needs no TensorFlow.
"""

import logging
from dataclasses import dataclass

import numpy as np

from framesearch import registry as registered
from framesearch.encoder import Encoder
from framesearch.errors import EncoderInvalid, NoChampion
from framesearch.registry import ModelVersion, Registry
from framesearch.storage import Storage
from training import judge

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
        return registered.BETTER if self.better else registered.NOT_BETTER


@dataclass(frozen=True, slots=True)
class Judgement:
    """A challenger's exam, and what came of it.

    Attributes:
        marks: the challenger's.
        champion: whom it was judged against; None where there was none.
        champion_marks: None where there was no champion, or its encoder can't be loaded.
        metrics: finite figures for the MLflow run: the marks', the champion's under champion/..., the difference.
    """

    exam: judge.Exam
    marks: judge.Marks
    champion: ModelVersion | None
    champion_marks: judge.Marks | None
    verdict: Verdict
    metrics: dict[str, float]

    def tags(self, catalogue_frames: int) -> dict[str, object]:
        """What the challenger's model version says of it."""
        return {
            registered.VERDICT: self.verdict.word,
            registered.REASON: self.verdict.reason,
            registered.JUDGED_AGAINST: self.champion.version if self.champion else registered.NO_CHAMPION,
            registered.CATALOGUE_FRAMES: catalogue_frames,
            "r1": f"{self.marks.metrics['r1']:.4f}",
        }

    def described(self) -> str:
        """The verdict and the figures, as Markdown for the model version's page."""
        found = self.marks.metrics
        return (
            f"{self.verdict.word.replace('_', ' ').capitalize()}: {self.verdict.reason}.\n\n"
            f"R1 {found['r1']:.3f} (strict {found['r1_strict']:.3f}), R5 {found['r5']:.3f}, right video "
            f"{found['video1']:.3f}, micro AP {found['micro_ap']:.3f}, unmodified frames {found['r1/none']:.3f}."
        )


def judged(
    challenger: Encoder,
    champion: ModelVersion | None,
    registry: Registry,
    plan: judge.Plan,
    storage: Storage,
    confidence: float,
) -> Judgement:
    """Judge a challenger against the champion, both on the same queries.

    Args:
        champion: None where there is none, or the challenger is the champion itself.
        confidence: how sure it must be that the challenger finds more, above .5 and below 1.

    Raises:
        NotEnoughFrames: the frames that were planned with can't be read any more.
        RegistryUnreachable: the champion's encoder can't be fetched.
    """
    rival = _rival(registry, champion)
    exam = judge.examine(plan, storage, [challenger, rival] if rival else [challenger])
    marks = judge.mark(exam, 0)
    rival_marks = judge.mark(exam, 1) if rival else None
    verdict, figures = decide(exam, marks, champion, rival_marks, confidence)
    metrics = {
        **marks.metrics,
        **figures,
        "queries": float(marks.right.size),
        "probe_frames": float(len(exam.probes)),
        "gallery_frames": float(len(exam.video)),
    }
    finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
    return Judgement(exam, marks, champion, rival_marks, verdict, finite)


def current_champion(registry: Registry) -> ModelVersion | None:
    """The champion, or None."""
    try:
        return registry.champion()
    except NoChampion:
        return None


def _rival(registry: Registry, champion: ModelVersion | None) -> Encoder | None:
    """The champion's encoder, as the index uses it."""
    if champion is None:
        return None
    try:
        return Encoder(registry.encoder_file(champion.version))
    except EncoderInvalid as error:
        log.warning("champion version %s can't be judged, any sane challenger beats it: %s", champion.version, error)
        return None


def decide(
    exam: judge.Exam,
    marks: judge.Marks,
    champion: ModelVersion | None,
    rival_marks: judge.Marks | None,
    confidence: float,
) -> tuple[Verdict, dict[str, float]]:
    """Better than the champion on the same queries, by a margin beyond noise; a first version need only be sane."""
    r1, asked = marks.metrics["r1"], f"{marks.right.size:,} queries of {len(exam.probes)} probe frames"
    if marks.metrics["r1/none"] < SANE_R1:
        reason = (
            f"it finds only {marks.metrics['r1/none']:.0%} of unmodified frames ({asked}): nothing was learned; "
            "train longer, or ingest more footage"
        )
        return Verdict(False, reason), {}
    if champion is None or rival_marks is None:
        instead = f"; champion version {champion.version} can't be loaded" if champion else ""
        reason = f"R1 {r1:.3f} on {asked}, {marks.metrics['r1/none']:.0%} of unmodified frames; first version{instead}"
        return Verdict(True, reason), {}
    compared = judge.compare(marks, rival_marks, confidence)
    better = compared.low > 0
    reason = (
        f"R1 {r1:.3f} vs {rival_marks.metrics['r1']:.3f} of champion version {champion.version} on {asked}, "
        f"difference {compared.difference:+.3f} [{compared.low:+.3f}, {compared.high:+.3f}], "
        f"{'' if better else 'not '}better beyond noise at {confidence:.0%} confidence"
    )
    figures = {f"champion/{name}": value for name, value in rival_marks.metrics.items()}
    figures |= {"difference": compared.difference, "difference_low": compared.low, "difference_high": compared.high}
    return Verdict(better, reason), figures
