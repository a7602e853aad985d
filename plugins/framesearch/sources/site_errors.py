"""What yt-dlp's errors mean: why a site refused, and whether trying again may help."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from framesearch.records import Reason
from framesearch.text import safe_text

# What an extractor that a site took by surprise may raise, and what must end nothing but its own video or page.
ANYTHING = (Exception, SystemExit)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something of a site can't be had.

    Attributes:
        transient: whether trying again later may help.
        told: in words, one line.
    """

    reason: Reason
    transient: bool
    told: str


def error_text(error: BaseException) -> str:
    """What went wrong, in yt-dlp's own words without its advice on command-line options; one line."""
    return safe_text(_words(error)) or type(error).__name__


def _words(error: BaseException) -> str:
    from yt_dlp.utils import YoutubeDLError

    cause = _cause(error)
    if not isinstance(cause, YoutubeDLError | OSError):  # an extractor that a site took by surprise
        return f"yt-dlp failed with {type(cause).__name__}: {cause}"
    text = str(getattr(cause, "orig_msg", None) or getattr(cause, "msg", None) or cause)
    text = re.sub(r"^(ERROR: *)?(\[[\w:+-]+\] *)?([\w-]+: )?", "", text, count=1) if text.startswith("ERROR") else text
    return re.split(r"\.? *(?:Use --|See +http|; please report|Please report|Also see)", text)[0].strip().rstrip(".")


def _cause(error: BaseException) -> BaseException:
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
        causes = getattr(following, "cause", None), following.__cause__, following.__context__
        following = next((cause for cause in causes if isinstance(cause, BaseException)), None)


def is_full(error: BaseException) -> bool:
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
    (Reason.ENCRYPTED, False, r"\bdrm\b|ffmpeg could not be found"),  # an encryption that only players undo
    (Reason.UNSUPPORTED, False, r"unsupported url|not a valid url|no suitable extractor|only images"),
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


def failure(error: BaseException, refusals: Sequence[BaseException] = ()) -> Failure:
    """What an error means that yt-dlp or one of its extractors raised.

    Args:
        refusals: requests that were refused before; yt-dlp may have swallowed them and failed for want of the answer.
    """
    reason, transient = _classify(error)
    refused = next((behind for behind in _chain(_cause(error)) if behind in refusals), None)
    if refused is None and refusals and reason is not Reason.NETWORK:
        refused = refusals[0]
    if refused is not None:
        reason, transient = _classify(refused)
    return Failure(reason, transient, error_text(refused or error))


def _classify(error: BaseException) -> tuple[Reason, bool]:
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError, YoutubeDLError

    from framesearch.sources.transport import Forbidden, TooLarge

    cause = _cause(error)
    for behind in _chain(cause):
        if isinstance(behind, Forbidden):
            return Reason.FORBIDDEN, False
        if isinstance(behind, TooLarge):
            return Reason.UNSUPPORTED, False
        if isinstance(behind, GeoRestrictedError):
            return Reason.GEO_BLOCKED, False
        if isinstance(behind, UnsupportedError):
            return Reason.UNSUPPORTED, False
        if isinstance(behind, HTTPError):
            # 403 may not last: links expire, and sites refuse for a while.
            return _STATUS.get(behind.status, (Reason.NETWORK, True))
        if isinstance(behind, TransportError | OSError):
            return Reason.NETWORK, True
    if isinstance(cause, YoutubeDLError):
        said = str(cause).lower()
        for reason, transient, words in _SAID:
            if re.search(words, said):
                return reason, transient
    return Reason.UNKNOWN, True
