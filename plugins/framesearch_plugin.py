"""The Airflow plugin: who may talk to its servers, MLflow and the search page in its navigation, links of our tasks."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from framesearch.models.mlflow_pages import model_page
from framesearch.same_origin import SameOrigin, served_names
from framesearch.settings import settings
from orchestration.links import MlflowRunLink


def _models() -> str:
    """MLflow's page of the registered model, on the server that the settings name or on that of the embedded stack."""
    return model_page(settings().mlflow_tracking_uri) or str(model_page(settings().link(settings().mlflow_port)))


def _names() -> list[str]:
    """What Airflow's API server is called by: as all our servers, and as its own configuration says."""
    addresses = (conf.get("api", "base_url", fallback=""), conf.get("core", "execution_api_server_url", fallback=""))
    return [*served_names(settings()), *filter(None, (urlsplit(address).hostname for address in addresses))]


class FramesearchPlugin(AirflowPlugin):
    """What framesearch adds to Airflow."""

    name = "framesearch"
    # Around everything that the API server answers: the UI, its login, the REST API and that of the tasks.
    fastapi_root_middlewares: ClassVar[list[Any]] = [
        {"name": "Only own names and pages", "middleware": SameOrigin, "kwargs": {"names": _names()}}
    ]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {"name": "MLflow", "href": _models(), "destination": "nav"},
        {"name": "Search page", "href": settings().link(settings().page_port), "destination": "nav"},
    ]
    operator_extra_links: ClassVar[list[Any]] = [MlflowRunLink()]
