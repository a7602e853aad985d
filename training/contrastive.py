"""The contrastive denoising autoencoder: a distorted view must embed like its frame and reconstruct it clean.

The loss is InfoNCE within the batch (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; symmetric and
between two views as in SimCLR, https://arxiv.org/abs/2002.05709) plus the denoising reconstruction. Pooling is GeM
(Radenović et al. 2017, https://arxiv.org/abs/1711.02512) beside a coarse layout, so that the embedding knows both what
is in the picture and roughly where. 1.26 million parameters ship.

A step takes two views of each frame: a clean picture costs as much to embed as a view and teaches less, so that it had
better serve more than one. docs/encoders.md says what else was tried.
"""

import keras
import tensorflow as tf
from keras import layers

from training.families import Family, targets

SIDE = 96
DIMENSION = 256
TEMPERATURE = 0.07
RECONSTRUCTION_WEIGHT = 10.0
TEACHING_WEIGHT = 20.0  # its error is of the order of .03 to .3


def build() -> keras.Model:
    """The untrained autoencoder; see `training.families` for what it takes and gives."""
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


def decoder(dimension: int) -> keras.Model:
    """From unit-norm embeddings (N, dimension) to pictures (N, 64, 64, 3), 0 to 1."""
    embedding = keras.Input((dimension,))
    x = layers.Rescaling(dimension**0.5)(embedding)  # unit norm -> unit variance
    x = layers.Reshape((8, 8, 128))(layers.Dense(8 * 8 * 128, activation="relu")(x))
    for filters in (96, 48, 24):  # 8 -> 16 -> 32 -> 64
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(embedding, x, name="decoder")


def losses(
    model: keras.Model, views: tf.Tensor, clean: tf.Tensor, lessons: tf.Tensor | None, training: bool
) -> dict[str, tf.Tensor]:
    """InfoNCE between views and clean pictures, both ways, and the error of the views' clean reconstructions.

    With lessons also how far the similarities within the batch are from the teacher's.
    """
    frames = tf.shape(clean)[0]
    embeddings = model.get_layer("encoder")(tf.concat([views, clean], axis=0), training=training)  # (VN + N, D)
    of_views, of_clean = embeddings[:-frames], embeddings[-frames:]
    similarities = tf.reshape(tf.matmul(of_views, of_clean, transpose_b=True), (-1, frames, frames))  # (V, N, N)
    contrast = contrast_of(similarities)
    # One view a frame is enough for the decoder, which is a quarter of a step's work.
    reconstructed = model.get_layer("decoder")(of_views[:frames], training=training)
    error = tf.reduce_mean(tf.square(reconstructed - targets(clean)))
    parts = {"contrast": contrast, "reconstruction_error": error}
    loss = contrast + RECONSTRUCTION_WEIGHT * error
    if lessons is not None:
        parts["distillation"] = distillation(similarities, lessons)
        loss += TEACHING_WEIGHT * parts["distillation"]
    return {"loss": loss, **parts}


def contrast_of(similarities: tf.Tensor) -> tf.Tensor:
    """Symmetric InfoNCE of cosines (V, N, N) between views and clean pictures, own pairs on the diagonals.

    Views of one frame are never each other's negatives.
    """
    logits = similarities / TEMPERATURE
    own = tf.broadcast_to(tf.range(tf.shape(logits)[-1]), tf.shape(logits)[:-1])
    return 0.5 * tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(own, logits)
        + tf.nn.sparse_softmax_cross_entropy_with_logits(own, tf.linalg.matrix_transpose(logits))
    )


def distillation(similarities: tf.Tensor, lessons: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of cosines (V, N, N) between views and clean pictures from the teacher's.

    The teacher says how alike the clean pictures of a batch are, whatever the dimension of its embeddings: a view
    should be as near to each of them as its own frame is. Relational distillation (Park et al. 2019,
    https://arxiv.org/abs/1904.05068; of cosines as in Tung and Mori 2019, https://arxiv.org/abs/1907.09682).
    docs/encoders.md says what else was tried.
    """
    return tf.reduce_mean(tf.square(similarities - tf.matmul(lessons, lessons, transpose_b=True)))


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
