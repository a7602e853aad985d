"""Taking in playlists: what is new in them, and the frames of each new video."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from framesearch import layout, locks
from framesearch.catalogue import Catalogue
from framesearch.errors import (
    ObjectDamaged,
    PlaylistUnavailable,
    PlaylistUnreachable,
    StorageFull,
    VideoNotYet,
    VideoUnavailable,
)
from framesearch.images.pixels import encode_jpeg, quality
from framesearch.records import FrameCounts, FrameRole, ListingDiff, Reason, Video, VideoStatus
from framesearch.sampling import Sampler
from framesearch.settings import Settings
from framesearch.sources.addresses import normalise
from framesearch.sources.downloads import Progress, download
from framesearch.sources.playlists import list_playlist
from framesearch.storage import Storage, or_full
from framesearch.tables import Frame, read_frame_times, write_frames
from framesearch.video import VideoFile

log = logging.getLogger(__name__)


def discover(url: str, catalogue: Catalogue, settings: Settings, limit: int | None = None) -> ListingDiff:
    """List a playlist and take what changed into the catalogue.

    Args:
        limit: read at most so many videos of it.

    Raises:
        PlaylistUnavailable, PlaylistUnreachable: it can't be listed; the catalogue notes why and keeps its videos.
    """
    now = datetime.now(UTC)
    try:
        listing = list_playlist(url, settings, limit)
    except (PlaylistUnavailable, PlaylistUnreachable) as error:
        catalogue.record_playlist_error(normalise(url), str(error), now)
        raise
    diff = catalogue.record_listing(listing, now)
    counts = len(diff.new), len(diff.vanished), len(diff.returned)
    log.info("playlist %s: %d new videos, %d vanished, %d returned", listing.url, *counts)
    return diff


def extract_video(
    video_id: str, catalogue: Catalogue, storage: Storage, settings: Settings, progress: Progress | None = None
) -> FrameCounts:
    """Fetch a video, store its frames whole, and mark it in the catalogue. Safe to repeat: stored frames stay.

    Raises:
        NoVideo: the catalogue does not hold it.
        VideoUnavailable: it can't be had, for good; marked so.
        VideoNotYet: it can't be had now; the next attempt is noted, up to `settings.max_attempts` of them.
        StorageFull: no space left; nothing half-written is kept, the video is tried again later.
    """
    started = time.monotonic()
    video = catalogue.video(video_id)
    path = layout.frames(video_id)
    try:
        counts = _stored_counts(storage, path, video.duration_s)
        if counts is None:
            with storage.scratch() as scratch:
                source = download(video.url, scratch, settings, progress)
                counts = extract_frames(source, scratch / "frames.parquet", video_id, settings)
                storage.create(path, scratch / "frames.parquet")
    except VideoUnavailable as error:
        catalogue.mark_unavailable(video_id, error.reason, str(error), datetime.now(UTC))
        raise
    except VideoNotYet as error:
        _note_failure(catalogue, video_id, video.attempts, error, error.reason, error.retry_at, settings)
        raise
    except (StorageFull, OSError) as error:
        full = or_full(error, Path(settings.storage))
        reason = Reason.UNKNOWN if full is error and not isinstance(error, StorageFull) else Reason.STORAGE_FULL
        _note_failure(catalogue, video_id, 0, full, reason, datetime.now(UTC), settings)  # no fault of the video's
        if full is error:
            raise
        raise full from error
    catalogue.mark_ready(video_id, counts, datetime.now(UTC))
    log.info(
        "video %s: %d frames and %d probe frames of %.1f s stored in %.1f s",
        *(video_id, counts.index_frames, counts.probe_frames, counts.duration_s, time.monotonic() - started),
    )
    return counts


def extract_once(
    known: Video, catalogue: Catalogue, storage: Storage, settings: Settings, holder: str
) -> tuple[FrameCounts, bool]:
    """`extract_video`, one process at a time: what came of another's attempt meanwhile is taken as it is.

    Else both would fetch it, and where it fails two attempts would be counted; or the second one's failure would be
    noted of a video whose frames the first one stored.

    Args:
        known: the video as it was when it was found to be due.
        holder: what others are told that they wait for.

    Returns:
        The counts, and whether the frames were extracted here.

    Raises:
        VideoUnavailable, VideoNotYet: also where another found that out meanwhile; it is not noted again.
    """
    with locks.held(locks.extraction(known.video_id), settings, holder):
        video = catalogue.video(known.video_id)
        if _attempts(video) == _attempts(known):
            return extract_video(known.video_id, catalogue, storage, settings), True
    told = video.detail or f"{video.title}: {video.reason}"
    if video.status is VideoStatus.UNAVAILABLE:
        raise VideoUnavailable(told, video.reason or Reason.UNKNOWN)
    if video.status is VideoStatus.FAILED:
        raise VideoNotYet(told, video.reason or Reason.UNKNOWN, video.next_attempt_at)
    return FrameCounts(video.index_frames, video.probe_frames, video.duration_s or 0.0), False


def _attempts(video: Video) -> tuple[object, ...]:
    return video.status, video.attempts, video.next_attempt_at, video.ready_at


def _stored_counts(storage: Storage, path: str, duration_s: float | None) -> FrameCounts | None:
    """The counts of frames that an earlier attempt stored; None where there are none. Damaged ones are deleted."""
    if not storage.exists(path):
        return None
    try:
        with storage.open(path) as file:
            index_times, _ = read_frame_times(file, FrameRole.INDEX)
            probe_times, _ = read_frame_times(file, FrameRole.PROBE)
    except ObjectDamaged as error:
        log.warning("%s is made anew: %s", path, error)
        storage.delete(path)
        return None
    last_s = max((float(times[-1]) for times in (index_times, probe_times) if len(times)), default=0.0)
    return FrameCounts(len(index_times), len(probe_times), duration_s or last_s)


def extract_frames(source: Path, target: Path, video_id: str, settings: Settings) -> FrameCounts:
    """Decode a video file and write the frames that are kept to a new file.

    Raises:
        VideoUnavailable: it is no video, corrupt or too long.
    """
    kept = dict.fromkeys(FrameRole, 0)
    sampler = Sampler(video_id, candidates_per_second=settings.candidates_per_second, probe_share=settings.probe_share)

    def frames(file: VideoFile) -> Iterator[Frame]:
        for frame, role in file.wanted_frames(sampler.role):
            kept[role] += 1
            rgb = frame.picture()
            yield Frame(frame.timestamp_s, encode_jpeg(rgb, settings.jpeg_quality), role, quality(rgb))

    height, longest = settings.frame_height, settings.max_video_hours
    with VideoFile(source, height=height, max_hours=longest, grid_s=sampler.grid_s) as file:
        write_frames(target, frames(file))
        return FrameCounts(kept[FrameRole.INDEX], kept[FrameRole.PROBE], file.duration_s)


def _note_failure(
    catalogue: Catalogue,
    video_id: str,
    attempts: int,
    error: Exception,
    reason: str,
    retry_at: datetime | None,
    settings: Settings,
) -> None:
    """Note when a video is tried again: where nobody said when, after a pause that doubles with each attempt."""
    now = datetime.now(UTC)
    if attempts + 1 >= settings.max_attempts and reason not in (Reason.LIVE, Reason.UPCOMING):
        retry_at = None
    elif retry_at is None:
        retry_at = now + timedelta(minutes=settings.retry_after_minutes * 2 ** min(attempts, 10))
    catalogue.mark_failed(video_id, reason, str(error), now, retry_at)
