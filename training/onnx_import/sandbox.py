"""Work on a stranger's file in a process of its own, which may neither go on for ever nor take all memory.

Native code that computes can't be interrupted from without, but a process can be killed. It answers in JSON, never in
pickles: whatever the file did to it, it can tell us words and numbers only.
"""

import contextlib
import json
import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from framesearch.errors import EncoderInvalid

log = logging.getLogger(__name__)

STEP_S = 60.0  # wall-clock seconds that a step may take: seconds are usual
START_S = 300.0  # until the process has started, whatever else the machine does
MAX_MEMORY = 8 * 2**30  # bytes: a few nodes of a graph can ask for any amount

Step = Callable[[str], None]
"""Called with a few words before each thing that may take long; the clock starts anew."""


def confined(
    work: Callable[..., dict[str, Any]],
    *arguments: Any,
    told: str,
    step_s: float = STEP_S,
    max_memory: int = MAX_MEMORY,
) -> dict[str, Any]:
    """What `work(*arguments, step)` returns, called in a process of its own.

    Args:
        work: a function of a module, whose result can be written as JSON.
        told: what messages call the file.
        step_s: wall-clock seconds after which a step, and the process with it, is ended.
        max_memory: bytes of address space that it may take beside what it starts with.

    Raises:
        EncoderInvalid: `work` did, or anything else went wrong there: an error, a crash, too long a step.
    """
    # A fork would inherit the locks of this process's threads; a fork server's socket may lie too deep for its name.
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(its, work, arguments, max_memory), daemon=True)
    with ours:
        process.start()
        its.close()
        try:
            return _heard(ours, process, told, step_s)
        finally:
            process.kill()
            process.join()
            process.close()


def _heard(ours: Connection, process: Any, told: str, step_s: float) -> dict[str, Any]:
    """Follow the steps of the process to its result."""
    doing, limit_s = "starting", START_S
    while True:
        if not ours.poll(limit_s):
            raise EncoderInvalid(
                f"{told} was given up: {doing} took more than {limit_s:g} s, as with a graph that loops for ever. "
                "Export the encoder alone, for inference and without loops, or a smaller one"
            )
        try:
            message = json.loads(ours.recv_bytes())
        except (EOFError, OSError):
            process.join()
            raise EncoderInvalid(f"{told} was given up: {doing} {_ended(process.exitcode)}") from None
        if "result" in message:
            result: dict[str, Any] = message["result"]
            return result
        if "refused" in message:
            raise EncoderInvalid(message["refused"])
        if "failed" in message:
            raise EncoderInvalid(f"{told} was given up: {doing} failed, {message['failed']}. Export it anew")
        doing, limit_s = str(message["step"]), step_s
        log.info("%s: %s", told, doing)


def _ended(status: int) -> str:
    """How a process ended that said nothing, in words that go on from what it did."""
    if status == -signal.SIGKILL:
        return "took more memory than there is. Export a smaller one, or try again with more memory free"
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"crashed the process ({how}): the file is damaged, or made to. Export it anew"


# ---- in the process


def _work(its: Connection, work: Callable[..., dict[str, Any]], arguments: tuple[Any, ...], max_memory: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bound_memory(max_memory)

    def say(**message: Any) -> None:
        its.send_bytes(json.dumps(message).encode())

    try:
        say(result=work(*arguments, lambda what: say(step=what)))
    except EncoderInvalid as error:
        say(refused=str(error))
    except Exception as error:  # whatever a stranger's file brings about
        say(failed=f"{type(error).__name__}: {str(error)[:300]}")


def _end_with_parent() -> None:
    """However our parent ends, we do: what computes for nobody would compute for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _bound_memory(most: int) -> None:
    """What asks for more fails here, and where the system is short of memory it ends us, not whom it likes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(ValueError, OSError):  # systems that know no such limit
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        bound = psutil.Process().memory_info().vms + most
        resource.setrlimit(resource.RLIMIT_AS, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))
