"""An answer as JSON, the same for every face: the command line, the page, scripts."""

from dataclasses import asdict
from typing import Any

from framesearch.records import Answer


def answer_json(query: str, answer: Answer) -> dict[str, Any]:
    """What `framesearch search --json` prints for a picture.

    Args:
        query: what the picture is called: its path.
    """
    return {
        "query": query,
        "found": answer.found,
        "matches": [asdict(match) for match in answer.matches],
        "view": answer.view,
        "elapsed_ms": round(answer.elapsed_ms, 1),
        "degraded": answer.degraded,
    }
