"""Links from a task in the Airflow UI to what it made elsewhere."""

from typing import Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom


class MlflowRunLink(BaseOperatorLink):
    """The button "MLflow run" of a task whose result holds the run's address as `run_url`."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address, empty where the task made no MLflow run."""
        result = XCom.get_value(ti_key=ti_key, key="return_value")
        return (result.get("run_url") if isinstance(result, dict) else None) or ""
