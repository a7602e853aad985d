"""The autoencoder of the published system: 64x64 RGB, convolutional, after keras.io's example.

https://keras.io/examples/vision/autoencoder/ (convolutions and poolings, transposed convolutions back, Adam, binary
cross-entropy), with a third pooling so that the latent is 8 x 8 x 16. The flattened latent, scaled to unit norm, is
the embedding: 1,024 numbers.
"""

import keras
import tensorflow as tf
from keras import layers

from training.families.contract import Family, targets

SIDE = 64


def build() -> keras.Model:
    """The untrained autoencoder; see `training.families.contract` for what it takes and gives."""
    picture = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="picture")
    latent = _encoder()(picture)  # (N, 8, 8, 16), not negative
    # A picture that excites nothing (a black one) would have no direction: the hair's breadth gives it one.
    embedding = layers.UnitNormalization(name="embedding")(layers.Flatten()(latent) + 1e-6)
    reconstruction = _decoder()(latent)
    return keras.Model(picture, {"embedding": embedding, "reconstruction": reconstruction}, name="convolutional")


def _encoder() -> keras.Model:
    picture = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(picture)
    for filters in (32, 32, 16):  # 64 -> 32 -> 16 -> 8
        x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    return keras.Model(picture, x, name="encoder")


def _decoder() -> keras.Model:
    latent = keras.Input((SIDE // 8, SIDE // 8, 16))
    x = latent
    for filters in (16, 32, 32):  # 8 -> 16 -> 32 -> 64
        x = layers.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2D(3, 3, activation="sigmoid", padding="same")(x)
    return keras.Model(latent, x, name="decoder")


def losses(
    model: keras.Model, views: tf.Tensor, clean: tf.Tensor, lessons: tf.Tensor | None, training: bool
) -> dict[str, tf.Tensor]:
    """Binary cross-entropy between the pictures and their reconstructions."""
    reconstruction = model.get_layer("decoder")(model.get_layer("encoder")(views, training=training), training=training)
    loss = tf.reduce_mean(keras.losses.binary_crossentropy(targets(clean), reconstruction))
    return {"loss": loss}


FAMILY = Family(
    name="convolutional",
    height=SIDE,
    width=SIDE,
    build=build,
    losses=losses,
    augments=False,
    batch=128,
    passes=50,
    learning_rate=1e-3,
    weight_decay=0.0,
    warmup_steps=0,
    clip=None,
)
