"""The reconstruction half that several families share."""

import keras
from keras import layers


def decoder(dimension: int) -> keras.Model:
    """From unit-norm embeddings (N, dimension) to pictures (N, 64, 64, 3), 0 to 1."""
    embedding = keras.Input((dimension,))
    x = layers.Rescaling(dimension**0.5)(embedding)  # unit norm -> unit variance
    x = layers.Reshape((8, 8, 128))(layers.Dense(8 * 8 * 128, activation="relu")(x))
    for filters in (96, 48, 24):  # 8 -> 16 -> 32 -> 64
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(embedding, x, name="decoder")
