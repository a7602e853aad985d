"""Reading a stranger's ONNX graph: what it takes and gives, without trusting any of it.

References to other files are not followed, and only operators that onnxruntime has built in are let through. Call
nothing here but in a process of its own, see `sandbox`.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from framesearch.errors import EncoderInvalid

MAX_BYTES = 500 * 1024 * 1024
SIDES = range(16, 1025)  # pixels
BUILT_IN = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # domains of operators that onnxruntime brings along
INPUT_TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8}
OLDEST_OPSET = 9

PREPROCESSINGS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "signed": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
NONE = "none"
POOLINGS = ("average", "max", "gem", "token")
LAYOUTS = ("nchw", "nhwc")
CHANNELS = ("rgb", "bgr")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a graph is to be read; what is None is taken from the graph itself.

    Attributes:
        preprocessing: `imagenet`, `unit` (0 to 1) or `signed` (-1 to 1) of red, green, blue; `none` for levels 0 to
            255 as they are. None: `imagenet`; `none` where the graph takes uint8.
        mean, std: instead of a preprocessing, of red, green, blue scaled to 0 to 1.
        size: height and width, where the graph leaves them free.
        layout: `nchw` or `nhwc`, where the graph's shape does not tell.
        channels: `rgb` or `bgr`, the order that the graph takes.
        output: its name, where the graph has several.
        pool: what makes one vector of a map (N, C, H, W), or of tokens (N, T, C): `average`, `max`, `gem` (the cube
            root of the mean cube) or `token` (the first one). None refuses both.
    """

    preprocessing: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    size: tuple[int, int] | None = None
    layout: str | None = None
    channels: str = "rgb"
    output: str | None = None
    pool: str | None = None


def check_size(source: Path) -> None:
    """Judge a file by its size, before anything is read.

    Raises:
        EncoderInvalid: it is too large, or there is none.
    """
    try:
        size = source.stat().st_size
    except OSError as error:
        raise EncoderInvalid(f"{source} can't be read: {error.strerror or error}") from error
    if size > MAX_BYTES:
        raise EncoderInvalid(
            f"{source.name} has {size / 2**20:,.0f} MB, at most {MAX_BYTES / 2**20:,.0f} are taken: "
            "export it with smaller weights (float16, or quantised to int8)"
        )


def read(source: Path) -> tuple[ModelProto, str]:
    """The graph, without whatever other files it refers to, and the SHA-256 of its file."""
    try:
        content = source.read_bytes()
    except OSError as error:
        raise EncoderInvalid(f"{source} can't be read: {error.strerror or error}") from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own types, which differ between its implementations
        raise EncoderInvalid(f"{source.name} is no ONNX model: {first_line(error)}") from error
    del model.training_info[:]  # graphs that nobody runs here
    if not model.graph.node:
        raise EncoderInvalid(f"{source.name} is no ONNX model: it holds no graph")
    _refuse_other_files(model, source.name)
    _refuse_unknown_operators(model, source.name)
    if opset(model) < OLDEST_OPSET:
        raise EncoderInvalid(
            f"{source.name} is of opset {opset(model)}, {OLDEST_OPSET} is the oldest: export it with a newer one"
        )
    return model, hashlib.sha256(content).hexdigest()


def opset(model: ModelProto) -> int:
    """The version of the standard operators that the graph is written in."""
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)


def nodes_of(model: ModelProto) -> Iterator[NodeProto]:
    """All nodes, those of subgraphs and of the model's own functions included."""
    waiting: list[Iterable[NodeProto]] = [model.graph.node, *(function.node for function in model.functions)]
    while waiting:
        for node in waiting.pop():
            yield node
            waiting += [graph.node for graph in _subgraphs(node)]


def _subgraphs(node: NodeProto) -> list[GraphProto]:
    found = [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]
    return found + [graph for attribute in node.attribute for graph in attribute.graphs]


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """All tensors that the file holds or refers to, wherever they are."""
    graphs = [model.graph, *itertools.chain.from_iterable(_subgraphs(node) for node in nodes_of(model))]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes_of(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _refuse_other_files(model: ModelProto, told: str) -> None:
    for tensor in tensors_of(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise EncoderInvalid(
                f"{told} keeps weights in other files (such as that of {tensor.name[:80]!r}), which are not followed: "
                "save it as one file, as `onnx.save_model(onnx.load(FILE), ONE_FILE, save_as_external_data=False)` does"
            )


def _refuse_unknown_operators(model: ModelProto, told: str) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    unknown = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in nodes_of(model)
            if node.domain not in BUILT_IN and (node.domain, node.op_type) not in own
        }
    )
    if unknown:
        raise EncoderInvalid(
            f"{told} needs operators that onnxruntime does not bring along: {', '.join(unknown[:5])[:300]}. "
            "Export it with standard operators"
        )


@dataclass(frozen=True, slots=True)
class Input:
    """What the graph takes: one tensor of this type, layout and size; `batch` is None where it is free."""

    name: str
    type: int
    layout: str
    height: int
    width: int
    batch: int | None


def input_of(model: ModelProto, reading: Reading, told: str) -> Input:
    """What the graph takes, where that is pictures.

    Raises:
        EncoderInvalid: it is not, or more must be said to know; so do the other functions here.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]  # old files list weights as inputs, too
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)[:200]
        raise EncoderInvalid(f"{told} takes {len(inputs)} inputs ({names}): an encoder takes one, the picture")
    (taken,) = inputs
    kind = taken.type.tensor_type
    if kind.elem_type not in INPUT_TYPES:
        name = TensorProto.DataType.Name(kind.elem_type) if kind.elem_type else "nothing known"
        raise EncoderInvalid(f"{told} takes {name} as {taken.name}: a picture is FLOAT, FLOAT16, DOUBLE or UINT8")
    shape = [dimension.dim_value or None for dimension in kind.shape.dim]
    if len(shape) != 4:
        raise EncoderInvalid(f"{told} takes {taken.name} with {len(shape)} axes: pictures have four, (N, C, H, W)")
    possible = [layout for layout, axis in (("nchw", 1), ("nhwc", 3)) if shape[axis] == 3]
    if not possible and shape[1] is None and shape[3] is None:
        possible = list(LAYOUTS)
    if reading.layout and reading.layout not in possible:
        raise EncoderInvalid(f"{told} takes {shown(shape)}: that is not {reading.layout} with three channels")
    if not possible:
        raise EncoderInvalid(f"{told} takes {shown(shape)}: no axis can hold the three channels of a picture")
    if len(possible) > 1 and not reading.layout:
        raise EncoderInvalid(
            f"{told} takes {shown(shape)}, which does not tell where the channels are: say so with --layout nchw or "
            "--layout nhwc"
        )
    layout = reading.layout or possible[0]
    height, width = (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])
    asked_height, asked_width = reading.size or (height, width)
    if asked_height is None or asked_width is None:
        raise EncoderInvalid(
            f"{told} takes pictures of any size ({shown(shape)}): say which with --size HxW, as it was trained"
        )
    if (height or asked_height, width or asked_width) != (asked_height, asked_width):
        raise EncoderInvalid(
            f"{told} takes pictures of {height or 'any'}x{width or 'any'}, not {asked_height}x{asked_width}"
        )
    if asked_height not in SIDES or asked_width not in SIDES:
        raise EncoderInvalid(f"pictures of {asked_height}x{asked_width}: {SIDES[0]} to {SIDES[-1]} a side are taken")
    if (shape[0] or 1) != 1:
        raise EncoderInvalid(
            f"{told} takes exactly {shape[0]} pictures at a time: export it with a free batch axis, or with one picture"
        )
    return Input(taken.name, kind.elem_type, layout, asked_height, asked_width, shape[0])


def shown(shape: Iterable[int | None]) -> str:
    """A shape in words: (1, 3, ?, ?)."""
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


def output_of(model: ModelProto, taken: Input, reading: Reading, told: str) -> tuple[str, int]:
    """The output to use and how many axes it has, from running the graph once as it came."""
    shape = (1, 3, taken.height, taken.width) if taken.layout == "nchw" else (1, taken.height, taken.width, 3)
    probe = np.random.default_rng(0).random(shape).astype(helper.tensor_dtype_to_np_dtype(taken.type))
    try:
        session = ort.InferenceSession(model.SerializeToString(), quiet(), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        given = dict(zip(names, session.run(names, {taken.name: probe}), strict=True))
    except Exception as error:  # onnxruntime raises its own types, none of them public
        raise EncoderInvalid(
            f"{told} does not run on one picture of {taken.height}x{taken.width}: {first_line(error)}"
        ) from error
    axes = {name: value.ndim for name, value in given.items() if isinstance(value, np.ndarray)}
    described = ", ".join(f"{name} {shown(given[name].shape)}" for name in axes)[:400]
    if reading.output:
        if reading.output not in axes:
            raise EncoderInvalid(f"{told} has no output {reading.output!r}, it has {described}")
        return reading.output, axes[reading.output]
    vectors = [name for name, count in axes.items() if count == 2]
    usable = vectors if len(vectors) == 1 else list(axes)
    if len(usable) != 1:
        raise EncoderInvalid(f"{told} has several outputs: choose one with --output from {described}")
    return usable[0], axes[usable[0]]


def quiet() -> ort.SessionOptions:
    """Options of a session that keeps its warnings to itself."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options


def pooling(pool: str | None, rank: int, output: str, told: str) -> str | None:
    """How one vector is made of an output of so many axes: one of `POOLINGS`, None where it is one already."""
    if rank == 2:
        return None  # a vector is a vector, whatever was asked for
    if rank not in (3, 4):
        raise EncoderInvalid(f"{told}: the output {output} has {rank} axes, an embedding has two, (N, D)")
    what = "a map (N, C, H, W)" if rank == 4 else "a row of tokens (N, T, C)"
    fitting = ("average", "max", "gem") if rank == 4 else ("average", "max", "token")
    if pool not in fitting:
        raise EncoderInvalid(
            f"{told}: the output {output} is {what}, no vector: "
            f"choose another with --output, or say how to pool it with --pool {' or '.join(fitting)}"
        )
    return pool


def levels(reading: Reading, taken: int, told: str) -> tuple[np.ndarray, np.ndarray, str]:
    """What is subtracted from the levels 0 to 255, and what they are divided by then: float32 (3,) each; in words."""
    if (reading.mean is None) != (reading.std is None):
        raise EncoderInvalid("--mean and --std go together: three numbers each, of red, green and blue from 0 to 1")
    if reading.mean and reading.preprocessing:
        raise EncoderInvalid(f"either --preprocessing {reading.preprocessing}, or --mean and --std")
    name = reading.preprocessing or (NONE if taken == TensorProto.UINT8 else "imagenet")
    if taken == TensorProto.UINT8 and (reading.mean or name != NONE):
        raise EncoderInvalid(f"{told} takes uint8 and scales pictures itself: leave its preprocessing at none")
    if reading.mean and reading.std:
        mean, std = np.array(reading.mean, np.float64), np.array(reading.std, np.float64)
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise EncoderInvalid("--mean and --std must be finite numbers, and the deviation above 0")
        name = f"mean {_listed(reading.mean)}, deviation {_listed(reading.std)}"
    elif name == NONE:
        return np.zeros(3, np.float32), np.ones(3, np.float32), NONE
    elif name in PREPROCESSINGS:
        mean, std = (np.array(values, np.float64) for values in PREPROCESSINGS[name])
    else:
        raise EncoderInvalid(f"no preprocessing is called {name!r}: choose from {', '.join([*PREPROCESSINGS, NONE])}")
    return (255.0 * mean).astype(np.float32), (255.0 * std).astype(np.float32), name


def _listed(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def first_line(error: BaseException) -> str:
    """What onnx and onnxruntime say, without the pages that may follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
