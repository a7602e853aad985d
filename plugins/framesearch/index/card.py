"""The card of an index bundle: what it is, what vouches for its parts, and what its scores mean."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framesearch.errors import IndexIncompatible, NoIndex, NotStored
from framesearch.index.score import WEIGHTS, Weights
from framesearch.store import layout
from framesearch.store.storage import Storage

FORMAT = 3  # raised when a bundle of an older version can no longer be read, or its thresholds are for other scores


STILL_SCORE = 0.98  # neighbouring frames at least this similar show a still scene, where nothing was measured


@dataclass(frozen=True, slots=True)
class Curve:
    """Score -> probability: the logistic function of `slope * score + intercept`, never falling."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        """The probability at a score, 0 to 1."""
        return float(1 / (1 + np.exp(-np.clip(self.slope * score + self.intercept, -30, 30))))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What scores mean in this index, measured on probe frames (see `calibration`).

    Attributes:
        found_score: the lowest score of a first match that is called found.
        first, further: the probability that a first and that a later match is right.
        still_score: neighbouring frames at least this similar show a still scene.
        method: `probes`, or `defaults` where the catalogue has too few probe frames to measure anything.
        rows: how many rows the index had when it was measured.
        figures: what was measured, for people: numbers of queries, recall, precision.
    """

    found_score: float = 19.0  # what libraries of real footage were measured to need
    first: Curve = Curve(0.28, -5.5)
    further: Curve = Curve(0.28, -7.0)
    still_score: float = STILL_SCORE
    method: str = "defaults"
    rows: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """What a bundle is.

    Attributes:
        encoder_digest: SHA-256 of the ONNX encoder that made the vectors.
        trained_rows: how many rows the index had when its quantiser was fitted.
        base: the bundle that was current when this one was built; it may only replace that one.
        built_at: ISO 8601, UTC.
        framesearch: the version that built it.
        codebook: digest of the codebook that made the local features.
        weights: by which evidence becomes a score; the calibration is for these.
        parts: size in bytes and SHA-256 of every other file, by name.
    """

    index_id: str
    model_version: str
    encoder_digest: str
    rows: int
    videos: int
    dimension: int
    index_type: str
    trained_rows: int
    base: str | None
    built_at: str
    framesearch: str
    calibration: Calibration = field(default_factory=Calibration)
    weights: Weights = WEIGHTS
    codebook: str = layout.FIRST_CODEBOOK
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """The card as it is stored."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: bytes | str, index_id: str) -> "Card":
        """Read a stored card.

        Raises:
            IndexIncompatible: no card, of another bundle or of a format this version does not know.
        """
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                raise IndexIncompatible(
                    f"index {index_id} has format {values['format']}, this version reads {FORMAT}: rebuild it, by "
                    "`framesearch run PLAYLIST` or `rebuild_index` in Airflow"
                )
            calibration = values.pop("calibration")
            calibration |= {name: Curve(**calibration[name]) for name in ("first", "further")}
            recorded = values.pop("weights", None)  # cards written before they were recorded: those were all alike
            weights = WEIGHTS if recorded is None else Weights(**recorded)
            card = cls(**values, calibration=Calibration(**calibration), weights=weights)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexIncompatible(f"the card of index {index_id} is damaged: rebuild the index") from error
        if card.index_id != index_id:
            raise IndexIncompatible(f"index {index_id} carries the card of {card.index_id}: rebuild the index")
        return card


def write_card(folder: Path, card: Card) -> None:
    """Write the card beside its parts."""
    (folder / layout.BUNDLE_CARD).write_text(card.to_json(), encoding="utf-8")


def read_card(storage: Storage, index_id: str) -> Card:
    """The card alone.

    Raises:
        NoIndex: storage holds no bundle of this name.
        IndexIncompatible: the card is damaged.
    """
    try:
        with storage.open(layout.bundle(index_id) + layout.BUNDLE_CARD) as file:
            return Card.from_json(file.read_bytes(), index_id)
    except NotStored as error:
        raise NoIndex(f"there is no index {index_id!r}: `framesearch index list` names those there are") from error
