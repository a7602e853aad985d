"""MLflow runs whose process was killed: they can't end themselves, so the next one to come ends them."""

import logging
import os
import socket

import psutil

from framesearch.models.registry import Registry
from framesearch.models.versions import MODEL

log = logging.getLogger(__name__)

HOST, PROCESS = "framesearch.host", "framesearch.process"  # tags: who works, to tell a dead run from a living one
KILLED, FINISHED = "KILLED", "FINISHED"


def this_process() -> dict[str, str]:
    """The tags of a run that this process works on. Process numbers come again, with another time of start."""
    return {HOST: socket.gethostname(), PROCESS: f"{os.getpid()} {psutil.Process().create_time():.2f}"}


def end_orphans(registry: Registry, experiment_id: str) -> None:
    """End the runs whose process on this machine died without a chance to say so: as killed, or as finished where all
    was done and the model version registered. Models that they had begun to log are marked as failed.

    Raises:
        RegistryUnreachable: MLflow did not answer.
    """
    client = registry.client
    for orphan in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        if orphan.data.tags.get(HOST) != socket.gethostname() or _lives(orphan.data.tags.get(PROCESS, "")):
            continue
        run_id = orphan.info.run_id
        registered = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'", max_results=1)
        status = FINISHED if registered else KILLED
        log.warning("MLflow run %s: its process died; marked as %s", run_id, status.lower())
        for model in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'"):
            if str(model.status) == "PENDING":
                client.finalize_logged_model(model.model_id, "FAILED")
        client.set_terminated(run_id, status)


def _lives(process: str) -> bool:
    number, _, started = process.partition(" ")
    if not number.isdigit():
        return True  # not ours to judge
    try:
        found = psutil.Process(int(number))
        same = not started or abs(found.create_time() - float(started)) < 1
        return same and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True
