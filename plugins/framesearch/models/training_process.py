"""Training as a use case: a process of its own, whose memory and threads go when it ends.

So are importing an external encoder and judging one: TensorFlow and strangers' graphs are in that process only. What
came of it is handed over as a JSON file; what it says is passed on line by line. When we are stopped it is stopped, so
that no training runs on for nobody.
"""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framesearch.backends import open_storage
from framesearch.errors import (
    EncoderInvalid,
    FramesearchError,
    InvalidSetting,
    NoModelVersion,
    NotEnoughFrames,
    RegistryUnreachable,
    TrainingFailed,
    WeightsUnavailable,
)
from framesearch.settings import Settings
from framesearch.system.locks import Held

log = logging.getLogger(__name__)

GRACE_S = 20.0  # for the training to end its MLflow run after it was told to stop
KEPT_LINES = 15  # of its last words, for the error message
IMPORT_LIMIT_S = 6 * 3600.0  # for an import with its judgement: a stranger's graph may never end

# Errors of the training process that are raised here as what they were; everything else is a TrainingFailed.
_TOLD: dict[Any, type[FramesearchError]] = {
    error.__name__: error
    for error in (
        EncoderInvalid,
        InvalidSetting,
        NoModelVersion,
        NotEnoughFrames,
        RegistryUnreachable,
        WeightsUnavailable,
    )
}

# What TensorFlow tells every machine before it can be told to be quiet.
_NOISE = re.compile(r"^(I0000 00:00:|WARNING: All log messages before absl::InitializeLog)")


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What came of a training, an import or a judgement.

    Attributes:
        model_version: of the registered model `frame-encoder`.
        run_id, run_url: of the MLflow run; the address is None without a server.
        better: whether it should be promoted; `registry.Registry.promote` does that. False where it was not judged.
        reason: of the verdict, as a sentence with figures.
        metrics: see `training.gate.encoder_exam`.
    """

    model_version: str
    run_id: str
    run_url: str | None
    better: bool
    reason: str
    metrics: Mapping[str, float]


def train(
    settings: Settings,
    *,
    family: str | None = None,
    minutes: float | None = None,
    teacher: str | None = None,
    force: bool = False,
    on_line: Callable[[str], None] | None = None,
    lock: Held | None = None,
) -> TrainingOutcome:
    """Train, judge and register one model version, in one MLflow run. Nothing is promoted.

    Args:
        family: of the autoencoder; FRAMESEARCH_ENCODER_FAMILY where None.
        minutes: at most, of fitting; FRAMESEARCH_TRAINING_MINUTES where None.
        teacher: a model version whose encoder teaches the new one; FRAMESEARCH_TEACHER where None.
        force: noted on the run (tag `forced`): somebody wanted it although little is new. The verdict is the same.
        on_line: gets every line that the training says; they are logged where None.
        lock: `locks.TRAINING`, which the training process then holds, too: should we be killed, it is free only when
            that has ended as well.

    Raises:
        NotEnoughFrames: too few frames are stored to train or judge on.
        RegistryUnreachable: MLflow did not answer; a later attempt may succeed.
        NoModelVersion: the registry does not hold the teacher.
        InvalidSetting: the family can't be taught.
        WeightsUnavailable: the family starts from weights that can't be fetched.
        TrainingFailed: anything else; the message ends with the training's last words.
    """
    arguments = ["--family", family] if family else []
    arguments += ["--minutes", str(minutes)] if minutes else []
    arguments += ["--teacher", teacher] if teacher else []
    arguments += ["--forced"] if force else []
    return _outcome(settings, ["fit", *arguments], on_line, "trained", lock=lock)


def import_encoder(
    settings: Settings,
    file: Path,
    *,
    origin: Mapping[str, Any],
    reading: Mapping[str, Any],
    on_line: Callable[[str], None] | None = None,
) -> TrainingOutcome:
    """Register an external ONNX descriptor as a model version, judged where there are frames. Nothing is promoted.

    The file is a stranger's: it is opened in the training process, not in this one.

    Args:
        origin: name, source, licence, description; see `training.runs.import_encoder.Origin`.
        reading: what the graph itself does not tell, see `training.onnx_import.interface.Reading`.
        on_line: gets every line that is said meanwhile; they are logged where None.

    Raises:
        EncoderInvalid: the file can't be made an encoder; the message says why, and what would help.
        RegistryUnreachable: MLflow did not answer; a later attempt may succeed.
        TrainingFailed: anything else.
    """
    arguments = [str(file.expanduser().resolve())]
    arguments += ["--origin", json.dumps(dict(origin)), "--reading", json.dumps(dict(reading))]
    return _outcome(settings, ["import", *arguments], on_line, "imported", limit_s=IMPORT_LIMIT_S)


def judge(settings: Settings, version: str, *, on_line: Callable[[str], None] | None = None) -> TrainingOutcome:
    """Judge a model version against today's champion; its verdict is the new one from then on. Nothing is promoted.

    Raises:
        NoModelVersion: the registry does not hold it.
        EncoderInvalid: its encoder can't be used.
        NotEnoughFrames: too few frames are stored to judge on.
        RegistryUnreachable: MLflow did not answer; a later attempt may succeed.
        TrainingFailed: anything else.
    """
    return _outcome(settings, ["judge", version], on_line, "judged")


def _outcome(
    settings: Settings,
    arguments: list[str],
    on_line: Callable[[str], None] | None,
    done: str,
    limit_s: float | None = None,
    lock: Held | None = None,
) -> TrainingOutcome:
    """What a training process came to that was started with these arguments.

    Its temporary files lie in a scratch folder that is swept when nobody holds it, however the two of us end.
    """
    started = time.monotonic()
    say = on_line or log.info
    with open_storage(settings).scratch() as folder:
        result = folder / "result.json"
        command = [sys.executable, "-u", "-m", "training", *arguments]
        command += ["--result", str(result), "--parent", str(os.getpid())]
        last_words: deque[str] = deque(maxlen=KEPT_LINES)
        environment = _environment(settings) | {"TMPDIR": str(folder)}
        if arguments[0] == "fit":  # of the same weights tf2onnx writes another file for each seed of Python's hashes
            environment["PYTHONHASHSEED"] = "0"
        with _started(command, environment, limit_s, [lock.descriptor] if lock else []) as process:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.rstrip()
                if line and not _NOISE.match(line):
                    last_words.append(line)
                    say(line)
            status = process.wait()
            overdue = limit_s is not None and time.monotonic() - started >= limit_s
        outcome = _read(result)
    error, message = outcome.get("error"), str(outcome.get("message", ""))
    if error in _TOLD:
        raise _TOLD[error](message)
    if error or status != 0 or "model_version" not in outcome:
        if overdue:
            message = f"it was stopped after {limit_s:.0f} s: the graph computes for longer than any encoder should"
        raise TrainingFailed(_why(status, message, list(last_words)))
    reached = TrainingOutcome(**outcome)
    log.info(
        "model version %s %s in %.0f s: %s", reached.model_version, done, time.monotonic() - started, reached.reason
    )
    return reached


class _started(contextlib.AbstractContextManager["subprocess.Popen[str]"]):  # noqa: N801
    """The training process with its whole group, gone at the end of the context whatever happens."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], limit_s: float | None, inherited: Sequence[int]
    ) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own; it also watches for our end itself, see `training.__main__`
        )
        self._limit = threading.Timer(limit_s, self._signal, [signal.SIGKILL]) if limit_s else None
        if self._limit:
            self._limit.daemon = True
            self._limit.start()

    def __enter__(self) -> "subprocess.Popen[str]":
        return self._process

    def __exit__(self, *_: object) -> None:
        process = self._process
        if self._limit:
            self._limit.cancel()
        if process.poll() is None:
            log.warning("stopping the training process %d", process.pid)
            self._signal(signal.SIGTERM)
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _environment(settings: Settings) -> dict[str, str]:
    """These very settings for the child, whatever environment and configuration file hold."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMESEARCH_")}
    environment["FRAMESEARCH_CONFIG"] = os.devnull
    for name in type(settings).model_fields:
        value: Any = getattr(settings, name)
        if value is not None:
            told = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            environment[f"FRAMESEARCH_{name.upper()}"] = told
    return environment


def _read(result: Path) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.loads(result.read_text())
    except (OSError, ValueError):
        return {}  # it died before it could say anything
    return outcome


def _why(status: int, message: str, last_words: list[str]) -> str:
    if "No module named 'tensorflow'" in "\n".join([message, *last_words]):
        return "the training needs TensorFlow, which is not installed here: `pip install framesearch[training]`"
    if status == -signal.SIGKILL and not message:
        what = "the training process was killed, most likely for want of memory: lower FRAMESEARCH_TRAINING_MAX_FRAMES"
    else:
        what = message or f"the training process ended with status {status}"
    return "\n".join([what, *([] if message else ["its last words:", *last_words])])
