"""The encoder as ONNX: cut from the autoencoder, converted, and measured against it."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from framesearch.encoder import Encoder
from training.families import encoder_of

OPSET = 17  # old enough for every onnxruntime of the last years, new enough for all layers used
MAX_DIFFERENCE = 1e-3  # of any component of a unit-norm embedding; float32 kernels differ by about 1e-6
MIN_COSINE = 0.9999


class ParityBroken(Exception):
    """The ONNX encoder does not give what the Keras one gives."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the two encoders are apart on the same pictures.

    Attributes:
        difference: the largest absolute difference of a component.
        cosine: the smallest cosine between the two embeddings of a picture.
    """

    difference: float
    cosine: float


def export_encoder(autoencoder: keras.Model, path: Path) -> None:
    """Write the encoder half as ONNX: uint8 (N, H, W, 3) in, unit-norm float32 (N, D) out, N free."""
    encoder = encoder_of(autoencoder)
    shape = (None, *autoencoder.input_shape[1:])
    encoder(np.zeros((1, *shape[1:]), np.uint8))  # Keras exports only what was called once
    signature = [keras.InputSpec(shape=shape, dtype="uint8", name="picture")]
    encoder.export(path, format="onnx", input_signature=signature, opset_version=OPSET, verbose=False)


def check_parity(autoencoder: keras.Model, path: Path, pictures: np.ndarray) -> Parity:
    """Compare the ONNX file, read as the index and the page read it, with the Keras encoder.

    Args:
        pictures: uint8 (N, H, W, 3) of the encoder's size.

    Raises:
        ParityBroken: they differ by more than rounding.
        framesearch.errors.EncoderInvalid: the file does not keep the encoder contract.
    """
    ours = np.asarray(encoder_of(autoencoder)(pictures, training=False))
    shipped = Encoder(path).embed(list(pictures))
    parity = Parity(float(np.abs(ours - shipped).max()), float((ours * shipped).sum(axis=1).min()))
    if not (parity.difference <= MAX_DIFFERENCE and parity.cosine >= MIN_COSINE):
        raise ParityBroken(
            f"the exported encoder differs from the trained one by up to {parity.difference:.2g} a component "
            f"(cosine {parity.cosine:.6f}): the model is not registered; find the layer that ONNX computes otherwise"
        )
    return parity
