"""What the odd extractor of `yt_dlp_plugins` gives and raises: set by tests, by name."""

from collections.abc import Callable
from typing import Any

ENTRIES: dict[str, Any] = {}  # of a list
INFOS: dict[str, Any] = {}  # of a video
ERRORS: dict[str, Callable[[], BaseException]] = {}
