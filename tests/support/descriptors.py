"""Small external descriptors, as ONNX files that other people's exporters would write: a grid of mean colours."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
CELLS = 4


def write_descriptor(
    path: Path,
    *,
    layout: str = "nchw",
    batch: int | str = "batch",
    size: tuple[int | str, int | str] = (SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    ending: str = "flatten",
    domain: str = "",
    opset: int = 17,
    weight: np.ndarray | None = None,
) -> Path:
    """Write a graph that averages cells of the picture.

    Args:
        ending: `flatten`; `reshape`, to a constant shape of one picture; `concat`, with a constant row of one picture;
            `map`, none at all, (N, 3, 4, 4); `tokens`, (N, 16, 3); `two`, map and vector both.
        weight: multiplied in before the ending, (1, 3, 1, 1).
    """
    channels_at = {"nchw": [batch, 3, *size], "nhwc": [batch, *size, 3], "unknown": [batch, "a", "b", "c"]}[layout]
    nodes, weights = [], []
    at = "image"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [at], ["planes"], perm=[0, 3, 1, 2]))
        at = "planes"
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [at], ["levels"], to=TensorProto.FLOAT))
        at = "levels"
    if weight is not None:
        weights.append(numpy_helper.from_array(weight.astype(np.float32), "weight"))
        nodes.append(helper.make_node("Mul", [at, "weight"], ["weighted"]))
        at = "weighted"
    cell = SIDE // CELLS
    nodes.append(helper.make_node("AveragePool", [at], ["cells"], kernel_shape=[cell, cell], strides=[cell, cell]))
    outputs = {"vector": 2}
    if ending == "flatten":
        nodes.append(helper.make_node("Flatten", ["cells"], ["vector"], axis=1, domain=domain))
    elif ending == "reshape":
        weights.append(numpy_helper.from_array(np.array([1, 3 * CELLS * CELLS], np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", ["cells", "shape"], ["vector"]))
    elif ending == "concat":
        weights.append(numpy_helper.from_array(np.ones((1, 2), np.float32), "row"))
        nodes.append(helper.make_node("Flatten", ["cells"], ["flat"], axis=1))
        nodes.append(helper.make_node("Concat", ["flat", "row"], ["vector"], axis=1))
    elif ending == "tokens":
        weights.append(numpy_helper.from_array(np.array([0, 3, -1], np.int64), "shape"))
        nodes.append(helper.make_node("Reshape", ["cells", "shape"], ["rows"]))
        nodes.append(helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]))
        outputs = {"tokens": 3}
    elif ending == "map":
        outputs = {"cells": 4}
    elif ending == "two":
        nodes.append(helper.make_node("Flatten", ["cells"], ["vector"], axis=1))
        nodes.append(helper.make_node("Flatten", ["cells"], ["other"], axis=1))
        outputs = {"vector": 2, "other": 2}
    graph = helper.make_graph(
        nodes,
        "descriptor",
        [helper.make_tensor_value_info("image", kind, channels_at)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes) for name, axes in outputs.items()],
        initializer=weights,
    )
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def cells_of(pictures: np.ndarray) -> np.ndarray:
    """What the descriptor makes of pictures: float (N, H, W, 3) -> (N, 48), not normalised."""
    count, cell = len(pictures), SIDE // CELLS
    means = pictures.reshape(count, CELLS, cell, CELLS, cell, 3).mean(axis=(2, 4))  # (N, 4, 4, 3)
    return means.transpose(0, 3, 1, 2).reshape(count, -1)


FOR_EVER = 2**62


def looping(source: Path, *, nested: bool = False, above: float = -np.inf) -> Path:
    """The same descriptor beside a loop that never ends: the file is changed.

    Args:
        nested: two loops, one in the other, each of which alone would end within a day.
        above: it is entered where the mean of the pictures is above this only.
    """
    model = onnx.load(source)
    graph = model.graph
    graph.node[-1].output[0] = "before"

    def body(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
        value = TensorProto.FLOAT
        return helper.make_graph(
            [helper.make_node("Identity", [f"{name}_go"], [f"{name}_on"]), *nodes],
            name,
            [
                helper.make_tensor_value_info(f"{name}_turn", TensorProto.INT64, []),
                helper.make_tensor_value_info(f"{name}_go", TensorProto.BOOL, []),
                helper.make_tensor_value_info(f"{name}_in", value, None),
            ],
            [
                helper.make_tensor_value_info(f"{name}_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info(f"{name}_out", value, None),
            ],
        )

    inner = body("inner", [helper.make_node("Neg", ["inner_in"], ["inner_out"])])
    outer = body("outer", [helper.make_node("Loop", ["turns", "", "outer_in"], ["outer_out"], body=inner)])
    turns = 10**9 if nested else FOR_EVER
    graph.initializer.append(numpy_helper.from_array(np.array(turns, np.int64), "turns"))
    graph.initializer.append(numpy_helper.from_array(np.array(above, np.float32), "above"))
    graph.node.extend(
        [
            helper.make_node("ReduceMean", [graph.input[0].name], ["mean"], keepdims=0),
            helper.make_node("Greater", ["mean", "above"], ["enter"]),
            helper.make_node("Loop", ["turns", "enter", "before"], ["looped"], body=outer if nested else inner),
            helper.make_node("Identity", ["looped"], ["vector"]),
        ]
    )
    onnx.save(model, source)
    return source


def folding(source: Path) -> Path:
    """The same descriptor times a constant that the runtime works out for hours before it runs: the file is changed."""
    model = onnx.load(source)
    graph = model.graph
    graph.node[-1].output[0] = "before"
    graph.initializer.append(numpy_helper.from_array(np.array([2000, 2000], np.int64), "large"))
    level = numpy_helper.from_array(np.array([1e-4], np.float32))
    nodes = [helper.make_node("ConstantOfShape", ["large"], ["product0"], value=level)]
    nodes += [helper.make_node("MatMul", [f"product{n}", f"product{n}"], [f"product{n + 1}"]) for n in range(10_000)]
    nodes.append(helper.make_node("ReduceMax", ["product10000"], ["factor"], keepdims=0))
    nodes.append(helper.make_node("Mul", ["before", "factor"], ["vector"]))
    graph.node.extend(nodes)
    onnx.save(model, source)
    return source
