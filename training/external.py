"""Encoders from outside: any ONNX descriptor, wrapped so that it keeps the encoder contract. The only user of onnx.

The graph stays as it is; what stands around it in the same file turns uint8 (N, H, W, 3) RGB into what it takes, and
what it gives into unit-norm float32 (N, D). Scaling, channel order and pooling thus travel with the encoder, and
nobody who uses it needs to know them.

The file is a stranger's: it is read without following its references to other files, only operators that onnxruntime
has built in are let through, and what the result does is tried out before anything is registered.
"""

import contextlib
import hashlib
import itertools
import logging
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import psutil
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from framesearch.encoder import Encoder
from framesearch.errors import EncoderInvalid

log = logging.getLogger(__name__)

MAX_BYTES = 500 * 1024 * 1024
SIDES = range(16, 1025)  # pixels
DIMENSIONS = range(2, 4097)  # an index of larger ones would be larger than the footage
MAX_PICTURE_S = 1.0  # on this machine: slower ones would take days to embed a day of footage
BUILT_IN = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # domains of operators that onnxruntime brings along
INPUT_TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8}
OLDEST_OPSET = 9
MAX_MEMORY = 8 * 2**30  # bytes that wrapping and trying a graph may take: a few nodes can ask for any amount

TRIED = 8  # pictures
ALIKE = 0.9999  # cosine: where all pictures embed closer than this, nothing is told apart
SAME = 0.999  # cosine of a picture's embeddings, alone and in company
HAIR = 1e-6  # added to every component, so that a picture that excites nothing has a direction, too

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


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An encoder that was made of an external graph, and what came out when it was tried.

    Attributes:
        encoder: the wrapped graph, loaded.
        sha256: of the file it was made of.
        preprocessing: what is done to red, green, blue before the graph, in words.
        layout, pool, output: as read.
        batch: `free`, `freed` (it was fixed to one, and works without), or `one by one` (it can't be freed).
        opset: of the graph.
        parameters: numbers in its weights.
        picture_ms: wall time an embedding of one picture takes on this machine, in batches.
        nearest_cosine, mean_cosine: of embeddings of different generated pictures.
    """

    encoder: Encoder
    sha256: str
    preprocessing: str
    layout: str
    pool: str
    output: str
    batch: str
    opset: int
    parameters: int
    picture_ms: float
    nearest_cosine: float
    mean_cosine: float


def wrap(source: Path, target: Path, reading: Reading) -> Wrapped:
    """Write `target`, an encoder that keeps the contract, around the graph in `source`, and try it out.

    Raises:
        EncoderInvalid: the file is no ONNX graph, is too large, refers to other files, needs operators that
            onnxruntime does not have, can't be read without more being said, or what it gives is no embedding.
    """
    with _memory_bounded():
        return _wrap(source, target, reading)


def _wrap(source: Path, target: Path, reading: Reading) -> Wrapped:
    started = time.monotonic()
    model, digest = _read(source)
    told = source.name
    taken = _input(model, reading, told)
    output, rank = _output(model, taken, reading, told)
    pool = _pooling(reading.pool, rank, output, told)
    subtract, divide, preprocessing = _levels(reading, taken.type, told)
    around = _Around(taken, subtract, divide, output, rank, pool, reading.channels)
    encoder, batch = _written(model, around, target, told)
    picture_ms, nearest, mean = _tried(encoder, told)
    wrapped = Wrapped(
        encoder=encoder,
        sha256=digest,
        preprocessing=preprocessing + (", blue first" if reading.channels == "bgr" else ""),
        layout=taken.layout,
        pool=pool or "none",
        output=output,
        batch=batch,
        opset=_opset(model),
        parameters=sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer),
        picture_ms=picture_ms,
        nearest_cosine=nearest,
        mean_cosine=mean,
    )
    log.info(
        "wrapped %s: %dx%d, %d dimensions, %s, batch %s, %.1f ms a picture, %.1f s",
        *(told, encoder.height, encoder.width, encoder.dimension, preprocessing, batch, picture_ms),
        time.monotonic() - started,
    )
    return wrapped


@contextlib.contextmanager
def _memory_bounded() -> Iterator[None]:
    """Within it, what asks for more than `MAX_MEMORY` fails, rather than that the system kills whom it likes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = psutil.Process().memory_info().vms + MAX_MEMORY
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    bounded = False
    with contextlib.suppress(ValueError, OSError):  # systems that know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (min([bound, *limits]), hard))
        bounded = True
    try:
        yield
    finally:
        if bounded:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# ---- reading


def _read(source: Path) -> tuple[ModelProto, str]:
    """The graph, without whatever other files it refers to, and the SHA-256 of its file."""
    try:
        size = source.stat().st_size
        if size > MAX_BYTES:
            raise EncoderInvalid(
                f"{source.name} has {size / 2**20:,.0f} MB, at most {MAX_BYTES / 2**20:,.0f} are taken: "
                "export it with smaller weights (float16, or quantised to int8)"
            )
        content = source.read_bytes()
    except OSError as error:
        raise EncoderInvalid(f"{source} can't be read: {error.strerror or error}") from error
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own types, which differ between its implementations
        raise EncoderInvalid(f"{source.name} is no ONNX model: {_first_line(error)}") from error
    del model.training_info[:]  # graphs that nobody runs here
    if not model.graph.node:
        raise EncoderInvalid(f"{source.name} is no ONNX model: it holds no graph")
    _refuse_other_files(model, source.name)
    _refuse_unknown_operators(model, source.name)
    if _opset(model) < OLDEST_OPSET:
        raise EncoderInvalid(
            f"{source.name} is of opset {_opset(model)}, {OLDEST_OPSET} is the oldest: export it with a newer one"
        )
    return model, hashlib.sha256(content).hexdigest()


def _opset(model: ModelProto) -> int:
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    """All nodes, those of subgraphs and of the model's own functions included."""
    waiting: list[Iterable[NodeProto]] = [model.graph.node, *(function.node for function in model.functions)]
    while waiting:
        for node in waiting.pop():
            yield node
            waiting += [graph.node for graph in _subgraphs(node)]


def _subgraphs(node: NodeProto) -> list[GraphProto]:
    found = [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]
    return found + [graph for attribute in node.attribute for graph in attribute.graphs]


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """All tensors that the file holds or refers to, wherever they are."""
    graphs = [model.graph, *itertools.chain.from_iterable(_subgraphs(node) for node in _nodes(model))]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _refuse_other_files(model: ModelProto, told: str) -> None:
    for tensor in _tensors(model):
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
            for node in _nodes(model)
            if node.domain not in BUILT_IN and (node.domain, node.op_type) not in own
        }
    )
    if unknown:
        raise EncoderInvalid(
            f"{told} needs operators that onnxruntime does not bring along: {', '.join(unknown[:5])[:300]}. "
            "Export it with standard operators"
        )


@dataclass(frozen=True, slots=True)
class _Input:
    """What the graph takes: one tensor of this type, layout and size; `batch` is None where it is free."""

    name: str
    type: int
    layout: str
    height: int
    width: int
    batch: int | None


def _input(model: ModelProto, reading: Reading, told: str) -> _Input:
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
        raise EncoderInvalid(f"{told} takes {_shown(shape)}: that is not {reading.layout} with three channels")
    if not possible:
        raise EncoderInvalid(f"{told} takes {_shown(shape)}: no axis can hold the three channels of a picture")
    if len(possible) > 1 and not reading.layout:
        raise EncoderInvalid(
            f"{told} takes {_shown(shape)}, which does not tell where the channels are: say so with --layout nchw or "
            "--layout nhwc"
        )
    layout = reading.layout or possible[0]
    height, width = (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])
    asked_height, asked_width = reading.size or (height, width)
    if asked_height is None or asked_width is None:
        raise EncoderInvalid(
            f"{told} takes pictures of any size ({_shown(shape)}): say which with --size HxW, as it was trained"
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
    return _Input(taken.name, kind.elem_type, layout, asked_height, asked_width, shape[0])


def _shown(shape: Iterable[int | None]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


def _output(model: ModelProto, taken: _Input, reading: Reading, told: str) -> tuple[str, int]:
    """The output to use and how many axes it has, from running the graph once as it came."""
    shape = (1, 3, taken.height, taken.width) if taken.layout == "nchw" else (1, taken.height, taken.width, 3)
    probe = np.random.default_rng(0).random(shape).astype(helper.tensor_dtype_to_np_dtype(taken.type))
    try:
        session = ort.InferenceSession(model.SerializeToString(), _quiet(), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        given = dict(zip(names, session.run(names, {taken.name: probe}), strict=True))
    except Exception as error:  # onnxruntime raises its own types, none of them public
        raise EncoderInvalid(
            f"{told} does not run on one picture of {taken.height}x{taken.width}: {_first_line(error)}"
        ) from error
    axes = {name: value.ndim for name, value in given.items() if isinstance(value, np.ndarray)}
    described = ", ".join(f"{name} {_shown(given[name].shape)}" for name in axes)[:400]
    if reading.output:
        if reading.output not in axes:
            raise EncoderInvalid(f"{told} has no output {reading.output!r}, it has {described}")
        return reading.output, axes[reading.output]
    vectors = [name for name, count in axes.items() if count == 2]
    usable = vectors if len(vectors) == 1 else list(axes)
    if len(usable) != 1:
        raise EncoderInvalid(f"{told} has several outputs: choose one with --output from {described}")
    return usable[0], axes[usable[0]]


def _quiet() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return options


def _pooling(pool: str | None, rank: int, output: str, told: str) -> str | None:
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


def _levels(reading: Reading, taken: int, told: str) -> tuple[np.ndarray, np.ndarray, str]:
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


# ---- writing


@dataclass(frozen=True, slots=True)
class _Around:
    """What the graph is wrapped in."""

    taken: _Input
    subtract: np.ndarray
    divide: np.ndarray
    output: str
    rank: int
    pool: str | None
    channels: str


def _written(model: ModelProto, around: _Around, target: Path, told: str) -> tuple[Encoder, str]:
    """Write and load the wrapped graph. One that was fixed to one picture is tried with the batch axis freed, then
    with the batch freed in its reshapes, too, and if it can't do without that one, it is scanned picture by picture.
    """
    ways: list[tuple[str, Callable[[ModelProto, _Around], ModelProto]]] = [("free", _batched)]
    if around.taken.batch == 1:
        ways = [("freed", _batched), ("freed", _reshaping), ("one by one", _scanned)]
    reference = None
    for batch, way in ways:
        wrapped = way(model, around)
        wrapped.producer_name = "framesearch"
        try:
            onnx.checker.check_model(wrapped)
            target.write_bytes(wrapped.SerializeToString())
            encoder = Encoder(target)  # asks for two pictures at a time
            if around.taken.batch == 1:
                reference = _alone(model, around) if reference is None else reference
                if not np.allclose(encoder.embed(_pictures(encoder)[:4]), reference, atol=1e-3):
                    raise EncoderInvalid(f"{told}: pictures embed otherwise in company")
        except (EncoderInvalid, onnx.checker.ValidationError) as error:
            if batch == ways[-1][0]:
                raise EncoderInvalid(f"{told} can't be made an encoder: {_first_line(error)}") from error
            log.info("%s does not work on several pictures at a time this way: %s", told, _first_line(error))
        else:
            return encoder, batch
    raise AssertionError("the last way returns or raises")


def _alone(model: ModelProto, around: _Around) -> np.ndarray:
    """Embeddings of the first four trial pictures, each in a run of its own: what a freed batch must give, too."""
    wrapped = _batched(model, around)
    session = ort.InferenceSession(wrapped.SerializeToString(), _quiet(), providers=["CPUExecutionProvider"])
    pictures = _generated(around.taken.height, around.taken.width)[:4]
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: picture[None]})[0] for picture in pictures])


def _batched(model: ModelProto, around: _Around) -> ModelProto:
    """The graph between what it is wrapped in, the batch axis free."""
    wrapped, names = _copied(model), _Names(model)
    graph = wrapped.graph
    pictures, embeddings = names.new("pictures"), names.new("embeddings")
    before = _before(pictures, around, names)
    after = _after(embeddings, around, names, _opset(model))
    nodes = [*before.nodes, *graph.node, *after.nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*before.constants, *after.constants])
    _declare(graph, around, pictures, embeddings)
    return wrapped


def _reshaping(model: ModelProto, around: _Around) -> ModelProto:
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


def _scanned(model: ModelProto, around: _Around) -> ModelProto:
    """The graph as the body of a Scan over the pictures: it sees one at a time, as it must."""
    wrapped, names = _copied(model), _Names(model)
    inner = GraphProto()
    inner.CopyFrom(wrapped.graph)
    picture, one, row, vector = (names.new(what) for what in ("picture", "one", "row", "vector"))
    before = _before(one, around, names)
    after = _after(row, around, names, _opset(model))
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


def _declare(graph: GraphProto, around: _Around, pictures: str, embeddings: str) -> None:
    """Give the graph the contract's input and output in place of its own."""
    for part in (graph.input, graph.output):
        del part[:]
    size = (around.taken.height, around.taken.width)
    graph.input.append(helper.make_tensor_value_info(pictures, TensorProto.UINT8, ["N", *size, 3]))
    graph.output.append(helper.make_tensor_value_info(embeddings, TensorProto.FLOAT, ["N", "D"]))


class _Names:
    """Names of tensors that the graph does not use yet."""

    def __init__(self, model: ModelProto) -> None:
        self._used = {tensor.name for tensor in _tensors(model)}
        self._used |= {one.name for one in (*model.graph.input, *model.graph.output)}
        for node in _nodes(model):
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

    def add(self, operator: str, *more: str, made: str | None = None, **attributes: object) -> None:
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


def _before(pictures: str, around: _Around, names: _Names) -> _Chain:
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


def _after(embeddings: str, around: _Around, names: _Names, opset: int) -> _Chain:
    """From the graph's output to unit-norm float32 (N, D)."""
    chain = _Chain(around.output, names)
    chain.cast(TensorProto.FLOAT)
    if around.pool == "token":
        chain.add("Gather", chain.constant(np.array(0, np.int64)), axis=1)
    elif around.pool and around.rank == 3:  # (N, T, C) as a map (N, C, T, 1)
        chain.add("Transpose", perm=[0, 2, 1])
        chain.add("Reshape", chain.constant(np.array([0, 0, -1, 1], np.int64)))
    if around.pool == "gem":  # Radenović et al. 2017, https://arxiv.org/abs/1711.02512, with p = 3
        chain.add("Max", chain.constant(np.array(HAIR, np.float32)))
        chain.add("Pow", chain.constant(np.array(3, np.float32)))
    if around.pool in ("average", "gem"):
        chain.add("GlobalAveragePool")
    elif around.pool == "max":
        chain.add("GlobalMaxPool")
    if around.pool == "gem":
        chain.add("Pow", chain.constant(np.array(1 / 3, np.float32)))
    chain.add("Flatten", axis=1)
    chain.add("Add", chain.constant(np.array(HAIR, np.float32)))
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


# ---- trying


def _tried(encoder: Encoder, told: str) -> tuple[float, float, float]:
    """Milliseconds a picture, and the largest and the mean cosine between embeddings of different pictures.

    Raises:
        EncoderInvalid: they are not numbers, all the same, depend on their company, or take too long.
    """
    if encoder.dimension not in DIMENSIONS:
        raise EncoderInvalid(
            f"{told} gives {encoder.dimension} numbers a picture, {DIMENSIONS[0]} to {DIMENSIONS[-1]} are taken"
        )
    pictures = _pictures(encoder)
    started = time.monotonic()
    vectors = encoder.embed(pictures)
    picture_s = (time.monotonic() - started) / len(pictures)
    if not np.isfinite(vectors).all():
        raise EncoderInvalid(f"{told} gives what is no number for a plain picture: it can't be an encoder")
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise EncoderInvalid(f"{told} gives nothing for a plain picture, no direction: it can't be an encoder")
    cosines = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    if cosines.min() > ALIKE:
        raise EncoderInvalid(
            f"{told} gives the same embedding for different pictures (cosine {cosines.min():.6f} and more): see that "
            "it is a descriptor, and that --preprocessing and --channels are those it was trained with"
        )
    alone = np.concatenate([encoder.embed([picture]) for picture in pictures])
    company = float((alone * vectors).sum(axis=1).min())
    if not company >= SAME:
        raise EncoderInvalid(
            f"{told} embeds a picture otherwise alone than among others (cosine {company:.4f}), as graphs do that are "
            "quantised dynamically, or exported while training: export it for inference, quantised statically if at all"
        )
    if picture_s > MAX_PICTURE_S:
        raise EncoderInvalid(f"{told} takes {picture_s:.1f} s a picture, at most {MAX_PICTURE_S:g} are bearable")
    return 1000.0 * picture_s, float(cosines.max()), float(cosines.mean())


def _pictures(encoder: Encoder) -> list[np.ndarray]:
    return list(_generated(encoder.height, encoder.width))


def _generated(height: int, width: int) -> np.ndarray:
    """Different pictures with coarse and fine structure, a black one last: uint8 (8, height, width, 3)."""
    rng = np.random.default_rng(1)
    pictures = np.empty((TRIED, height, width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        cells = rng.integers(0, 200, (2 + number, 3 + number, 3))
        rows, columns = np.arange(height) * len(cells) // height, np.arange(width) * cells.shape[1] // width
        picture[:] = cells[rows][:, columns] + rng.integers(0, 56, (height, width, 3))
    pictures[-1] = 0
    return pictures


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
