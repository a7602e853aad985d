"""Versions of the registered model, and the tags by which MLflow keeps what we know of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


MODEL = "frame-encoder"  # the registered model
CHAMPION = "champion"  # the alias
ENCODER_PATH = "extra_files/encoder.onnx"  # within a logged model
# Tags of a model version.
FAMILY = "family"
VERDICT = "verdict"  # better | not_better
REASON = "reason"
JUDGED_AGAINST = "judged_against"  # version of the champion at that time, or NO_CHAMPION
CATALOGUE_FRAMES = "catalogue_frames"  # index frames in the catalogue at that time
ENCODER_SHA256 = "encoder_sha256"
JUDGED_IN = "judged_in"  # the MLflow run of the last judgement, where that is not the one that made the version
ORIGIN = "origin"
TRAINED, IMPORTED = "trained", "imported"  # an older version without the tag was trained
SOURCE, LICENCE, PREPROCESSING = "source", "licence", "preprocessing"  # of an imported one, as its importer said
BETTER, NOT_BETTER = "better", "not_better"
NO_CHAMPION = "none"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of the registered model `frame-encoder`.

    Attributes:
        run_id, run_url: of the MLflow run that trained it; the address is None without a server.
        family: of the autoencoder, see `training.families.contract`; the name of an imported encoder.
        metrics: of its last judgement, see `training.gate.encoder_exam`.
        verdict: `better` or `not_better` than the champion it was judged against.
        reason: of the verdict, as a sentence with figures.
        judged_against: that champion's version, None where there was none.
        catalogue_frames: how many index frames the catalogue held then.
        encoder_sha256: of its ONNX file; the same as `Encoder.digest`.
        champion: whether it carries the alias now.
        imported: whether it came from outside, see `training.onnx_import.convert`.
        source, licence, preprocessing: of an imported one, as whoever imported it said; else empty.
    """

    version: str
    run_id: str
    run_url: str | None
    family: str
    metrics: Mapping[str, float]
    verdict: str = ""
    reason: str = ""
    judged_against: str | None = None
    catalogue_frames: int = 0
    encoder_sha256: str = ""
    champion: bool = False
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    imported: bool = False
    source: str = ""
    licence: str = ""
    preprocessing: str = ""
