"""What MLflow's server runs in place of its bare application (entry point `mlflow.app`, `mlflow server --app-name`)."""

from framesearch.same_origin import SameOrigin, served_names
from framesearch.settings import settings


def guarded() -> SameOrigin:
    """MLflow's application, asked only under its own names and from its own pages.

    MLflow's own check of origins covers part of its addresses, and lets in every page of this machine, whatever port.
    """
    from mlflow.server.fastapi_app import app  # seconds, and the command that starts the server only looks at us

    return SameOrigin(app, names=served_names(settings()))
