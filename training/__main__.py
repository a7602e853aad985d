"""`python -m training fit | import | judge`: one of them in a process of its own, its result written as JSON.

Ends with 0 and a model version; 3 where there are too few frames; 4 where MLflow does not answer; 130 or 143 where it
was told to stop; 1 where anything else went wrong. The result file says the same in words.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import FramesearchError, NotEnoughFrames, RegistryUnreachable
from framesearch.images.libraries import configure
from framesearch.models.mlflow_errors import is_unreachable
from framesearch.models.registry import Registry
from framesearch.settings import Settings, settings
from framesearch.system.disk import write_atomically
from framesearch.system.privacy import close_to_others
from training.fitting import dataset
from training.gate import encoder_exam

NOT_ENOUGH_FRAMES, REGISTRY_UNREACHABLE = 3, 4
GRACE_S = 30.0  # from being told to stop to being stopped
# While training, a server that restarts is waited for, about a minute; one that is gone does not hold us for longer.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "6", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "2"}

log = logging.getLogger("training")


def main() -> int:
    """Parse the command line, do it, write the result; the exit status."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    for chatty in ("alembic", "faiss", "mlflow", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # It tells of optimisations that it could not do, with a stack trace; what it makes is measured, see
    # `fitting.export`.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")  # all of them between packages that we can't change; the tests show ours
    if given.parent:
        threading.Thread(target=_follow, args=(given.parent,), daemon=True).start()
    configure()
    status, result = _done(given)
    if given.result:
        write_atomically(given.result, json.dumps(result).encode())
    return status


def _arguments() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--result", type=Path, help="where to write what came of it, as JSON")
    common.add_argument("--parent", type=int, help="stop when this process is gone")
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, dest="command")
    fitting = commands.add_parser("fit", parents=[common], help="train, judge and register one model version")
    fitting.add_argument("--family", help="FRAMESEARCH_ENCODER_FAMILY, where not given")
    fitting.add_argument("--minutes", type=float, help="FRAMESEARCH_TRAINING_MINUTES, where not given")
    fitting.add_argument("--teacher", help="a model version; FRAMESEARCH_TEACHER, where not given")
    fitting.add_argument("--forced", action="store_true", help="noted on the run: somebody asked for it")
    importing = commands.add_parser("import", parents=[common], help="register an external encoder as a version")
    importing.add_argument("file", type=Path)
    importing.add_argument("--origin", type=json.loads, required=True, help="`import_encoder.Origin`, as JSON")
    importing.add_argument("--reading", type=json.loads, default={}, help="`onnx_import.interface.Reading`, as JSON")
    judging = commands.add_parser("judge", parents=[common], help="judge a version against the champion again")
    judging.add_argument("version")
    return parser.parse_args()


def _done(given: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    _prepare_environment()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        chosen = settings()
        close_to_others(chosen)
        patience = {name: value for name, value in PATIENCE.items() if name not in os.environ}
        if given.command == "fit":
            return 0, _fit(given, chosen, patience)
        Registry(chosen).check()
        os.environ.update(patience)
        if given.command == "import":
            return 0, _import(given, chosen)
        plan = encoder_exam.plan_exam(open_catalogue(chosen), open_storage(chosen))
        from training.runs import import_encoder

        return 0, import_encoder.judge_version(chosen, plan, given.version)
    except NotEnoughFrames as error:
        return NOT_ENOUGH_FRAMES, {"error": "NotEnoughFrames", "message": str(error)}
    except RegistryUnreachable as error:
        return REGISTRY_UNREACHABLE, {"error": "RegistryUnreachable", "message": str(error)}
    except FramesearchError as error:
        return 1, {"error": type(error).__name__, "message": str(error)}
    except _Stop as stop:
        log.warning("%s stopped by signal %d", given.command, stop.number)
        return 128 + stop.number, {"error": "Stopped", "message": f"it was stopped by signal {stop.number}"}
    except Exception as error:
        log.exception("%s failed", given.command)
        if is_unreachable(error):
            message = (
                f"MLflow at {chosen.mlflow.rpartition('@')[2]} stopped answering: {error}. Try again when it runs."
            )
            return REGISTRY_UNREACHABLE, {"error": "RegistryUnreachable", "message": message}
        return 1, {"error": type(error).__name__, "message": f"{type(error).__name__}: {error}"}


def _fit(given: argparse.Namespace, chosen: Settings, patience: dict[str, str]) -> dict[str, Any]:
    # What can go wrong soon goes wrong before TensorFlow takes its seconds, and the training its minutes.
    catalogue, storage = open_catalogue(chosen), open_storage(chosen)
    surveyed, plan = dataset.survey(catalogue, storage), encoder_exam.plan_exam(catalogue, storage)
    Registry(chosen).check()
    os.environ.update(patience)
    from training.runs import train

    return train.train(
        chosen,
        surveyed,
        plan,
        family_name=given.family or chosen.encoder_family,
        minutes=given.minutes or chosen.training_minutes,
        forced=given.forced,
        teacher_version=given.teacher or chosen.teacher or None,
    )


def _import(given: argparse.Namespace, chosen: Settings) -> dict[str, Any]:
    from training.onnx_import.interface import Reading
    from training.runs import import_encoder

    said: dict[str, Any] = given.reading
    reading: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return import_encoder.import_encoder(chosen, given.file, import_encoder.Origin(**given.origin), Reading(**reading))


class _Stop(KeyboardInterrupt):
    """SIGTERM or SIGINT, as an exception, so that the MLflow run is ended on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one means it
    raise _Stop(number)


def _follow(parent: int) -> None:
    """Stop when the process that started us is gone, however it went: nobody would take the result."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(128 + signal.SIGTERM)


def _prepare_environment() -> None:
    """What TensorFlow and mlflow read from the environment; what it says already stands."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 2 tells every machine without a GPU of an error
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("MPLBACKEND", "Agg")


if __name__ == "__main__":
    sys.exit(main())
