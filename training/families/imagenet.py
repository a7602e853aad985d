"""Encoders that start from keras.applications: ImageNet weights that Keras fetches, frozen or tuned on the catalogue.

Each network makes two families. `resnet50` is *frozen*: its last feature map, pooled to unit norm, is the embedding,
as in the published systems that search by VGG16 or ResNet50 features; only the decoder learns. `resnet50_tuned` is
*tuned*: a projection to 256 numbers, which starts as a random rotation that keeps what the pooled features say, and
the network above its stem learn by `contrastive_loss`; batch normalisation keeps ImageNet's means, because a
catalogue's small and alike batches would spoil them.

The reconstruction half of the contract is the same small decoder as the contrastive family's, from the embedding
alone. Under a frozen encoder it changes nothing that ships: it shows a person what the embedding still knows of a
picture. Pooling is GeM with p = 3 (Radenović et al. 2017, https://arxiv.org/abs/1711.02512) where features are not
negative, else the mean.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
from keras import applications, layers

from framesearch.errors import WeightsUnavailable
from training.families.contract import Family, targets
from training.families.contrastive_loss import losses
from training.families.decoder import decoder

IMAGENET = "imagenet"
TUNED_SIDE = 128  # pixels: a training step sees 192 pictures
DIMENSION = 256  # of tuned embeddings
TUNED = "_tuned"


@dataclass(frozen=True, slots=True)
class Network:
    """A network of keras.applications and how it wants its pictures.

    Attributes:
        make: its constructor.
        side: of the pictures, in pixels, when frozen; kept frames are 180 high, so that more adds nothing.
        scaling: `caffe` (blue first, ImageNet's mean levels subtracted), `imagenet` (its mean and deviation),
            `signed` (-1 to 1), or `inside` (it does it itself).
        pool: `gem` or `average`.
        stem: share of its layers, from the picture on, that stay as they are when it is tuned.
    """

    make: Callable[..., keras.Model]
    side: int
    scaling: str
    pool: str
    stem: float


NETWORKS = {
    "vgg16": Network(applications.VGG16, 128, "caffe", "gem", 0.5),
    "resnet50": Network(applications.ResNet50, 160, "caffe", "gem", 0.45),
    "mobilenet_v2": Network(applications.MobileNetV2, 160, "signed", "gem", 0.4),
    "mobilenet_v3_small": Network(applications.MobileNetV3Small, 160, "inside", "average", 0.4),
    "efficientnet_v2_b0": Network(
        partial(applications.EfficientNetV2B0, include_preprocessing=False), 160, "imagenet", "average", 0.4
    ),
}

# What a level becomes: factor and offset of red, green, blue. Written as Rescaling, because ONNX conversion loses the
# constants of a Normalization layer; the networks that hold one inside (EfficientNet's first version) can't be used.
SCALINGS = {
    "caffe": (1.0, [-123.68, -116.779, -103.939]),
    "imagenet": (
        [1 / (255 * deviation) for deviation in (0.229, 0.224, 0.225)],
        [-mean / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))],
    ),
    "signed": (1 / 127.5, -1.0),
    "inside": (1.0, 0.0),
}


def build(name: str, *, tuned: bool, weights: str | None = IMAGENET) -> keras.Model:
    """The autoencoder of a network; see `training.families.contract` for what it takes and gives.

    Args:
        weights: `imagenet`, a file of weights, or None for random ones.

    Raises:
        WeightsUnavailable: they can't be fetched.
    """
    network = NETWORKS[name]
    side = TUNED_SIDE if tuned else network.side
    picture = keras.Input((side, side, 3), dtype="uint8", name="picture")
    encoder = _encoder(name, network, side, tuned=tuned, weights=weights)
    embedding = encoder(picture)
    reconstruction = decoder(embedding.shape[1])(embedding)
    title = name + (TUNED if tuned else "")
    return keras.Model(picture, {"embedding": embedding, "reconstruction": reconstruction}, name=title)


def _encoder(name: str, network: Network, side: int, *, tuned: bool, weights: str | None) -> keras.Model:
    backbone = _backbone(name, network, side, weights)
    stem = round(network.stem * len(backbone.layers))
    for number, layer in enumerate(backbone.layers):
        layer.trainable = tuned and number >= stem and not isinstance(layer, layers.BatchNormalization)
    picture = keras.Input((side, side, 3), dtype="uint8")
    features = backbone(_scaled(picture, network.scaling))  # (N, h, w, C)
    x = _pooled(features, network.pool)
    if tuned:
        rotation = keras.initializers.Orthogonal()
        x = layers.Dense(DIMENSION, use_bias=False, kernel_initializer=rotation, name="projection")(x)
    return keras.Model(picture, layers.UnitNormalization()(x), name="encoder")


def _backbone(name: str, network: Network, side: int, weights: str | None) -> keras.Model:
    try:
        return network.make(include_top=False, weights=weights, input_shape=(side, side, 3))
    except Exception as error:
        # Keras raises whatever urllib does, a bare Exception for a dead address, and ValueError for a damaged file.
        if weights is None:
            raise
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"  # as Keras itself has it
        raise WeightsUnavailable(
            f"the ImageNet weights of {name} can't be had ({_first_line(error)}): train once where Keras can fetch "
            f"them, or copy them to {folder}, or choose the family contrastive, which needs none"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _scaled(picture: keras.KerasTensor, scaling: str) -> keras.KerasTensor:
    factor, offset = SCALINGS[scaling]
    x = layers.Rescaling(factor, offset=offset)(picture)
    return keras.ops.take(x, (2, 1, 0), axis=-1) if scaling == "caffe" else x


def _pooled(features: keras.KerasTensor, pool: str) -> keras.KerasTensor:
    """One vector of a feature map: (N, h, w, C) -> (N, C)."""
    if pool == "average":
        return layers.GlobalAveragePooling2D()(features)
    cubes = keras.ops.power(keras.ops.maximum(features, 1e-6), 3.0)
    return keras.ops.power(layers.GlobalAveragePooling2D()(cubes) + 1e-18, 1 / 3)


def reconstruction_losses(
    model: keras.Model, views: tf.Tensor, clean: tf.Tensor, lessons: tf.Tensor | None, training: bool
) -> dict[str, tf.Tensor]:
    """The error of the reconstructions: what a decoder under a frozen encoder learns by."""
    embeddings = model.get_layer("encoder")(views, training=False)
    reconstructed = model.get_layer("decoder")(embeddings, training=training)
    return {"loss": tf.reduce_mean(tf.square(reconstructed - targets(clean)))}


def _frozen(name: str) -> Family:
    side = NETWORKS[name].side
    return Family(
        name=name,
        height=side,
        width=side,
        build=lambda: build(name, tuned=False),
        losses=reconstruction_losses,
        augments=False,
        batch=32,
        passes=1,  # for a picture to look at: nothing that is judged depends on it
        learning_rate=2e-3,
        weight_decay=0.0,
        warmup_steps=10,
        clip=5.0,
    )


def _tuned(name: str) -> Family:
    return Family(
        name=name + TUNED,
        height=TUNED_SIDE,
        width=TUNED_SIDE,
        build=lambda: build(name, tuned=True),
        losses=losses,
        augments=True,
        batch=96,
        passes=6,
        learning_rate=3e-4,  # five times less than from scratch: what ImageNet taught is worth keeping
        weight_decay=1e-4,
        warmup_steps=40,
        clip=5.0,
        teachable=True,
    )


FAMILIES = tuple(family(name) for name in NETWORKS for family in (_frozen, _tuned))
