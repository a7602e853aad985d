"""What a failure means to Airflow: the one place that turns the library's errors into skip, fail or retry.

- *Skip*: there is nothing to be done, and trying again would not change that. The task turns pink; its reason is
  in its label (for mapped tasks), its log and its XCom `reason`.
- *Fail*: somebody has to do something first. The task turns red at once, without the remaining retries.
- *Retry*: it may well pass next time (network, a server that restarts). With back-off, then red.

An error that nobody foresaw is retried, too: rerunning any step is safe.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from framesearch import errors
from framesearch.records import Reason

SKIPPED = (
    errors.VideoUnavailable,
    errors.NoChampion,
    errors.NotEnoughFrames,
    errors.NothingToIndex,
    errors.ChallengerNotBetter,
)

# Neither a broadcast nor a copy ends within a task's retries: the catalogue says when to try again.
_LATER = (Reason.LIVE, Reason.UPCOMING, Reason.UNFINISHED)

FAILED = [
    errors.PlaylistUnavailable,
    errors.NoVideo,
    errors.NoModelVersion,
    errors.ChampionMoved,  # the verdict is out of date: only training again helps
    errors.InvalidSetting,
    errors.CatalogueIncompatible,
    errors.StorageFull,
    errors.ObjectDamaged,
    errors.EncoderInvalid,
    errors.IndexIncompatible,
    errors.NoIndex,
    errors.PointerMoved,  # what was built is out of date: only building again helps
]

RETRIED = [
    errors.PlaylistUnreachable,
    errors.VideoNotYet,
    errors.RegistryUnreachable,
    errors.NotStored,
    errors.WeightsUnavailable,
    errors.TrainingFailed,
]

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=list(FAILED), action=RetryAction.FAIL, reason="trying again will not help: see the error"),
        RetryRule(exception=list(RETRIED), action=RetryAction.RETRY, reason="this may pass: trying again"),
    ]
)


def is_skipped(error: BaseException) -> bool:
    """Whether a task that raised this has nothing to do, rather than failed."""
    return isinstance(error, SKIPPED) or (isinstance(error, errors.VideoNotYet) and error.reason in _LATER)


def outcome(error: BaseException) -> str:
    """The error in a few words, for a label: a video's reason where it has one, else the error's name."""
    return str(getattr(error, "reason", None) or type(error).__name__).replace("_", " ")


def skip(reason: str, context: Mapping[str, Any]) -> NoReturn:
    """Skip the running task for a reason that people can read: in the task's log and in its XCom `reason`.

    Raises:
        AirflowSkipException: always.
    """
    context["ti"].xcom_push(key="reason", value=reason)
    raise AirflowSkipException(reason)


def report_failures(context: Mapping[str, Any]) -> str:
    """Turn the DAG run red where tasks upstream of the running one failed, although the others' work was used.

    Raises:
        AirflowFailException: naming the tasks that failed.
    """
    ti, upstream = context["ti"], context["task"].upstream_task_ids
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id], task_ids=sorted(upstream))
    bad = sorted(name for name, state in states.get(ti.run_id, {}).items() if state in ("failed", "upstream_failed"))
    if bad:
        raise AirflowFailException(
            f"{len(bad)} tasks failed, everything else was done: {', '.join(bad[:20])}. Their logs say why. "
            "Clear them to try them again, or wait for the next DAG run: both are safe."
        )
    return "every task did its work"
