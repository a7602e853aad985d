"""The task decorators of the DAGs: Airflow's own `@task`, and what framesearch adds to it."""

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Context
from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory

from orchestration.failures import is_skipped, outcome, skip
from orchestration.links import MlflowRunLink


class LibraryTask(DecoratedOperator, PythonOperator):
    """A task body whose library errors become skip, fail or retry (see `failures`)."""

    template_fields = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}  # noqa: RUF012
    custom_operator_name = "@task"

    def __init__(self, *, python_callable: Callable[..., Any], op_args: Any, op_kwargs: Any, **kwargs: Any) -> None:
        call = {"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs}
        super().__init__(kwargs_to_upstream=call, **call, **kwargs)

    def execute(self, context: Context) -> Any:
        """Run the body."""
        try:
            return super().execute(context)
        except Exception as error:
            context["outcome"] = outcome(error)  # type: ignore[typeddict-unknown-key] # for the task's label
            if is_skipped(error):
                skip(str(error), context)
            raise


class MlflowTask(LibraryTask):
    """A task with a link to the MLflow run that it made or used."""

    operator_extra_links = (MlflowRunLink(),)


def task(python_callable: Callable[..., Any] | None = None, **options: Any) -> TaskDecorator:
    """Airflow's `@task`, whose library errors become skip, fail or retry."""
    return task_decorator_factory(python_callable, decorated_operator_class=LibraryTask, **options)


def mlflow_task(python_callable: Callable[..., Any] | None = None, **options: Any) -> TaskDecorator:
    """A `task` whose result has a `run_url`, which the UI shows as the button "MLflow run"."""
    return task_decorator_factory(python_callable, decorated_operator_class=MlflowTask, **options)
