"""The contrastive denoising autoencoder: a distorted view must embed like its frame and reconstruct it clean.

The loss is that of `contrastive_loss`. Pooling is GeM (Radenović et al. 2017, https://arxiv.org/abs/1711.02512) beside
a coarse layout, so that the embedding knows both what is in the picture and roughly where. 1.26 million parameters
ship.

A step takes two views of each frame: a clean picture costs as much to embed as a view and teaches less, so that it had
better serve more than one. docs/encoders.md says what else was tried.
"""

import keras
from keras import layers

from training.families.contract import Family
from training.families.contrastive_loss import losses
from training.families.decoder import decoder

SIDE = 96
DIMENSION = 256


def build() -> keras.Model:
    """The untrained autoencoder; see `training.families.contract` for what it takes and gives."""
    picture = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="picture")
    embedding = _encoder()(picture)
    reconstruction = decoder(DIMENSION)(embedding)
    return keras.Model(picture, {"embedding": embedding, "reconstruction": reconstruction}, name="contrastive")


def _encoder() -> keras.Model:
    picture = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(picture)
    x = _activated(layers.Conv2D(24, 5, strides=2, padding="same", use_bias=False)(x))  # 48 x 48
    x = _activated(layers.Conv2D(48, 3, strides=2, padding="same", use_bias=False)(x))  # 24 x 24
    x = _residual(layers.Conv2D(96, 3, strides=2, padding="same", use_bias=False)(x), 96)  # 12 x 12
    x = _residual(layers.Conv2D(192, 3, strides=2, padding="same", use_bias=False)(x), 192)  # 6 x 6
    x = _activated(x)
    layout = layers.Conv2D(64, 1)(layers.AveragePooling2D(2)(x))  # 3 x 3 x 64
    x = layers.Concatenate()([_generalized_mean(x, 192), layers.Flatten()(layout)])
    x = layers.Dense(DIMENSION, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95, center=False, scale=False)(x)
    return keras.Model(picture, layers.UnitNormalization()(x), name="encoder")


def _activated(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


def _residual(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(_activated(x))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(_activated(y))
    return layers.Add()([x, y])


def _generalized_mean(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """The p-th root of the mean p-th power, p learned: (N, H, W, C) not negative -> (N, C).

    Written with logarithms and depthwise 1x1 convolutions as the learned factors (p from 3, 1/p from 1/3, one a
    channel), because stock layers load anywhere and a layer class of our own would not.
    """
    logs = keras.ops.log(keras.ops.maximum(x, 1e-6))
    powers = keras.ops.exp(layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=_constant(3.0))(logs))
    means = keras.ops.log(layers.GlobalAveragePooling2D(keepdims=True)(powers) + 1e-18)
    roots = keras.ops.exp(layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=_constant(1 / 3))(means))
    return layers.Reshape((channels,))(roots)


def _constant(value: float) -> keras.initializers.Initializer:
    return keras.initializers.Constant(value)


FAMILY = Family(
    name="contrastive",
    height=SIDE,
    width=SIDE,
    build=build,
    losses=losses,
    augments=True,
    batch=64,
    passes=14,
    learning_rate=1.5e-3,
    weight_decay=1e-4,
    warmup_steps=60,
    clip=5.0,
    teachable=True,
    views=2,
)
