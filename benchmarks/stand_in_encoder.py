"""An encoder to measure with where none is trained: the champion's shape and cost, random weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from framesearch.backends import open_storage
from framesearch.errors import FramesearchError
from framesearch.index.pointer import current_index_id
from framesearch.settings import settings
from framesearch.store import layout

SIDE, DIMENSION = 96, 256
LAYERS = [(3, 24, 5, 2), (24, 48, 3, 2), (48, 96, 3, 2), (96, 96, 3, 1), (96, 192, 3, 2), (192, 192, 3, 1)]


def encoder_file(given: Path | None, folder: Path) -> Path:
    """The file given, else a copy of the published index's encoder, else a stand-in written to the folder."""
    if given is not None:
        return given
    target = folder / "encoder.onnx"
    try:
        storage = open_storage(settings())
        index_id, _ = current_index_id(storage)
        if index_id is not None:
            with storage.open(layout.bundle(index_id) + layout.BUNDLE_ENCODER) as file:
                target.write_bytes(file.read_bytes())
            return target
    except FramesearchError:
        pass
    return write_stand_in(target)


def write_stand_in(path: Path) -> Path:
    """Six convolutions, pooling, dense, unit norm: 1 million weights."""
    rng = np.random.default_rng(0)
    weights = {}

    def weight(name: str, shape: tuple[int, ...]) -> str:
        scale = np.sqrt(2 / np.prod(shape[1:]))
        weights[name] = numpy_helper.from_array((rng.normal(size=shape) * scale).astype(np.float32), name)
        return name

    nodes = [
        helper.make_node("Cast", ["pictures"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["levels", "white"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    for n, (before, after, size, stride) in enumerate(LAYERS):
        kernel = weight(f"w{n}", (after, before, size, size))
        pads = [size // 2] * 4
        nodes.append(helper.make_node("Conv", [f"x{n}", kernel], [f"c{n}"], strides=[stride] * 2, pads=pads))
        nodes.append(helper.make_node("Relu", [f"c{n}"], [f"x{n + 1}"]))
    nodes += [
        helper.make_node("Flatten", [f"x{len(LAYERS)}"], ["flat"]),
        helper.make_node("MatMul", ["flat", weight("dense", (192 * 6 * 6, DIMENSION))], ["dense_out"]),
        helper.make_node("LpNormalization", ["dense_out"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", DIMENSION])],
        initializer=[helper.make_tensor("white", TensorProto.FLOAT, [1], [255.0]), *weights.values()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
