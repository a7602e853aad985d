"""Ingesting playlists: what is new in them, and the frames of each new video."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import (
    FramesearchError,
    NoVideo,
    ObjectDamaged,
    StorageFull,
    VideoNotYet,
    VideoUnavailable,
)
from framesearch.images.pixels import encode_jpeg, quality
from framesearch.jobs.remove_videos import clear_videos
from framesearch.records import FrameCounts, FrameRole, ListingDiff, Reason, Video, VideoStatus
from framesearch.settings import Settings
from framesearch.sources.addresses import is_local, local_path, normalise, readable
from framesearch.sources.downloads import Progress, download
from framesearch.sources.file_versions import file_version, listed_file
from framesearch.sources.playlists import list_playlist
from framesearch.store import layout
from framesearch.store.storage import Storage
from framesearch.store.tables import Frame, read_facts, read_frame_times, write_frames
from framesearch.system import locks
from framesearch.system.disk import or_full
from framesearch.text import safe_text
from framesearch.video import VideoFile
from framesearch.video.sampling import Sampler

log = logging.getLogger(__name__)

SETTLED_AFTER_S = 300.0  # a file that can't be read and changed since may still be being written
_LONGEST_MESSAGE = 2000  # characters of a message that are kept


def discover(url: str, catalogue: Catalogue, settings: Settings, limit: int | None = None) -> ListingDiff:
    """List a playlist and record in the catalogue what changed.

    Args:
        limit: read at most so many videos of it.

    Raises:
        PlaylistUnavailable, PlaylistUnreachable: it can't be listed; the catalogue notes why and keeps its videos, as
            it does where anything else is raised that nobody foresaw.
    """
    now = datetime.now(UTC)
    try:
        versions = catalogue.file_versions() if is_local(normalise(url)) else {}
        listing = list_playlist(url, settings, limit, versions)
    except Exception as error:
        foreseen = isinstance(error, FramesearchError)
        told = str(error) if foreseen else f"playlist {readable(url)} could not be listed: {_named(error)}"
        catalogue.record_playlist_error(normalise(url), safe_text(told, _LONGEST_MESSAGE), now)
        raise
    diff = catalogue.record_listing(listing, now)
    counts = len(diff.new), len(diff.vanished), len(diff.returned), len(diff.replaced), len(diff.moved)
    log.info(
        "playlist %s: %d new videos, %d vanished, %d returned, %d replaced, %d renamed", readable(listing.url), *counts
    )
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
        OSError: storage can't be used; the video is tried again later. So it is where anything else is raised that
            nobody foresaw.
    """
    started = time.monotonic()
    video = catalogue.video(video_id)
    path = layout.frames(video_id)
    try:
        counts = _stored_counts(storage, video)
        if counts is None:
            with storage.scratch() as scratch:
                made, file = scratch / "frames.parquet", local_path(video.url)
                if file is None:
                    playlists = catalogue.playlists_of(video_id)
                    counts = _extract_download(video, playlists, scratch, made, settings, progress)
                else:
                    counts = _extract_local(video, file, made, settings)
                storage.create(path, made)
        catalogue.mark_ready(video_id, counts, datetime.now(UTC))
    except NoVideo as error:
        clear_videos([video_id], storage)
        raise VideoNotYet(f"{video.title} was replaced while it was read", Reason.UNFINISHED) from error
    except VideoUnavailable as error:
        with suppress(NoVideo):  # it was replaced meanwhile
            catalogue.mark_unavailable(video_id, error.reason, safe_text(error, _LONGEST_MESSAGE), datetime.now(UTC))
        raise
    except VideoNotYet as error:
        _note_failure(catalogue, video, error, error.reason, error.retry_at, settings)
        raise
    except (StorageFull, OSError) as error:
        full = or_full(error, Path(settings.storage))
        reason = Reason.UNKNOWN if full is error and not isinstance(error, StorageFull) else Reason.STORAGE_FULL
        _note_failure(catalogue, replace(video, attempts=0), full, reason, datetime.now(UTC), settings)
        if full is error:
            raise
        raise full from error
    except Exception as error:  # that nobody foresaw: noted, so that the video is not tried for ever
        _note_failure(catalogue, video, error, Reason.UNKNOWN, None, settings)
        raise
    log.info(
        "video %s: %d frames and %d probe frames of %.1f s stored in %.1f s%s",
        *(video_id, counts.index_frames, counts.probe_frames, counts.duration_s, time.monotonic() - started),
        f", {counts.shortfall}" if counts.shortfall else "",
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
        try:
            video = catalogue.video(known.video_id)
        except NoVideo as error:
            raise VideoNotYet(f"{known.title} was replaced", Reason.UNFINISHED) from error
        if _attempts(video) == _attempts(known):
            return extract_video(known.video_id, catalogue, storage, settings), True
    told = video.detail or f"{video.title}: {video.reason}"
    if video.status is VideoStatus.UNAVAILABLE:
        raise VideoUnavailable(told, video.reason or Reason.UNKNOWN)
    if video.status is VideoStatus.FAILED:
        raise VideoNotYet(told, video.reason or Reason.UNKNOWN, video.next_attempt_at)
    return FrameCounts(video.index_frames, video.probe_frames, video.duration_s or 0.0, video.detail), False


def _attempts(video: Video) -> tuple[object, ...]:
    return video.status, video.attempts, video.next_attempt_at, video.ready_at


def _stored_counts(storage: Storage, video: Video) -> FrameCounts | None:
    """The counts of frames that an earlier attempt stored; None where there are none. Damaged ones are deleted."""
    path = layout.frames(video.video_id)
    if not storage.exists(path):
        return None
    try:
        with storage.open(path) as file:
            index_times, _ = read_frame_times(file, FrameRole.INDEX)
            probe_times, _ = read_frame_times(file, FrameRole.PROBE)
            facts = read_facts(file)
    except ObjectDamaged as error:
        log.warning("%s is made anew: %s", path, error)
        storage.delete(path)
        return None
    last_s = max((float(times[-1]) for times in (index_times, probe_times) if len(times)), default=0.0)
    duration_s = float(facts["duration_s"]) if "duration_s" in facts else video.duration_s or last_s
    return FrameCounts(len(index_times), len(probe_times), duration_s, facts.get("shortfall"))


def _extract_local(video: Video, path: Path, target: Path, settings: Settings) -> FrameCounts:
    """The frames of a local file, which may be replaced or still be being written while it is read.

    Raises:
        VideoUnavailable: it is gone, leads elsewhere or can't be read.
        VideoNotYet: it changed since it was listed, or seems to be unfinished.
    """
    file = listed_file(path)
    try:
        before = file.stat()
        version = file_version(file, video.version)
    except OSError as error:
        raise VideoNotYet(f"{readable(video.url)} can't be read: {error.strerror}", Reason.UNKNOWN) from error
    if video.version and version.content != video.version.content:
        raise _unfinished(f"{readable(video.url)} changed since its folder was listed")
    failure: VideoUnavailable | None = None
    try:
        counts = extract_frames(file, target, video.video_id, settings)
    except VideoUnavailable as error:
        failure = VideoUnavailable(safe_text(error, _LONGEST_MESSAGE), error.reason)  # names the file as it is
        failure.__cause__ = error
    after = listed_file(path).stat()
    if _identity(before) != _identity(after):
        raise _unfinished(f"{readable(video.url)} changed while it was read") from failure
    if failure is None:
        return counts
    age_s = time.time() - after.st_mtime
    if failure.reason == Reason.CORRUPT and abs(age_s) < SETTLED_AFTER_S:
        raise _unfinished(f"{failure}. It changed {max(0, age_s):.0f} s ago") from failure
    raise failure


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unfinished(what: str) -> VideoNotYet:
    told = f"{what} and may still be being copied: the next run tries again"
    return VideoNotYet(told, Reason.UNFINISHED, datetime.now(UTC))


def _extract_download(
    video: Video, playlists: list[str], scratch: Path, target: Path, settings: Settings, progress: Progress | None
) -> FrameCounts:
    """The frames of a video that is downloaded; once more by a later attempt where it came damaged or incomplete.

    Raises:
        VideoUnavailable: it can't be had, or can't be read although it was downloaded twice.
        VideoNotYet: it can't be had now, or came incomplete for the first time.
        StorageFull: no space left for it.
    """
    if not playlists:
        raise VideoNotYet(f"video {video.url}: no playlist lists it any more", Reason.DELETED)
    source = download(video.url, scratch, settings, progress, playlists)
    # An attempt that failed for another reason, such as the network, says nothing of the video.
    again = video.reason == Reason.CORRUPT or video.attempts + 1 >= settings.max_attempts
    try:
        counts = extract_frames(source, target, video.video_id, settings)
    except VideoUnavailable as error:
        if again or error.reason != Reason.CORRUPT:
            raise
        raise VideoNotYet(f"video {video.url} came damaged ({error}): it is downloaded again", error.reason) from error
    if counts.shortfall and not again:
        raise VideoNotYet(
            f"video {video.url} came incomplete ({counts.shortfall}): it is downloaded again", Reason.CORRUPT
        )
    return counts


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

        def facts() -> dict[str, str]:
            shortfall = {"shortfall": file.shortfall} if file.shortfall else {}
            return {"duration_s": repr(file.duration_s)} | shortfall

        write_frames(target, frames(file), facts)
        return FrameCounts(kept[FrameRole.INDEX], kept[FrameRole.PROBE], file.duration_s, file.shortfall)


def _named(error: Exception) -> str:
    """What an error says; the name of one that nobody foresaw, too."""
    return str(error) if isinstance(error, FramesearchError) else f"{type(error).__name__}: {error}"


def _note_failure(
    catalogue: Catalogue, video: Video, error: Exception, reason: str, retry_at: datetime | None, settings: Settings
) -> None:
    """Note when a video is tried again: where nobody said when, after a pause that doubles with each attempt."""
    now, attempts = datetime.now(UTC), video.attempts
    if attempts + 1 >= settings.max_attempts and reason not in (Reason.LIVE, Reason.UPCOMING, Reason.UNFINISHED):
        retry_at = None
    elif retry_at is None:
        retry_at = now + timedelta(minutes=settings.retry_after_minutes * 2 ** min(attempts, 10))
    with suppress(NoVideo):  # it was replaced meanwhile
        catalogue.mark_failed(video.video_id, reason, safe_text(_named(error), _LONGEST_MESSAGE), now, retry_at)
