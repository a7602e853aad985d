"""What yt-dlp's errors mean: why a site refused, and whether it may pass."""

import errno
import os
import re
from collections.abc import Iterator

from framesearch.records import Reason


def error_text(error: Exception) -> str:
    """yt-dlp's own words without its advice on command-line options."""
    cause = _cause(error)
    text = str(getattr(cause, "orig_msg", None) or getattr(cause, "msg", None) or cause)
    text = re.sub(r"^(ERROR: *)?(\[[\w:+-]+\] *)?([\w-]+: )?", "", text, count=1) if text.startswith("ERROR") else text
    return re.split(r"\.? *(?:Use --|See +http|; please report|Please report|Also see)", text)[0].strip().rstrip(".")


def _cause(error: Exception) -> Exception:
    """What lies behind yt-dlp's DownloadError."""
    info = getattr(error, "exc_info", None)
    return info[1] if info and isinstance(info[1], Exception) else error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = getattr(following, "cause", None) or following.__cause__ or following.__context__


def is_full(error: Exception) -> bool:
    """Whether the disk was full."""
    for behind in _chain(_cause(error)):
        if isinstance(behind, OSError) and behind.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
    return os.strerror(errno.ENOSPC) in str(error)


# What sites say, in the order in which the first that fits decides.
_SAID: tuple[tuple[Reason, bool, str], ...] = (
    (Reason.RATE_LIMITED, True, r"429|too many requests|rate.?limit|not a bot|try again later"),
    (Reason.AGE_RESTRICTED, False, r"confirm your age|age.?restrict|inappropriate for some|age.?gate"),
    (Reason.MEMBERS_ONLY, False, r"members?.only|join this channel|subscribers? only|premium|requires payment"),
    (
        Reason.GEO_BLOCKED,
        False,
        r"not (made )?(this video )?available in your country|geo.?restrict|your (location|region)",
    ),
    (Reason.PRIVATE, False, r"private|log ?in|sign in|cookies|401|unauthori[sz]ed"),
    (Reason.UPCOMING, True, r"premieres? in|will begin in|has not (yet )?started|upcoming|will be available"),
    (Reason.LIVE, True, r"is (currently )?live|live stream"),
    (Reason.NETWORK, True, r"bytes read|timed? ?out|connection|giving up"),
    (Reason.NO_VIDEO_STREAM, False, r"requested format is not available|no video formats"),
    (Reason.UNSUPPORTED, False, r"unsupported url|drm|not a valid url|no suitable extractor|only images"),
    (
        Reason.DELETED,
        False,
        r"removed|deleted|terminated|no longer|does not exist|doesn't exist|not found|unavailable|404|410|gone",
    ),
)


_STATUS = {
    401: (Reason.PRIVATE, False),
    402: (Reason.MEMBERS_ONLY, False),
    404: (Reason.DELETED, False),
    410: (Reason.DELETED, False),
    429: (Reason.RATE_LIMITED, True),
    451: (Reason.GEO_BLOCKED, False),
}


def classify(error: Exception) -> tuple[Reason, bool]:
    """Why yt-dlp failed, and whether trying again later may help."""
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError

    cause = _cause(error)
    for behind in _chain(cause):
        if isinstance(behind, GeoRestrictedError):
            return Reason.GEO_BLOCKED, False
        if isinstance(behind, UnsupportedError):
            return Reason.UNSUPPORTED, False
        if isinstance(behind, HTTPError):
            # 403 may pass: links expire, and sites refuse for a while.
            return _STATUS.get(behind.status, (Reason.NETWORK, True))
        if isinstance(behind, TransportError | OSError):
            return Reason.NETWORK, True
    said = str(cause).lower()
    for reason, passing, words in _SAID:
        if re.search(words, said):
            return reason, passing
    return Reason.UNKNOWN, True
