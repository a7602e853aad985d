"""Any ONNX descriptor becomes an encoder that keeps the contract, or it is said why not."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
from descriptors import SIDE, cells_of, folding, looping, write_descriptor
from onnx import TensorProto, numpy_helper
from thumbnail_encoder import write_thumbnail_encoder

from framesearch.errors import EncoderInvalid
from framesearch.models.encoder import Encoder
from training.onnx_import import interface
from training.onnx_import.convert import wrap
from training.onnx_import.interface import Reading
from training.onnx_import.sandbox import Step, confined

IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def dying(number: int, step: Step) -> dict[str, object]:
    """Work that a signal ends, as a fault of the runtime does, or the system when memory is short."""
    step("dying")
    os.kill(os.getpid(), number)
    return {}


def failing(step: Step) -> dict[str, object]:
    """Work that fails as nobody foresaw."""
    step("failing")
    return {"never": 1 / 0}


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def embedded(source: Path, pictures: np.ndarray, reading: Reading = Reading()) -> np.ndarray:  # noqa: B008
    """What the wrapped file gives, read anew as the index reads it."""
    wrapped = wrap(source, source.with_name("wrapped.onnx"), reading)
    assert (wrapped.encoder.height, wrapped.encoder.width) == (SIDE, SIDE)
    return Encoder(source.with_name("wrapped.onnx")).embed(list(pictures))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_pictures_reach_the_graph_scaled_and_laid_out_as_it_takes_them(tmp_path, pictures, layout, kind):
    source = write_descriptor(tmp_path / "d.onnx", layout=layout, kind=kind)
    expected = unit(cells_of((pictures / 255 - IMAGENET[0]) / IMAGENET[1]))
    assert np.abs(embedded(source, pictures) - expected).max() < (2e-3 if kind == TensorProto.FLOAT16 else 1e-5)


@pytest.mark.parametrize(
    ("reading", "scaled"),
    [
        (Reading(preprocessing="unit"), lambda x: x / 255),
        (Reading(preprocessing="signed"), lambda x: x / 127.5 - 1),
        (Reading(preprocessing="none"), lambda x: x * 1.0),
        (Reading(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)), lambda x: (x / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]),
        (
            Reading(channels="bgr"),
            lambda x: ((x / 255 - IMAGENET[0]) / IMAGENET[1])[..., ::-1],
        ),
    ],
)
def test_every_preprocessing_is_what_it_is_called(tmp_path, pictures, reading, scaled):
    source = write_descriptor(tmp_path / "d.onnx")
    assert np.abs(embedded(source, pictures, reading) - unit(cells_of(scaled(pictures)))).max() < 1e-5


def test_a_graph_that_takes_levels_is_left_to_scale_them_itself(tmp_path, pictures):
    source = write_descriptor(tmp_path / "d.onnx", kind=TensorProto.UINT8)
    assert np.abs(embedded(source, pictures) - unit(cells_of(pictures * 1.0))).max() < 1e-5
    with pytest.raises(EncoderInvalid, match="scales pictures itself"):
        wrap(source, tmp_path / "w.onnx", Reading(preprocessing="imagenet"))


@pytest.mark.parametrize(("ending", "how"), [("flatten", "freed"), ("reshape", "freed"), ("concat", "one by one")])
def test_a_graph_of_one_picture_takes_many(tmp_path, pictures, ending, how):
    source = write_descriptor(tmp_path / "d.onnx", batch=1, ending=ending)
    wrapped = wrap(source, tmp_path / "w.onnx", Reading(preprocessing="unit"))
    assert wrapped.batch == how
    expected = cells_of(pictures / 255)
    if ending == "concat":
        expected = np.concatenate([expected, np.ones((len(pictures), 2))], axis=1)
    assert np.abs(wrapped.encoder.embed(list(pictures)) - unit(expected)).max() < 1e-5


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 21])
def test_graphs_of_old_and_new_opsets_are_wrapped(tmp_path, pictures, opset):
    source = write_descriptor(tmp_path / "d.onnx", opset=opset)
    assert embedded(source, pictures).shape == (5, 48)


def test_maps_and_tokens_are_pooled_only_when_asked(tmp_path, pictures):
    of_map = write_descriptor(tmp_path / "map.onnx", ending="map")
    with pytest.raises(EncoderInvalid, match=r"a map \(N, C, H, W\), no vector.*--pool average or max or gem"):
        wrap(of_map, tmp_path / "w.onnx", Reading())
    cells = cells_of(pictures / 255).reshape(5, 3, 16)
    unscaled = {"preprocessing": "unit"}
    for pool, expected in (
        ("average", cells.mean(axis=2)),
        ("max", cells.max(axis=2)),
        ("gem", (cells**3).mean(axis=2) ** (1 / 3)),
    ):
        assert np.abs(embedded(of_map, pictures, Reading(pool=pool, **unscaled)) - unit(expected)).max() < 1e-5
    tokens = write_descriptor(tmp_path / "tokens.onnx", ending="tokens")
    with pytest.raises(EncoderInvalid, match=r"a row of tokens.*average or max or token"):
        wrap(tokens, tmp_path / "w.onnx", Reading(pool="gem"))
    for pool, expected in (("token", cells[:, :, 0]), ("average", cells.mean(axis=2))):
        assert np.abs(embedded(tokens, pictures, Reading(pool=pool, **unscaled)) - unit(expected)).max() < 1e-5


def test_of_several_outputs_one_is_chosen(tmp_path, pictures):
    source = write_descriptor(tmp_path / "d.onnx", ending="two")
    with pytest.raises(EncoderInvalid, match=r"several outputs.*vector \(1, 48\), other \(1, 48\)"):
        wrap(source, tmp_path / "w.onnx", Reading())
    with pytest.raises(EncoderInvalid, match="no output 'third'"):
        wrap(source, tmp_path / "w.onnx", Reading(output="third"))
    assert embedded(source, pictures, Reading(output="other")).shape == (5, 48)


def test_what_the_graph_leaves_open_must_be_said(tmp_path, pictures):
    free = write_descriptor(tmp_path / "free.onnx", size=("h", "w"))
    with pytest.raises(EncoderInvalid, match="--size HxW"):
        wrap(free, tmp_path / "w.onnx", Reading())
    assert embedded(free, pictures, Reading(size=(SIDE, SIDE))).shape == (5, 48)
    with pytest.raises(EncoderInvalid, match="16 to 1024"):
        wrap(free, tmp_path / "w.onnx", Reading(size=(4000, 4000)))
    fixed = write_descriptor(tmp_path / "fixed.onnx")
    with pytest.raises(EncoderInvalid, match="of 32x32, not 64x64"):
        wrap(fixed, tmp_path / "w.onnx", Reading(size=(64, 64)))
    unknown = write_descriptor(tmp_path / "unknown.onnx", layout="unknown")
    with pytest.raises(EncoderInvalid, match="--layout nchw or --layout nhwc"):
        wrap(unknown, tmp_path / "w.onnx", Reading(size=(SIDE, SIDE)))
    assert embedded(unknown, pictures, Reading(size=(SIDE, SIDE), layout="nchw")).shape == (5, 48)


def test_an_encoder_of_ours_can_be_imported_again(tmp_path, pictures):
    ours = write_thumbnail_encoder(tmp_path / "ours.onnx", side=SIDE)
    wrapped = wrap(ours, tmp_path / "once.onnx", Reading())
    again = wrap(tmp_path / "once.onnx", tmp_path / "twice.onnx", Reading())
    vectors = [encoder.embed(list(pictures)) for encoder in (Encoder(ours), wrapped.encoder, again.encoder)]
    assert np.abs(vectors[0] - vectors[1]).max() < 1e-4 and np.abs(vectors[1] - vectors[2]).max() < 1e-4


def test_what_loops_for_ever_on_some_pictures_only_ends_when_it_meets_one(tmp_path, pictures):
    source = looping(write_descriptor(tmp_path / "d.onnx"), above=0.9)
    wrap(source, tmp_path / "w.onnx", Reading(preprocessing="unit"))
    encoder = Encoder(tmp_path / "w.onnx", 1, limit_s=0.5)
    assert encoder.embed(list(pictures)).shape == (5, 48)
    stopped = r"w\.onnx was stopped: it took over .* for a batch of 1,.*make another version"
    with pytest.raises(EncoderInvalid, match=stopped):
        encoder.embed([np.full((SIDE, SIDE, 3), 255, np.uint8)])
    assert encoder.embed(list(pictures)).shape == (5, 48)


def test_what_was_wrapped_and_tried_is_told(tmp_path):
    wrapped = wrap(write_descriptor(tmp_path / "d.onnx", weight=np.ones((1, 3, 1, 1))), tmp_path / "w.onnx", Reading())
    assert (wrapped.preprocessing, wrapped.layout, wrapped.batch, wrapped.opset) == ("imagenet", "nchw", "free", 17)
    assert wrapped.parameters == 3 and len(wrapped.sha256) == 64 and wrapped.picture_ms > 0
    assert -1 <= wrapped.mean_cosine < wrapped.nearest_cosine < 1


class TestRefused:
    """Files that are no encoders, or not to be trusted."""

    @staticmethod
    def refused(source: Path, match: str, reading: Reading = Reading()) -> None:  # noqa: B008
        with pytest.raises(EncoderInvalid, match=match):
            wrap(source, source.with_name("w.onnx"), reading)

    def test_what_is_no_onnx(self, tmp_path):
        self.refused(tmp_path / "absent.onnx", "absent.onnx can't be read: No such file")
        self.refused(tmp_path, "can't be read")
        for content in (b"", b"PK\x03\x04 a zip of pickles", np.random.default_rng(0).bytes(5000)):
            (tmp_path / "d.onnx").write_bytes(content)
            self.refused(tmp_path / "d.onnx", "is no ONNX model")

    def test_what_is_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(interface, "MAX_BYTES", 100)
        self.refused(write_descriptor(tmp_path / "d.onnx"), "at most 0 are taken")

    def test_what_keeps_weights_in_other_files(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx", weight=np.ones((1, 3, 1, 1)))
        model = onnx.load(source)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/hostname")
        source.write_bytes(model.SerializeToString())
        self.refused(source, "'weight'.*which are not followed")

    def test_also_within_a_subgraph(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx")
        model = onnx.load(source)
        tensor = numpy_helper.from_array(np.ones(1, np.float32), "hidden")
        tensor.data_location = TensorProto.EXTERNAL
        constant = onnx.helper.make_node("Constant", [], ["hidden"], value=tensor)
        branch = onnx.helper.make_graph([constant], "branch", [], [])
        condition = onnx.helper.make_node("If", ["c"], ["unused"], then_branch=branch, else_branch=branch)
        model.graph.node.append(condition)
        source.write_bytes(model.SerializeToString())
        self.refused(source, "'hidden'.*which are not followed")

    def test_what_needs_operators_of_its_own(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx", domain="acme.custom")
        self.refused(source, r"acme\.custom\.Flatten")

    def test_what_takes_anything_but_pictures(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx")
        model = onnx.load(source)
        model.graph.input.append(onnx.helper.make_tensor_value_info("text", TensorProto.INT64, [1]))
        source.write_bytes(model.SerializeToString())
        self.refused(source, r"takes 2 inputs \(image, text\)")
        del model.graph.input[1:]
        model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 5, 32, 32]))
        source.write_bytes(model.SerializeToString())
        self.refused(source, "no axis can hold the three channels")
        model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("image", TensorProto.STRING, [1, 3, 32, 32]))
        source.write_bytes(model.SerializeToString())
        self.refused(source, "takes STRING")
        self.refused(write_descriptor(tmp_path / "four.onnx", batch=4), "exactly 4 pictures at a time")

    def test_what_does_not_run(self, tmp_path):
        broken = onnx.load(write_descriptor(tmp_path / "broken.onnx"))
        broken.graph.node[0].input[0] = "nowhere"
        (tmp_path / "broken.onnx").write_bytes(broken.SerializeToString())
        self.refused(tmp_path / "broken.onnx", "does not run on one picture of 32x32")

    def test_what_asks_for_more_memory_than_any_encoder_needs(self, tmp_path):
        model = onnx.load(write_descriptor(tmp_path / "d.onnx"))
        shape = numpy_helper.from_array(np.array([5_000_000_000], np.int64), "huge")
        model.graph.initializer.append(shape)
        model.graph.node[-1].output[0] = "flat"
        for node in (
            onnx.helper.make_node("Mul", ["flat", "flat"], ["squares"]),
            onnx.helper.make_node("ReduceMax", ["squares"], ["top"], keepdims=0),
            onnx.helper.make_node("Expand", ["top", "huge"], ["bomb"]),  # 20 GB, not known before it runs
            onnx.helper.make_node("ReduceMax", ["bomb"], ["one"], keepdims=0),
            onnx.helper.make_node("Mul", ["flat", "one"], ["vector"]),
        ):
            model.graph.node.append(node)
        (tmp_path / "bomb.onnx").write_bytes(model.SerializeToString())
        self.refused(tmp_path / "bomb.onnx", "does not run on one picture")

    @pytest.mark.parametrize("nested", [False, True])
    def test_what_loops_for_ever(self, tmp_path, nested):
        source = looping(write_descriptor(tmp_path / "loop.onnx"), nested=nested)
        with pytest.raises(
            EncoderInvalid, match=r"loop\.onnx was given up: running it on one picture took more than 1 s"
        ):
            wrap(source, tmp_path / "w.onnx", Reading(), step_s=1)
        assert multiprocessing.active_children() == []

    def test_what_the_runtime_works_out_for_ever_before_it_runs(self, tmp_path):
        source = folding(write_descriptor(tmp_path / "fold.onnx"))
        with pytest.raises(EncoderInvalid, match=r"fold\.onnx was given up: .* took more than 3 s.*Export"):
            wrap(source, tmp_path / "w.onnx", Reading(), step_s=3)

    def test_what_crashes_the_runtime(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx")
        facts = {"told": source.name, "step_s": 60}
        with pytest.raises(EncoderInvalid, match=r"d\.onnx was given up: dying crashed the process \(SIGSEGV\)"):
            confined(dying, signal.SIGSEGV, **facts)
        with pytest.raises(EncoderInvalid, match="dying took more memory than there is"):
            confined(dying, signal.SIGKILL, **facts)
        with pytest.raises(EncoderInvalid, match="failing failed, ZeroDivisionError: division by zero"):
            confined(failing, **facts)

    def test_what_tells_nothing_apart(self, tmp_path):
        blind = write_descriptor(tmp_path / "blind.onnx", weight=np.zeros((1, 3, 1, 1)))
        self.refused(blind, "the same embedding for different pictures")

    def test_what_gives_no_numbers(self, tmp_path):
        lost = write_descriptor(tmp_path / "lost.onnx", weight=np.full((1, 3, 1, 1), np.nan))
        self.refused(lost, "can't be made an encoder|no number")

    def test_a_reading_that_contradicts_itself(self, tmp_path):
        source = write_descriptor(tmp_path / "d.onnx")
        self.refused(source, "no preprocessing is called 'magic'", Reading(preprocessing="magic"))
        self.refused(source, "--mean and --std go together", Reading(mean=(0.5, 0.5, 0.5)))
        self.refused(source, "above 0", Reading(mean=(0.5, 0.5, 0.5), std=(0.5, 0.0, 0.5)))
        both = Reading(preprocessing="unit", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self.refused(source, "either --preprocessing unit", both)
        self.refused(source, "not nhwc", Reading(layout="nhwc"))
