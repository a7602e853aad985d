"""Writing an encoder around a stranger's ONNX graph, which stays as it is. See `convert`."""

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from framesearch.errors import EncoderInvalid
from framesearch.models.encoder import Encoder
from training.onnx_import.interface import Input, first_line, nodes_of, opset, quiet, tensors_of
from training.onnx_import.sandbox import Step

log = logging.getLogger(__name__)

TRIED = 8  # pictures
EPSILON = 1e-6  # added to every component, so that a picture that excites nothing has a direction, too


@dataclass(frozen=True, slots=True)
class Around:
    """What the graph is wrapped in."""

    taken: Input
    subtract: np.ndarray
    divide: np.ndarray
    output: str
    rank: int
    pool: str | None
    channels: str


def written(model: ModelProto, around: Around, target: Path, told: str, step: Step) -> tuple[Encoder, str]:
    """Write and load the wrapped graph. One that was fixed to one picture is tried with the batch axis freed, then
    with the batch freed in its reshapes, too, and if it can't do without that one, it is scanned picture by picture.
    """
    ways: list[tuple[str, Callable[[ModelProto, Around], ModelProto]]] = [("free", _batched)]
    if around.taken.batch == 1:
        ways = [("freed", _batched), ("freed", _reshaping), ("one by one", _scanned)]
    reference = None
    for number, (batch, way) in enumerate(ways, start=1):
        step(f"making it an encoder, way {number} of {len(ways)}")
        wrapped = way(model, around)
        wrapped.producer_name = "framesearch"
        try:
            onnx.checker.check_model(wrapped)
            target.write_bytes(wrapped.SerializeToString())
            encoder = Encoder(target)  # asks for two pictures at a time
            if around.taken.batch == 1:
                step("embedding single pictures")
                reference = _alone(model, around) if reference is None else reference
                step("embedding them together")
                if not np.allclose(encoder.embed(trial_pictures(encoder)[:4]), reference, atol=1e-3):
                    raise EncoderInvalid(f"{told}: pictures embed otherwise in company")
        except (EncoderInvalid, onnx.checker.ValidationError) as error:
            if batch == ways[-1][0]:
                raise EncoderInvalid(f"{told} can't be made an encoder: {first_line(error)}") from error
            log.info("%s does not work on several pictures at a time this way: %s", told, first_line(error))
        else:
            return encoder, batch
    raise AssertionError("the last way returns or raises")


def _alone(model: ModelProto, around: Around) -> np.ndarray:
    """Embeddings of the first four trial pictures, each in a run of its own: what a freed batch must give, too."""
    wrapped = _batched(model, around)
    session = ort.InferenceSession(wrapped.SerializeToString(), quiet(), providers=["CPUExecutionProvider"])
    pictures = generated(around.taken.height, around.taken.width)[:4]
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: picture[None]})[0] for picture in pictures])


def _batched(model: ModelProto, around: Around) -> ModelProto:
    """The graph between what it is wrapped in, the batch axis free."""
    wrapped, names = _copied(model), _Names(model)
    graph = wrapped.graph
    pictures, embeddings = names.new("pictures"), names.new("embeddings")
    before = _before(pictures, around, names)
    after = _after(embeddings, around, names, opset(model))
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    _declare(graph, around, pictures, embeddings)
    return wrapped


def _reshaping(model: ModelProto, around: Around) -> ModelProto:
    """Like `_batched`; constant shapes that begin with the one picture of the batch take what comes instead."""
    wrapped = _batched(model, around)
    constants = {tensor.name: tensor for tensor in wrapped.graph.initializer}
    for node in wrapped.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    for name in {node.input[1] for node in wrapped.graph.node if node.op_type == "Reshape" and len(node.input) > 1}:
        shape = numpy_helper.to_array(constants[name]).copy() if name in constants else np.zeros(0, np.int64)
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            shape[0] = 0 if (shape == -1).any() else -1  # 0: as the input has it
            constants[name].CopyFrom(numpy_helper.from_array(shape, name))
    return wrapped


def _scanned(model: ModelProto, around: Around) -> ModelProto:
    """The graph as the body of a Scan over the pictures: it sees one at a time, as it must."""
    wrapped, names = _copied(model), _Names(model)
    inner = GraphProto()
    inner.CopyFrom(wrapped.graph)
    picture, one, row, vector = (names.new(what) for what in ("picture", "one", "row", "vector"))
    before = _before(one, around, names)
    after = _after(row, around, names, opset(model))
    shapes = [
        numpy_helper.from_array(np.array(shape, np.int64), names.new("shape"))
        for shape in ((1, around.taken.height, around.taken.width, 3), (-1,))
    ]
    nodes = [
        helper.make_node("Reshape", [picture, shapes[0].name], [one]),
        *before.nodes,
        *inner.node,
        *after.nodes,
        helper.make_node("Reshape", [row, shapes[1].name], [vector]),
    ]
    for part in (inner.node, inner.input, inner.output, inner.value_info):
        del part[:]
    inner.name = inner.name or "one_picture"
    inner.node.extend(nodes)
    inner.initializer.extend([*before.constants, *after.constants, *shapes])
    height, width = around.taken.height, around.taken.width
    inner.input.append(helper.make_tensor_value_info(picture, TensorProto.UINT8, [height, width, 3]))
    inner.output.append(helper.make_tensor_value_info(vector, TensorProto.FLOAT, ["dimension"]))
    pictures, embeddings = names.new("pictures"), names.new("embeddings")
    graph = wrapped.graph
    for part in (graph.node, graph.initializer, graph.sparse_initializer):
        del part[:]
    graph.node.append(helper.make_node("Scan", [pictures], [embeddings], num_scan_inputs=1, body=inner))
    _declare(graph, around, pictures, embeddings)
    return wrapped


def _copied(model: ModelProto) -> ModelProto:
    """A copy without what is only said about it: texts, and shapes that held for the batch it was exported with."""
    copied = ModelProto()
    copied.CopyFrom(model)
    copied.doc_string = copied.graph.doc_string = ""
    del copied.metadata_props[:]
    del copied.graph.value_info[:]
    return copied


def _declare(graph: GraphProto, around: Around, pictures: str, embeddings: str) -> None:
    """Give the graph the contract's input and output in place of its own."""
    for part in (graph.input, graph.output):
        del part[:]
    size = (around.taken.height, around.taken.width)
    graph.input.append(helper.make_tensor_value_info(pictures, TensorProto.UINT8, ["N", *size, 3]))
    graph.output.append(helper.make_tensor_value_info(embeddings, TensorProto.FLOAT, ["N", "D"]))


class _Names:
    """Names of tensors that the graph does not use yet."""

    def __init__(self, model: ModelProto) -> None:
        self._used = {tensor.name for tensor in tensors_of(model)}
        self._used |= {one.name for one in (*model.graph.input, *model.graph.output)}
        for node in nodes_of(model):
            self._used |= {*node.input, *node.output}

    def new(self, what: str) -> str:
        name = next(n for k in itertools.count() if (n := f"framesearch_{what}{k or ''}") not in self._used)
        self._used.add(name)
        return name


class _Chain:
    """Nodes one after another, with their constants."""

    def __init__(self, start: str, names: _Names) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._names, self._at = names, start

    @property
    def end(self) -> str:
        return self._at

    def add(self, operator: str, *more: str, made: str | None = None, **attributes: Any) -> None:
        made = made or self._names.new(operator.lower())
        self.nodes.append(helper.make_node(operator, [self._at, *more], [made], **attributes))
        self._at = made

    def cast(self, kind: int) -> None:
        self.add("Cast", to=kind)

    def constant(self, value: np.ndarray) -> str:
        tensor = numpy_helper.from_array(value, self._names.new("constant"))
        self.constants.append(tensor)
        return tensor.name

    def return_to(self, name: str) -> None:
        self._at = name


def _before(pictures: str, around: Around, names: _Names) -> _Chain:
    """From uint8 (N, H, W, 3) RGB to the graph's own input."""
    taken = around.taken
    chain = _Chain(pictures, names)
    if around.channels == "bgr":
        chain.add("Gather", chain.constant(np.array([2, 1, 0], np.int64)), axis=3)
    if taken.type != TensorProto.UINT8:
        chain.cast(TensorProto.FLOAT)
        order = slice(None, None, -1) if around.channels == "bgr" else slice(None)
        if around.subtract.any():
            chain.add("Sub", chain.constant(around.subtract[order].copy()))
        if (around.divide != 1).any():
            chain.add("Div", chain.constant(around.divide[order].copy()))
        if taken.type != TensorProto.FLOAT:
            chain.cast(taken.type)
    if taken.layout == "nchw":
        chain.add("Transpose", perm=[0, 3, 1, 2])
    chain.add("Identity", made=taken.name)
    return chain


def _after(embeddings: str, around: Around, names: _Names, opset: int) -> _Chain:
    """From the graph's output to unit-norm float32 (N, D)."""
    chain = _Chain(around.output, names)
    chain.cast(TensorProto.FLOAT)
    if around.pool == "token":
        chain.add("Gather", chain.constant(np.array(0, np.int64)), axis=1)
    elif around.pool and around.rank == 3:  # (N, T, C) as a map (N, C, T, 1)
        chain.add("Transpose", perm=[0, 2, 1])
        chain.add("Reshape", chain.constant(np.array([0, 0, -1, 1], np.int64)))
    if around.pool == "gem":  # Radenović et al. 2017, https://arxiv.org/abs/1711.02512, with p = 3
        chain.add("Max", chain.constant(np.array(EPSILON, np.float32)))
        chain.add("Pow", chain.constant(np.array(3, np.float32)))
    if around.pool in ("average", "gem"):
        chain.add("GlobalAveragePool")
    elif around.pool == "max":
        chain.add("GlobalMaxPool")
    if around.pool == "gem":
        chain.add("Pow", chain.constant(np.array(1 / 3, np.float32)))
    chain.add("Flatten", axis=1)
    chain.add("Add", chain.constant(np.array(EPSILON, np.float32)))
    vectors = chain.end
    if opset >= 18:
        chain.add("ReduceL2", chain.constant(np.array([1], np.int64)), keepdims=1)
    else:
        chain.add("ReduceL2", axes=[1], keepdims=1)
    chain.add("Max", chain.constant(np.array(1e-12, np.float32)))
    norms = chain.end
    chain.return_to(vectors)
    chain.add("Div", norms, made=embeddings)
    return chain


def trial_pictures(encoder: Encoder) -> list[np.ndarray]:
    """What an encoder is tried on: uint8 (height, width, 3) each."""
    return list(generated(encoder.height, encoder.width))


def generated(height: int, width: int) -> np.ndarray:
    """Different pictures with coarse and fine structure, a black one last: uint8 (8, height, width, 3)."""
    rng = np.random.default_rng(1)
    pictures = np.empty((TRIED, height, width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        cells = rng.integers(0, 200, (2 + number, 3 + number, 3))
        rows, columns = np.arange(height) * len(cells) // height, np.arange(width) * cells.shape[1] // width
        picture[:] = cells[rows][:, columns] + rng.integers(0, 56, (height, width, 3))
    pictures[-1] = 0
    return pictures
