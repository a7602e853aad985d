"""The contrastive loss: a distorted view must embed like its frame and reconstruct it clean.

InfoNCE within the batch (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; symmetric and between two views as
in SimCLR, https://arxiv.org/abs/2002.05709) plus the denoising reconstruction, and distillation where there is a
teacher.
"""

import keras
import tensorflow as tf

from training.families.contract import targets

TEMPERATURE = 0.07
RECONSTRUCTION_WEIGHT = 10.0
TEACHING_WEIGHT = 20.0  # its error is of the order of .03 to .3


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
