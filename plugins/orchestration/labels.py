"""How mapped tasks are labelled in the grid: by what a person calls the thing, not by a number."""

from collections.abc import Sequence

_LONGEST = 120  # characters; Airflow keeps 250 of a whole label


def title(video_id: str) -> str:
    """A video's title, or its id where the catalogue can't tell. Never raises: a label is no reason to fail a task."""
    try:
        from framesearch.backends import open_catalogue
        from framesearch.settings import settings

        found = open_catalogue(settings()).titles([video_id]).get(video_id)
    except Exception:
        found = None
    return shorten(found or video_id)


def titles(video_ids: Sequence[str]) -> str:
    """The label of a task that takes several videos: "Intro and 19 more"."""
    more = f" and {len(video_ids) - 1} more" if len(video_ids) > 1 else ""
    return (title(video_ids[0]) if video_ids else "") + more


def shorten(text: str) -> str:
    """The text on one line, its middle left out where it is too long for a label."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 31]} … {text[-28:]}"


def holding(dag_id: str) -> str:
    """What others are told that they wait for, see `framesearch.system.locks`."""
    return f"Airflow's DAG {dag_id}"


MACROS = {"title": title, "titles": titles, "shorten": shorten}
"""For `user_defined_macros` of a DAG."""

_OUTCOME = "{% if outcome is defined %} ({{ outcome }}){% endif %}"  # set by `tasks.LibraryTask`
VIDEO = "{{ title(task.op_kwargs['video_id']) }}" + _OUTCOME
VIDEOS = "{{ titles(task.op_kwargs['video_ids']) }}" + _OUTCOME
PLAYLIST = "{{ shorten(task.op_kwargs['url']) }}" + _OUTCOME
"""Values for `map_index_template` of tasks over `video_id`, `video_ids`, `url`."""
