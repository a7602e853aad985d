"""The encoder as ONNX: cut from the autoencoder, converted, and measured against it."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx

from framesearch.models.encoder import Encoder
from training.families.contract import encoder_of

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
    model = onnx.load(path)
    put_in_order(model.graph)
    onnx.save(model, path)


def put_in_order(graph: onnx.GraphProto) -> None:
    """Order nodes and constants by what they are computed for, and name them by that order.

    tf2onnx names and orders them by where they lay in memory: the same weights would be another file each time.
    """
    makers = {name: node for node in graph.node for name in node.output}
    constants = {one.name: one for one in graph.initializer}
    own = {one.name for one in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""}  # an input left out
    nodes, used = [], []
    waiting = [one.name for one in reversed(graph.output)]
    while waiting:
        name = waiting[-1]
        maker = makers.get(name)
        missing = [] if maker is None or name in names else [one for one in maker.input if one not in names]
        if missing:
            waiting += reversed(missing)
            continue
        waiting.pop()
        if name in names:
            continue
        if maker is not None:
            nodes.append(maker)
        elif name in constants:
            used.append(constants[name])
        for made in [name] if maker is None else maker.output:
            names.setdefault(made, made if made in own else f"value_{len(names)}")
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for one in used:
        one.name = names[one.name]
    ordered = onnx.GraphProto(node=nodes, initializer=used)  # copies: the graph's own go
    for field in ("node", "initializer", "value_info"):
        graph.ClearField(field)
    graph.node.extend(ordered.node)
    graph.initializer.extend(ordered.initializer)


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
