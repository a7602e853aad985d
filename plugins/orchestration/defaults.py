"""What every DAG and every task has unless it says otherwise."""

from datetime import timedelta
from typing import Any

from orchestration.failures import RETRY_POLICY

OWNER = "framesearch"
TAG = "framesearch"

# Videos of one DAG run. Airflow maps over at most 1,024 by default, and its scheduler and grid stay quick well below
# that; what is left over goes to the next DAG run, which follows at once (see the asset BACKLOG).
SLICE = 500

TASK_DEFAULTS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_policy": RETRY_POLICY,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
}

DAG_DEFAULTS: dict[str, Any] = {
    "default_args": TASK_DEFAULTS,
    "catchup": False,
    # Two DAG runs of one kind would do the same work twice; all of them continue from what storage holds.
    "max_active_runs": 1,
}
