"""Whether an encoder is to be trained: the rules that `framesearch run` and the DAG `retrain_encoder` share."""

from dataclasses import dataclass
from datetime import datetime

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import NoChampion
from framesearch.models.registry import Registry
from framesearch.models.training_process import TrainingOutcome
from framesearch.models.versions import BETTER, ModelVersion
from framesearch.records import VideoStatus
from framesearch.settings import Settings


def current_champion(registry: Registry) -> ModelVersion | None:
    """The champion; None where there is none yet.

    Raises:
        RegistryUnreachable: MLflow did not answer.
    """
    try:
        return registry.champion()
    except NoChampion:
        return None


def growth_since(version: ModelVersion, catalogue: Catalogue) -> float:
    """By what share the catalogue's index frames have grown since a version was trained; infinite if on none."""
    frames = sum(video.index_frames for video in catalogue.videos(VideoStatus.READY))
    return frames / version.catalogue_frames - 1.0 if version.catalogue_frames else float("inf")


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a training is due.

    Attributes:
        why_not: why it is not, in words; None where it is.
        minutes: how long it may take at most.
    """

    why_not: str | None
    minutes: float


def training_due(champion: ModelVersion | None, catalogue: Catalogue, settings: Settings) -> Due:
    """The first training always is; a later one where the catalogue has grown by `FRAMESEARCH_RETRAIN_GROWTH`."""
    if champion is None:
        return Due(None, settings.first_training_minutes)
    growth = growth_since(champion, catalogue)
    if growth >= settings.retrain_growth:
        return Due(None, settings.training_minutes)
    why_not = (
        f"the catalogue has grown by {growth:.0%} since champion version {champion.version} was trained, "
        f"FRAMESEARCH_RETRAIN_GROWTH asks for {settings.retrain_growth:.0%}"
    )
    return Due(why_not, settings.training_minutes)


def trained_already(
    catalogue: Catalogue, registry: Registry, settings: Settings, *, since: datetime, unpromoted: bool = False
) -> TrainingOutcome | None:
    """What came of a training that makes another one pointless: of the same family, on as good as the same frames, and
    judged against today's champion, unless it became the champion itself.

    Args:
        since: only of versions that were registered since, by others: those that one waited for are among them.
        unpromoted: also of an older one that is better than the champion, and was not promoted: whoever trained it was
            killed before, or waits for approval.

    Raises:
        RegistryUnreachable: MLflow did not answer.
    """
    champion = current_champion(registry)
    for version in registry.versions():
        growth = growth_since(version, catalogue)
        if (
            version.family == settings.encoder_family
            and not version.imported
            and (growth <= 0 or growth < settings.retrain_growth)
            and (version.champion or version.judged_against == (champion.version if champion else None))
            and (version.created_at >= since or (unpromoted and version.verdict == BETTER and not version.champion))
        ):
            return outcome_of(version)
        if version.champion:
            break
    return None


def outcome_of(version: ModelVersion) -> TrainingOutcome:
    """What came of the training of a registered version."""
    return TrainingOutcome(
        model_version=version.version,
        run_id=version.run_id,
        run_url=version.run_url,
        better=version.verdict == BETTER,
        reason=version.reason,
        metrics=version.metrics,
    )
