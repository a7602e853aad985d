"""From nothing to the first answered query: `python benchmarks/first_answer.py [PLAYLIST...]`.

Runs `make up`'s program in a temporary home on free ports, with the demo playlist where none is named, tells where the
time went, and takes everything down again.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from embedded_stack.airflow_api import AirflowApi
from embedded_stack.dag_runs import DAGS

ROOT = Path(__file__).resolve().parents[1]
PORTS = ("AIRFLOW", "MLFLOW", "PAGE", "DEMO")
STEPS = ("list_playlist", "extract_frames", "train_challenger", "embed_videos", "build_index", "publish_index")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def stack(command: list[str], environment: dict[str, str]) -> list[tuple[float, str]]:
    """Run a command of the stack; its lines, each with the seconds since it began."""
    started = time.monotonic()
    lines = []
    arguments = [sys.executable, "-m", "embedded_stack", *command]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            lines.append((time.monotonic() - started, line.rstrip()))
            print(f"    {lines[-1][0]:6.1f} {lines[-1][1]}", file=sys.stderr)
    lines.append((time.monotonic() - started, f"ended with status {process.returncode}"))
    return lines


def seconds(record: dict, since: datetime) -> tuple[float, float]:
    """When a DAG run or task began and ended, from the start of the benchmark."""
    times = [datetime.fromisoformat(record[name]) for name in ("start_date", "end_date")]
    return (times[0] - since).total_seconds(), (times[1] - since).total_seconds()


def main() -> None:
    """Print a Markdown table."""
    with tempfile.TemporaryDirectory(prefix="framesearch-first-answer-") as home:
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        settings = {f"FRAMESEARCH_{name}_PORT": str(port) for name, port in ports.items()}
        environment = os.environ | settings | {"FRAMESEARCH_HOME": home}
        since = datetime.now().astimezone()
        try:
            lines = stack(["up", *sys.argv[1:]], environment)
            api = AirflowApi(f"http://127.0.0.1:{ports['AIRFLOW']}")
            rows = [("Airflow answers", 0.0, next(when for when, line in lines if "Airflow runs" in line))]
            for dag_id in DAGS:
                for run in reversed(api.dag_runs(dag_id)):
                    tasks = [task for task in api.task_instances(dag_id, run["dag_run_id"]) if task["end_date"]]
                    if not any(task["task_id"] in STEPS and task["state"] == "success" for task in tasks):
                        continue  # it found nothing to do
                    rows.append((f"{dag_id} ({run['state']})", *seconds(run, since)))
                    for step in STEPS:
                        spans = [seconds(task, since) for task in tasks if task["task_id"] == step]
                        if spans:
                            first, last = min(start for start, _ in spans), max(end for _, end in spans)
                            rows.append((f"- {step}, {len(spans)} tasks", first, last))
            answered = next((when for when, line in lines if "confidence" in line), None)
            if answered:
                rows.append(("first query answered", answered, answered))
            again = stack(["up"], environment)[-1][0]
        finally:
            down = stack(["down"], environment)[-1][0]
    print("| | from s | to s | takes s |\n|---|---|---|---|")
    for name, start, end in rows:
        print(f"| {name} | {start:.0f} | {end:.0f} | {end - start:.0f} |")
    print(f"| a second `make up`, nothing new | | | {again:.0f} |\n| `make down` | | | {down:.0f} |")


if __name__ == "__main__":
    main()
