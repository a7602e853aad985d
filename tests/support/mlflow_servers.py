"""Real MLflow servers for tests."""

import subprocess
import sys
import time
import urllib.request

from framesearch.models.training_process import _environment
from framesearch.settings import Settings


def start(settings: Settings) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "mlflow_server"],
        env=_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    while True:
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5)
            return
        except OSError:
            time.sleep(0.3)
