"""What MLflow's errors mean: nobody answered, or there is no such thing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


def is_unreachable(error: BaseException) -> bool:
    """Whether this is mlflow's way of saying that its server or database did not answer."""
    from mlflow.exceptions import MlflowException, RestException
    from requests.exceptions import RequestException

    if isinstance(error, RestException):  # the server spoke; a proxy in front of a dead one speaks too
        return error.error_code in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
    if isinstance(error, MlflowException):
        told = str(error)
        return (
            error.error_code == "TEMPORARILY_UNAVAILABLE"
            or told.startswith("API request to ")
            or "sqlalche.me" in told  # SQLAlchemy's errors end with its address, also when mlflow wraps them
        )
    of_database = any(
        (kind.__module__, kind.__name__) == ("sqlalchemy.exc", "DBAPIError") for kind in type(error).__mro__
    )
    return of_database or isinstance(error, (RequestException, ConnectionError, TimeoutError))


def mlflow_error() -> type[Exception]:
    """The class of MLflow's errors, for an `except`: mlflow takes seconds to import."""
    from mlflow.exceptions import MlflowException

    return MlflowException


def absent_as_none(ask: Any) -> Any:
    """What `ask` returns, None where mlflow says there is no such thing (two codes: an absent alias is "invalid")."""
    try:
        return ask()
    except mlflow_error() as error:
        code = getattr(error, "error_code", "")
        absent_alias = code == "INVALID_PARAMETER_VALUE" and "alias" in str(error).lower()
        if code == "RESOURCE_DOES_NOT_EXIST" or absent_alias:
            return None
        raise


def first_line(error: BaseException) -> str:
    """The cause of an error in one line of at most 300 characters."""
    told = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return told.rpartition("Caused by ")[2].strip("()")[:300]  # urllib3 wraps what it was twice
