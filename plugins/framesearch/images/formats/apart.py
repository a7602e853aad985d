"""Decoding in a process of its own, whose memory and time the system limits and whose crash costs nothing.

The child is this module, run as a program. It gets the file on its standard input and answers with a line of JSON, then
the pixels.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from framesearch.images.formats.decoders import decode, decoder
from framesearch.images.formats.faults import Refused
from framesearch.images.formats.limits import Limits

MEMORY = 300e6  # bytes that a decoder may take by its own reckoning
_MOST_MEMORY = 350_000_000  # bytes that the system lets it have, on Linux; an idle child takes 40 MB besides
_CPU_S = 30  # a 100-megapixel picture of the slowest kind takes some seconds
_PATIENCE_S = 90  # on a machine that has other things to do

_IMPORT_ROOT = Path(__file__).parents[3]
_FEW_AT_A_TIME = threading.BoundedSemaphore(2)


class Crashed(Exception):
    """The decoder crashed, as only damaged files make them."""


def decode_apart(kind: str, content: bytes, max_megapixels: float) -> np.ndarray:
    """As `decoders.decode`, in a child process; takes about a sixth of a second more.

    Raises:
        Refused: as there; or it took too much memory or time.
        Crashed: the decoder did.
        ValueError: what the decoder says of a damaged file.
    """
    command = [sys.executable, "-P", "-m", __name__, kind, str(max_megapixels)]
    with _FEW_AT_A_TIME:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
        )
        try:
            answer, _ = child.communicate(content, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Refused(_too_slow(kind)) from None
        finally:
            if child.poll() is None:
                child.kill()
                child.communicate()
    line, _, pixels = answer.partition(b"\n")
    if not line:
        raise Refused(_too_slow(kind)) if child.returncode == -_SIGXCPU else Crashed("its decoder gave up")
    told = json.loads(line)
    if "refused" in told:
        raise Refused(told["refused"])
    if "damaged" in told:
        raise ValueError(told["damaged"])
    return np.frombuffer(pixels, np.uint8).reshape(told["shape"]).copy()


_SIGXCPU = 24


def _too_slow(kind: str) -> str:
    return f"takes too long to decode as {kind}: save it as a JPEG"


def _environment() -> dict[str, str]:
    """What a Python needs to start, one thread for each library, and none of the secrets that services pass around."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "TMPDIR", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PYTHONPATH": str(_IMPORT_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _limit_resources() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where there is no /proc there is no such limit either
        reserved = re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text())
        most = _MOST_MEMORY + 1024 * int(reserved[1]) if reserved else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _main(kind: str, max_megapixels: str) -> None:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limit is a setting, see `limits`
    decoder(kind)  # imported before the limit is set, which counts what is taken from then on
    _limit_resources()
    limits = Limits(float(max_megapixels), MEMORY)
    out = sys.stdout.buffer
    try:
        pixels = decode(kind, sys.stdin.buffer.read(), limits)
    except Refused as error:
        out.write(json.dumps({"refused": str(error)}).encode())
    except Exception as error:  # decoders of broken files raise anything
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            refused = f"takes too much memory to decode as {kind}: scale it down, or save it as a JPEG"
            out.write(json.dumps({"refused": refused}).encode())
        else:
            out.write(json.dumps({"damaged": str(error)[:200]}).encode())
    else:
        out.write(json.dumps({"shape": pixels.shape}).encode() + b"\n")
        out.write(pixels.tobytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
