"""The encoder half of a model, as ONNX: pictures in, embeddings out. The only user of onnxruntime.

The contract that any registered encoder keeps: one input, uint8 (N, H, W, 3) RGB with N free and H, W fixed; one
output, unit-norm float32 (N, D). Scaling lies inside the graph, so that training and query can't drift apart.
"""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from framesearch.errors import EncoderInvalid
from framesearch.images.pixels import resize

BATCH = 64  # pictures a call: larger batches gain nothing on a CPU
LIMIT_S = 60.0  # wall-clock, of a call; a thirtieth of it more for each picture, which takes a second at most


class Encoder:
    """An encoder loaded from an ONNX file.

    Attributes:
        height, width: of the pictures it takes.
        dimension: of the embeddings it gives.
        digest: SHA-256 of the file, to tell which encoder an index belongs to.
    """

    def __init__(self, path: Path, threads: int = 0, *, told: str | None = None, limit_s: float = LIMIT_S) -> None:
        """Load the file and check the contract on a probe picture.

        Args:
            threads: for one call; 0 lets the runtime use every core.
            told: what messages call it; its path where None.
            limit_s: after which a call is ended. An imported graph may loop for ever on one picture of a million.

        Raises:
            EncoderInvalid: the file is no ONNX model or does not keep the contract.
        """
        self._told, self._limit_s = told or str(path), limit_s
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            content = path.read_bytes()
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own types, none of them public
            raise EncoderInvalid(f"{self._told} can't be loaded as an ONNX model: {error}") from error
        self.digest = hashlib.sha256(content).hexdigest()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or inputs[0].type != "tensor(uint8)" or len(shape) != 4 or shape[3] != 3:
            raise EncoderInvalid(f"{self._told}: the input must be one uint8 (N, H, W, 3) tensor")
        if not (isinstance(shape[1], int) and isinstance(shape[2], int)):
            raise EncoderInvalid(f"{self._told}: the input's height and width must be fixed")
        self.height, self.width = int(shape[1]), int(shape[2])
        self._input, self._output = inputs[0].name, outputs[0].name
        probe = np.random.default_rng(0).integers(0, 256, (2, self.height, self.width, 3), dtype=np.uint8)
        try:
            vectors = self._run(probe)
        except EncoderInvalid:
            raise
        except Exception as error:
            raise EncoderInvalid(f"{self._told} can't embed two pictures at a time: {error}") from error
        if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != 2:
            raise EncoderInvalid(f"{self._told}: the output must be one float32 (N, D) tensor")
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise EncoderInvalid(f"{self._told}: the embeddings must have unit norm")
        self.dimension = int(vectors.shape[1])

    def _run(self, batch: np.ndarray) -> np.ndarray:
        options = ort.RunOptions()
        limit_s = self._limit_s * (1 + len(batch) / 30)
        watch = threading.Timer(limit_s, setattr, (options, "terminate", True))  # heeded between any two nodes
        watch.daemon = True
        watch.start()
        try:
            (vectors,) = self._session.run([self._output], {self._input: batch}, options)
        except Exception as error:  # onnxruntime raises its own types, none of them public
            if not options.terminate:
                raise
            raise EncoderInvalid(
                f"{self._told} was stopped: it took over {limit_s:g} s for a batch of {len(batch)}, as a graph that "
                "loops for ever. Export the encoder without loops, or make another version champion "
                "(`framesearch model list` names them)"
            ) from error
        finally:
            watch.cancel()
        result: np.ndarray = vectors
        return result

    def embed(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings of RGB uint8 pictures of any size, each squashed to the encoder's own.

        Returns:
            float32 (N, D), unit norm.

        Raises:
            EncoderInvalid: the graph does not come to an end.
        """
        vectors = np.empty((len(pictures), self.dimension), np.float32)
        for start in range(0, len(pictures), BATCH):
            batch = [resize(picture, self.height, self.width) for picture in pictures[start : start + BATCH]]
            vectors[start : start + len(batch)] = self._run(np.stack(batch))
        return vectors
