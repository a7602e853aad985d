"""A real ONNX encoder that needs no training: a picture's centred 16 x 16 grey-and-colour thumbnail, unit norm."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

SIDE = 64
CELLS = 16


def write_thumbnail_encoder(path: Path, cells: int = CELLS, side: int = SIDE) -> Path:
    """Write the encoder: uint8 (N, side, side, 3) in, float32 (N, 3 * cells * cells) out."""
    pool = side // cells
    nodes = [
        helper.make_node("Cast", ["pictures"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["levels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[pool, pool], strides=[pool, pool]),
        helper.make_node("Flatten", ["cells"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat", "axis"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["flat", "mean"], ["centred"]),
        helper.make_node("ReduceL2", ["centred", "axis"], ["norm"], keepdims=1),
        helper.make_node("Add", ["norm", "tiny"], ["divisor"]),
        helper.make_node("Div", ["centred", "divisor"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "thumbnail",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", side, side, 3])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", 3 * cells * cells])],
        initializer=[
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("tiny", TensorProto.FLOAT, [1], [1e-6]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
