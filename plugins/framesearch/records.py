"""The plain records that the modules hand each other. Times are aware UTC; `_s` is float seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class VideoStatus(StrEnum):
    """Where a video stands."""

    DISCOVERED = "discovered"  # listed, its frames not yet extracted
    READY = "ready"  # its frames are stored
    UNAVAILABLE = "unavailable"  # permanently out of reach: not tried again unless forced
    FAILED = "failed"  # this time it failed: tried again at `next_attempt_at`, where there is one


class Reason(StrEnum):
    """Why a video is unavailable or failed."""

    PRIVATE = "private"
    DELETED = "deleted"
    MEMBERS_ONLY = "members_only"
    AGE_RESTRICTED = "age_restricted"
    GEO_BLOCKED = "geo_blocked"
    LIVE = "live"
    UPCOMING = "upcoming"
    TOO_LONG = "too_long"
    NO_VIDEO_STREAM = "no_video_stream"
    CORRUPT = "corrupt"
    UNFINISHED = "unfinished"  # the file changed just now: it is still being written
    ENCRYPTED = "encrypted"
    FORBIDDEN = "forbidden"  # its address or link leads where this installation does not go
    NETWORK = "network"
    RATE_LIMITED = "rate_limited"
    UNSUPPORTED = "unsupported"
    STORAGE_FULL = "storage_full"
    UNKNOWN = "unknown"


class FrameRole(StrEnum):
    """What a stored frame is for."""

    INDEX = "index"  # trained on, embedded, indexed
    PROBE = "probe"  # held out: an evaluation query, never trained on, never indexed


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What a local file held when it was listed.

    Attributes:
        content: its size and a fingerprint of its bytes.
        stamp: what the file system says of it. While that stays, the content need not be looked at.
    """

    content: str
    stamp: str


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """A video as its playlist lists it, before anything of it is downloaded.

    Attributes:
        video_id: stable across runs and unique across sites; safe as a file name.
        url: what to download: a page's address, or a local file, see `sources.addresses.file_address`.
        title: as the playlist gives it; for a local file its name without the suffix.
        duration_s: where the playlist tells it.
        version: of a local file.
    """

    video_id: str
    url: str
    title: str
    duration_s: float | None = None
    version: FileVersion | None = None


@dataclass(frozen=True, slots=True)
class PlaylistListing:
    """One reading of a playlist.

    Attributes:
        complete: False where a limit cut the listing short, so that a missing video says nothing.
        note: what of the playlist was left out and why, counted by kind, in words; None where nothing was.
    """

    url: str
    title: str
    videos: Sequence[ListedVideo]
    complete: bool = True
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ListingDiff:
    """What a listing changed in the catalogue: ids in playlist order."""

    new: tuple[str, ...]
    vanished: tuple[str, ...]  # no playlist lists them any more
    returned: tuple[str, ...]  # vanished before, listed again
    replaced: tuple[str, ...] = ()  # new videos in the place of others: their files hold something else now
    moved: tuple[str, ...] = ()  # their files have other names now
    note: str | None = None  # what the listing left out, see `PlaylistListing`


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist that the catalogue follows.

    Attributes:
        error: why its last listing failed, None where it did not.
        note: what its last listing left out, see `PlaylistListing`.
    """

    url: str
    title: str
    added_at: datetime
    listed_at: datetime | None
    error: str | None
    note: str | None
    videos: int


@dataclass(frozen=True, slots=True)
class Video:
    """A video in the catalogue. A `vanished_at` video is gone upstream but stays searchable."""

    video_id: str
    url: str
    title: str
    duration_s: float | None
    status: VideoStatus
    reason: str | None  # one of `Reason`
    detail: str | None  # the message that came with the reason; of a ready one, what of it is missing
    attempts: int
    discovered_at: datetime
    next_attempt_at: datetime | None
    ready_at: datetime | None
    vanished_at: datetime | None
    index_frames: int
    probe_frames: int
    version: FileVersion | None = None  # of a local file, since it was listed last


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """How many frames of each role a video gave, how long it is, and what of it is missing.

    Attributes:
        shortfall: what could not be read, in words ("ends after 12 of 60 s"); None where the video is whole.
    """

    index_frames: int
    probe_frames: int
    duration_s: float
    shortfall: str | None = None


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """An index bundle that was built. `published_at` is when the pointer last moved to it, None if never."""

    index_id: str
    model_version: str
    rows: int
    videos: int
    built_at: datetime
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """One place where the picture was found.

    Attributes:
        url: a link that opens the video at the second (YouTube), else the video's address or path.
        timestamp_s: when the video shows the picture; between stored frames where these tell so, see
            `framesearch.search.moment`.
        start_s, end_s: the still scene around it: first and last neighbouring frame that looks the same.
        score: all evidence weighed, see `search.score`; higher is surer, comparable within one index only.
        confidence: calibrated probability that this match is right, 0 to 1.
        frame_s: presentation time of the best stored frame.
        box: where the frame's corners (upper left, then clockwise) lie in the picture that was asked, as shares of its
            width and height; beyond 0 to 1 where that shows a part only. None where no placement was found.
        repeats: the place, in `Answer.matches`, of the first match that shows the same picture (another encode, a
            shared intro, a recap); None where this is the first, see `framesearch.search.repeats`.
    """

    video_id: str
    title: str
    url: str
    timestamp_s: float
    start_s: float
    end_s: float
    score: float
    confidence: float
    frame_s: float
    box: tuple[tuple[float, float], ...] | None = None
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the index says about one picture.

    Attributes:
        found: whether the first match is sure enough to be called found, at the precision on the index card.
        matches: best first, at most one a scene.
        view: the reading of the query that won: `original`, `mirrored`, `trimmed`, ...; None without matches.
        reason: why nothing was found, as a sentence; None where found.
        degraded: stored frames could not be read, so that pixels were not compared: scores are lower than usual.
    """

    found: bool
    matches: tuple[Match, ...]
    view: str | None
    elapsed_ms: float
    index_id: str
    reason: str | None = None
    degraded: bool = False

    def groups(self) -> list[tuple[Match, list[Match]]]:
        """The matches by what they show: the first of each picture and those that repeat it, both in rank order."""
        repeating: dict[int, list[Match]] = {}
        for number, match in enumerate(self.matches):
            repeating.setdefault(number if match.repeats is None else match.repeats, []).append(match)
        return [(shown[0], shown[1:]) for shown in repeating.values()]
