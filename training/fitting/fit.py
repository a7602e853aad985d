"""Fitting an autoencoder: how long, how fast, and with what batches."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from training.families.contract import Family
from training.fitting.augment import view
from training.fitting.dataset import Dataset, batches_of

log = logging.getLogger(__name__)

USUAL_MINUTES = 7.0  # the minutes for which a family's `passes` are meant
MIN_STEPS = 40  # fewer teach nothing: a catalogue of few frames gets small batches instead, and a busy machine ...
OVERTIME = 3.0  # ... at most so many times the minutes to do them
EPOCHS = 20  # at most: where passes are shorter than a twentieth of the training, an epoch is that twentieth ...
MIN_EPOCH_STEPS = 4  # ... or this many steps
SETTLING_STEPS, SETTLING_MOMENTUM = 20, 0.85  # see `_recalibrate_batchnorm`
TEST_FRAMES = 96  # of an epoch's test batch
TIMED_STEPS = 5  # before the step time is known: the first compiles
RECENT_STEPS = 15  # whose median is the step time
AHEAD = 3  # batches prepared while the device computes

Batch = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Views, uint8 (V N, side, side, 3), clean pictures, uint8 (N, side, side, 3), and lessons, float32 (N, T)."""


@dataclass(slots=True)
class Fit:
    """How a training went.

    Attributes:
        wanted_steps: by the number of frames and the family's passes.
        planned_steps: what fitted into the minutes at the step time measured last.
        steps: done.
        step_s: median seconds a step, by the clock.
        seconds: in all, by the clock.
        history: one row an epoch: epoch, step, learning_rate, train/..., test/... .
    """

    batch: int
    wanted_steps: int
    planned_steps: int = 0
    steps: int = 0
    step_s: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: keras.Model,
    family: Family,
    dataset: Dataset,
    *,
    minutes: float,
    seed: int,
    peak: float = 1.0,
    turn: int = 0,
    lessons: np.ndarray | None = None,
    on_epoch: Callable[[dict[str, float]], None] = lambda row: None,
    clock: Callable[[], float] = time.monotonic,
) -> Fit:
    """Train the model in place.

    The learning rate warms up, then falls to 0 by a cosine over the planned steps; where the machine is too slow for
    all of them it falls with the clock instead, so that a training always ends annealed and within its minutes. Where
    all fit, the same frames give the same weights, to the bit, however fast the machine. Only where
    the machine is so busy that not even `MIN_STEPS` fit, they are done all the same, for at most `OVERTIME` times the
    minutes.

    Args:
        minutes: at most, by the clock, unless `MIN_STEPS` take longer.
        peak: scales the family's learning rate: less than 1 for a model that knows the footage already.
        turn: of the trainings that each go on from the last one's weights: another one draws other batches and views.
        lessons: a teacher's embeddings of the dataset's frames, float32 (N, T); None where nobody teaches.
        on_epoch: called after each epoch with its row of the history.
        clock: seconds; wall time, where not `time.process_time`, which others on the machine leave alone.
    """
    started = clock()
    bound_s = 60.0 * minutes
    batch = min(family.batch, max(1, len(dataset.train) // 2))
    passes = family.passes * max(1.0, minutes / USUAL_MINUTES)
    result = Fit(batch, wanted_steps=max(MIN_STEPS, math.ceil(passes * len(dataset.train) / batch)))
    result.planned_steps = result.wanted_steps
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=family.weight_decay, global_clipnorm=family.clip)
    optimizer.build(model.trainable_variables)
    step = _step(model, family, optimizer)
    test_batch = _test_batch(family, dataset, seed, lessons)
    # Settling and the test batches are part of the minutes.
    reserve_s = 0.0
    floor = min(MIN_STEPS, result.wanted_steps)
    allowed_s = bound_s
    step_times: list[float] = []
    sums: dict[str, float] = {}
    in_epoch = 0
    late = False
    begun = clock()
    with _BatchFeed(family, dataset, batch, (seed, 1, turn), lessons) as batches:
        for number, (views, clean, taught) in enumerate(batches):
            elapsed = clock() - started
            if elapsed >= bound_s and number < floor and not late:
                late = True
                log.info("%.3g minutes are over after %d steps: going on to the %dth", minutes, number, floor)
            in_time = number > TIMED_STEPS and result.planned_steps > floor  # more than the least fits, as far as known
            allowed_s = bound_s if number >= floor or in_time else OVERTIME * bound_s
            progress = number / result.planned_steps
            by_clock = elapsed / max(1e-9, allowed_s - reserve_s)
            if result.planned_steps < result.wanted_steps:  # else there is time for all: the clock has no say
                progress = max(progress, by_clock)
            if max(progress, by_clock) >= 1.0 and number > 0:
                break
            optimizer.learning_rate.assign(_rate(family, number, progress, result.planned_steps) * peak)
            for name, value in step(views, clean, taught).items():
                sums[name] = sums.get(name, 0.0) + float(value)
            step_times.append(clock() - begun)  # waiting for the batch included
            in_epoch += 1
            result.steps = number + 1
            if number >= TIMED_STEPS:  # planned anew each step: others may come and go on this machine
                step_s = float(np.median(step_times[1:][-RECENT_STEPS:]))
                reserve_s = 0.4 * step_s * (SETTLING_STEPS + EPOCHS / 2)
                fitting = number + 1 + int((bound_s - reserve_s - (clock() - started)) / step_s)
                result.planned_steps = max(number + 1, min(result.wanted_steps, max(fitting, floor)))
            if number == TIMED_STEPS:
                log.info("about %d steps of %d frames planned, %.2f s a step", result.planned_steps, batch, step_s)
            if in_epoch >= _epoch_steps(dataset, batch, result.planned_steps):
                result.history.append(_row(result, sums, in_epoch, optimizer, model, family, test_batch))
                on_epoch(result.history[-1])
                sums, in_epoch = {}, 0
            begun = clock()
        if in_epoch:
            result.history.append(_row(result, sums, in_epoch, optimizer, model, family, test_batch))
            on_epoch(result.history[-1])
        _recalibrate_batchnorm(model, family, batches, until=started + allowed_s, clock=clock)
    result.step_s = float(np.median(step_times[1:] or step_times))
    result.seconds = clock() - started
    log.info("fitted %s: %d steps, %.1f s", family.name, result.steps, result.seconds)
    return result


def _rate(family: Family, number: int, progress: float, planned: int) -> float:
    warmup = min(family.warmup_steps, 0.15 * planned)
    rising = min(1.0, (number + 1) / warmup) if warmup > 1 else 1.0
    return family.learning_rate * rising * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def _epoch_steps(dataset: Dataset, batch: int, planned: int) -> int:
    return max(math.ceil(len(dataset.train) / batch), math.ceil(planned / EPOCHS), MIN_EPOCH_STEPS)


def _step(
    model: keras.Model, family: Family, optimizer: keras.Optimizer
) -> Callable[[np.ndarray, np.ndarray, np.ndarray | None], dict[str, tf.Tensor]]:
    # Compiled once; XLA (jit_compile) was measured 4 times slower on CPUs, bfloat16 a third.
    @tf.function  # type: ignore[untyped-decorator]
    def step(views: tf.Tensor, clean: tf.Tensor, taught: tf.Tensor | None) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            losses = family.losses(model, views, clean, taught, True)
        gradients = tape.gradient(losses["loss"], model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return losses

    return lambda views, clean, taught: step(*_tensors(views, clean, taught))


def _tensors(
    views: np.ndarray, clean: np.ndarray, taught: np.ndarray | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    return tf.constant(views), tf.constant(clean), None if taught is None else tf.constant(taught)


def _row(
    result: Fit,
    sums: dict[str, float],
    count: int,
    optimizer: keras.Optimizer,
    model: keras.Model,
    family: Family,
    test_batch: Batch | None,
) -> dict[str, float]:
    row = {"epoch": float(len(result.history) + 1), "step": float(result.steps)}
    row["learning_rate"] = float(optimizer.learning_rate.numpy())
    row |= {f"train/{name}": total / count for name, total in sums.items()}
    if test_batch is not None:
        tested = family.losses(model, *_tensors(*test_batch), False)
        row |= {f"test/{name}": float(value) for name, value in tested.items()}
    log.info("epoch %d: %s", len(result.history) + 1, ", ".join(f"{k} {v:.4g}" for k, v in row.items() if "/" in k))
    return row


def _recalibrate_batchnorm(
    model: keras.Model, family: Family, batches: Iterator[Batch], until: float, clock: Callable[[], float]
) -> None:
    """Let the moving means of batch normalisation catch up with the weights they stand for.

    They average over the last few dozen steps and start from a guess; after a short training both still show, and
    the encoder that ships uses nothing but them.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    layers = [layer for layer in layers if layer.trainable]  # a frozen one keeps the means that it came with
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = SETTLING_MOMENTUM

    # A new one, which reads the momenta anew.
    @tf.function  # type: ignore[untyped-decorator]
    def forward(views: tf.Tensor, clean: tf.Tensor, taught: tf.Tensor | None) -> None:
        family.losses(model, views, clean, taught, True)

    for number, batch in zip(range(SETTLING_STEPS if layers else 0), batches, strict=False):
        forward(*_tensors(*batch))
        if number >= 4 and clock() > until:  # the machine became slower than it was when this was planned
            break
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _test_batch(family: Family, dataset: Dataset, seed: int, lessons: np.ndarray | None) -> Batch | None:
    """The same views of the same test frames for every epoch; None where there are too few to say anything."""
    if len(dataset.test) < 2:
        return None
    rng = np.random.default_rng([seed, 2])
    frames = np.sort(rng.choice(dataset.test, min(TEST_FRAMES, len(dataset.test)), replace=False))
    return _batch(family, dataset, frames, rng, lessons)


def _batch(
    family: Family, dataset: Dataset, frames: np.ndarray, rng: np.random.Generator, lessons: np.ndarray | None
) -> Batch:
    return _views(family, dataset, frames, rng), dataset.clean[frames], None if lessons is None else lessons[frames]


def _views(family: Family, dataset: Dataset, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if not family.augments:
        result: np.ndarray = dataset.clean[frames]
        return result
    return np.stack(
        [view(dataset.pictures[frame], family.height, rng) for _ in range(family.views) for frame in frames]
    )


class _BatchFeed:
    """Training batches (views, clean, lessons), prepared ahead in a thread: OpenCV and TensorFlow both let the lock go.

    Batch k depends on the seed and k alone, whatever the threads do.
    """

    def __init__(
        self, family: Family, dataset: Dataset, size: int, seed: tuple[int, ...], lessons: np.ndarray | None = None
    ) -> None:
        self._family, self._dataset, self._size, self._seed, self._lessons = family, dataset, size, seed, lessons
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._pending: list[Future[Batch]] = []
        self._number = 0

    def _make(self, number: int) -> Batch:
        rng = np.random.default_rng([*self._seed, number])
        frames = batches_of(self._dataset, self._size, rng)
        return _batch(self._family, self._dataset, frames, rng, self._lessons)

    def __enter__(self) -> "_BatchFeed":
        return self

    def __iter__(self) -> "_BatchFeed":
        return self

    def __next__(self) -> Batch:
        while len(self._pending) < AHEAD:
            self._pending.append(self._threads.submit(self._make, self._number))
            self._number += 1
        return self._pending.pop(0).result()

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
