"""The Airflow plugin: MLflow and the search page in the UI's navigation, and the links of framesearch's tasks."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from framesearch.mlflow_pages import model_page
from framesearch.settings import settings
from orchestration.links import MlflowRunLink


def _models() -> str:
    """MLflow's page of the registered model, on the server that the settings name or on that of the embedded stack."""
    return model_page(settings().mlflow_tracking_uri) or str(model_page(settings().link(settings().mlflow_port)))


class FramesearchPlugin(AirflowPlugin):
    """What framesearch adds to the Airflow UI."""

    name = "framesearch"
    external_views: ClassVar[list[dict[str, Any]]] = [
        {"name": "MLflow", "href": _models(), "destination": "nav"},
        {"name": "Search page", "href": settings().link(settings().page_port), "destination": "nav"},
    ]
    operator_extra_links: ClassVar[list[Any]] = [MlflowRunLink()]
