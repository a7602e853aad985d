"""The contract of a family of autoencoders.

A family builds a Keras model from uint8 RGB pictures (N, height, width, 3), scaling inside, to

    {"embedding": float32 (N, D), unit norm, "reconstruction": float32 (N, 64, 64, 3), 0 to 1}

made of stock Keras layers only, so that anyone can load it without this code, and says what to minimise. Whatever
keeps this contract can be fitted, judged, registered and become champion: add a module here and list it in `known`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

RECONSTRUCTION_SIDE = 64  # pixels


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of autoencoder and how it is trained.

    Attributes:
        name: as FRAMESEARCH_ENCODER_FAMILY names it.
        height, width: of the pictures it takes.
        build: a new model with weights drawn from Keras' seed.
        losses: what is minimised, named, with its sum under "loss": (model, views, clean pictures, lessons, training)
            -> scalars. Clean pictures are uint8 (N, height, width, 3), views uint8 (V N, height, width, 3): first
            one of each frame, in the same order, then another of each; lessons are a teacher's unit-norm embeddings
            of the clean pictures, float32 (N, T), or None where nobody teaches.
        augments: whether views are augmented; else they are the clean pictures themselves.
        batch: frames a step (fewer where there are few).
        passes: how often a frame is seen in `FRAMESEARCH_TRAINING_MINUTES` at its default.
        learning_rate: its peak, after `warmup_steps`, before it falls to 0 by a cosine.
        weight_decay: of AdamW; 0 makes it Adam.
        clip: the largest global norm of a gradient, None for any.
        teachable: whether its losses make use of lessons.
        views: V, of each frame of a batch, where they are augmented.
    """

    name: str
    height: int
    width: int
    build: Callable[[], keras.Model]
    losses: Callable[[keras.Model, tf.Tensor, tf.Tensor, tf.Tensor | None, bool], dict[str, tf.Tensor]]
    augments: bool
    batch: int
    passes: float
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    clip: float | None
    teachable: bool = False
    views: int = 1


def encoder_of(autoencoder: keras.Model) -> keras.Model:
    """The half that ships: pictures in, embeddings out."""
    return keras.Model(autoencoder.input, autoencoder.output["embedding"], name="encoder_only")


def targets(clean: tf.Tensor) -> tf.Tensor:
    """What a reconstruction should be: float32 (N, 64, 64, 3), 0 to 1."""
    pictures = tf.cast(clean, tf.float32) / 255.0
    if clean.shape[1:3] == (RECONSTRUCTION_SIDE, RECONSTRUCTION_SIDE):
        return pictures
    return tf.image.resize(pictures, (RECONSTRUCTION_SIDE, RECONSTRUCTION_SIDE), antialias=True)
