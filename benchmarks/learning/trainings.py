"""Trainings by CPU-minutes, each kept by a digest of all that it depends on: a killed run trains nothing twice."""

import inspect
import json
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from benchmarks.accuracy.footage import fingerprint
from framesearch.images import pixels
from framesearch.models.encoder import Encoder
from framesearch.store.storage import Storage
from training.families import contract
from training.families.contract import Family
from training.fitting import augment, dataset, export, fit
from training.runs.train import WARM_PEAK

log = logging.getLogger(__name__)

MAX_FRAMES = 6000


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left.

    Attributes:
        digest: of frames, code, budget and seed; names the files.
        onnx: the encoder that ships; `weights` are the autoencoder's.
        steps: of this training.
        cpu_minutes: that it really took, and those before it from whose weights it started.
        trainings: how many that were.
    """

    digest: str
    onnx: Path
    weights: Path
    steps: int
    cpu_minutes: float
    trainings: int

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded."""
        return Encoder(self.onnx)


class Trainer:
    """Trains encoders of one family on the frames of a survey.

    Args:
        kept: the folder of what was trained.
        seed: of weights, batches, views and the split of frames.
    """

    def __init__(self, family: Family, storage: Storage, kept: Path, seed: int) -> None:
        self._family, self._storage, self._kept, self._seed = family, storage, kept, seed
        self._loaded: tuple[dataset.Survey, dataset.Dataset] | None = None  # pictures take memory: of one survey only
        kept.mkdir(parents=True, exist_ok=True)

    def train(self, surveyed: dataset.Survey, minutes: float, after: Trained | None = None) -> Trained:
        """One training of so many CPU-minutes, from the weights of an earlier one where there is one.

        Raises:
            NotEnoughFrames: there are too few of them to learn from.
        """
        told = [(video_id, times.tolist()) for video_id, times in sorted(surveyed.times_s.items())]
        digest = fingerprint(_code(self._family), told, minutes, self._seed, after.digest if after else "nothing")
        kept = Trained(digest, self._kept / f"{digest}.onnx", self._kept / f"{digest}.weights.h5", 0, 0.0, 0)
        card = self._kept / f"{digest}.json"
        if not card.is_file():
            self._fit(surveyed, minutes, after, kept, card)
        return replace(kept, **json.loads(card.read_text(encoding="utf-8")))

    def _fit(self, surveyed: dataset.Survey, minutes: float, after: Trained | None, kept: Trained, card: Path) -> None:
        started = time.monotonic()
        trainings = after.trainings if after else 0
        keras.utils.set_random_seed(self._seed)
        model = self._family.build()
        if after:
            model.load_weights(after.weights)
        fitted = fit.fit(
            model,
            self._family,
            self._frames(surveyed),
            minutes=minutes,
            seed=self._seed,
            turn=trainings,
            peak=WARM_PEAK if after else 1.0,
            clock=time.process_time,
        )
        model.save_weights(kept.weights)
        export.export_encoder(model, kept.onnx)
        spent = fitted.seconds / 60 + (after.cpu_minutes if after else 0.0)
        # Last: what has a card is complete.
        card.write_text(json.dumps({"steps": fitted.steps, "cpu_minutes": spent, "trainings": trainings + 1}))
        log.info(
            "%s trained for %.1f CPU-minutes%s: %d steps, %.0f s",
            *(kept.digest, fitted.seconds / 60, f" after {after.digest}" if after else "", fitted.steps),
            time.monotonic() - started,
        )

    def _frames(self, surveyed: dataset.Survey) -> dataset.Dataset:
        if self._loaded is None or self._loaded[0] is not surveyed:
            self._loaded = None
            frames = dataset.load(
                surveyed, self._storage, side=self._family.height, max_frames=MAX_FRAMES, seed=self._seed
            )
            self._loaded = surveyed, frames
        return self._loaded[1]


def _code(family: Family) -> str:
    """A digest of the code by which an encoder is trained: another code trains another encoder."""
    own = inspect.getmodule(family.build)
    assert own is not None
    return fingerprint(*map(inspect.getsource, (own, contract, fit, dataset, augment, export, pixels)))
