"""How long Airflow takes to read the DAG files, and what they import: `python benchmarks/dag_parsing.py`.

Each time is the median of fresh processes. Airflow's own import is paid once by its DAG processor; what a reading of
our files costs on top is paid again and again.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
HEAVY = ("tensorflow", "mlflow", "faiss", "cv2", "av", "yt_dlp", "pyarrow", "onnxruntime", "streamlit")
PROGRAM = """
import json, sys, time
before = time.perf_counter()
from airflow.dag_processing.dagbag import DagBag
import airflow.sdk.definitions.dag
airflow, known = time.perf_counter(), set(sys.modules)
bag = DagBag(dag_folder=sys.argv[1], bundle_path=sys.argv[1], bundle_name="dags-folder")
parsed = time.perf_counter()
print(json.dumps({"airflow": airflow - before, "parse": parsed - airflow, "dags": len(bag.dags),
                  "modules": sorted(set(sys.modules) - known)}))
"""


def measure() -> list[dict]:
    """Readings of the DAG folder, each in a process and an Airflow home of its own."""
    readings = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "FRAMESEARCH_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        }
        for _ in range(RUNS):
            command = [sys.executable, "-c", PROGRAM, str(ROOT / "dags")]
            told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            readings.append(json.loads(told.splitlines()[-1]))
    return readings


if __name__ == "__main__":
    found = measure()
    ours = [name for name in found[0]["modules"] if name.startswith(("framesearch", "orchestration"))]
    heavy = [name for name in found[0]["modules"] if name.split(".")[0] in HEAVY]
    print("| | |\n|---|---|")
    print(f"| DAGs read | {found[0]['dags']} |")
    print(f"| reading all of them | {statistics.median(one['parse'] for one in found) * 1000:.0f} ms |")
    print(f"| Airflow's own import before | {statistics.median(one['airflow'] for one in found) * 1000:.0f} ms |")
    print(f"| modules of ours imported | {len(ours)}: {', '.join(ours)} |")
    print(f"| heavy libraries imported | {', '.join(heavy) or 'none'} |")
