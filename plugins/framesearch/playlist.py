"""Playlists: anything yt-dlp lists, and local folders of video files. The only user of yt_dlp.

Nothing here trusts what a site says: ids become safe names, entries that point at this machine's files are passed
over, and downloads are bounded in size and length.
"""

import contextlib
import errno
import hashlib
import ipaddress
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from framesearch.errors import (
    PlaylistUnavailable,
    PlaylistUnreachable,
    StorageFull,
    VideoNotYet,
    VideoUnavailable,
)
from framesearch.records import ListedVideo, PlaylistListing, Reason
from framesearch.settings import Settings

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogm .ogv .ts .vob .webm .wmv".split()
)
NESTING = 3  # a channel lists tabs, which list playlists, which list videos

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known


def normalise(url: str) -> str:
    """One name for a playlist however it was written: an absolute path for what is local, else the address.

    A path is recognised by being there, by its form (`/`, `./`, `~`) or by a video file's suffix.
    """
    url = url.strip()
    if url.lower().startswith("file://"):
        return str(Path(unquote(urlsplit(url).path)).resolve())
    if "://" in url:
        return url
    path = Path(url).expanduser()
    if path.exists() or url.startswith(("/", ".", "~")) or path.suffix.lower() in VIDEO_SUFFIXES:
        return str(path.resolve())
    if re.match(r"[a-z][\w+-]*:", url):  # such as "ytsearch5:words"
        return url
    if re.match(r"[\w-]+(\.[\w-]+)+(/|$)", url):  # such as "www.youtube.com/@channel"
        return f"https://{url}"
    return str(path.resolve())


def list_playlist(url: str, settings: Settings, limit: int | None = None) -> PlaylistListing:
    """Read a playlist whole, without downloading anything of its videos.

    Args:
        limit: read at most so many videos; the listing is then not complete.

    Raises:
        PlaylistUnavailable: it does not exist, is private or empty, or holds no video.
        PlaylistUnreachable: it could not be read this time.
    """
    url = normalise(url)
    if _is_local(url):
        title = Path(url).name
        listed: Iterable[ListedVideo] = _list_files(Path(url))
    else:
        title, listed = _list_site(url, settings, limit)
    videos: dict[str, ListedVideo] = {}
    complete = True
    for video in listed:
        if limit is not None and len(videos) >= limit and video.video_id not in videos:
            complete = False
            break
        videos.setdefault(video.video_id, video)
    if not videos:
        raise PlaylistUnavailable(f"playlist {url} holds no video: check that it is the right one, and not empty")
    log.info("playlist %s: %d videos listed", url, len(videos))
    return PlaylistListing(url, title, tuple(videos.values()), complete)


# ---- local files


def _is_local(url: str) -> bool:
    return url.startswith("/")


def _list_files(path: Path) -> list[ListedVideo]:
    if path.is_file():
        files = [path]
    elif path.is_dir():
        try:
            files = sorted(_video_files(path))
        except OSError as error:
            raise PlaylistUnavailable(f"folder {path} can't be read: {error.strerror}") from error
        if not files:
            raise PlaylistUnavailable(
                f"folder {path} holds no video file: put some there ({', '.join(sorted(VIDEO_SUFFIXES))})"
            )
    else:
        raise PlaylistUnavailable(f"there is no folder or file {path}: check the playlist's path")
    return [ListedVideo(_file_id(file), str(file), _text(file.stem)) for file in files]


def _video_files(folder: Path) -> Iterator[Path]:
    """Video files in a folder and below, by their suffix; hidden ones and links to other folders are left out."""
    for parent, names, files in os.walk(folder, onerror=_raise):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            file = Path(parent, name)
            if not name.startswith(".") and file.suffix.lower() in VIDEO_SUFFIXES and file.is_file():
                yield file


def _raise(error: OSError) -> None:
    raise error


def _file_id(file: Path) -> str:
    # The path tells files of one name in two folders apart; a file listed by two playlists is one video.
    return f"file-{_slug(file.stem)}-{_digest(os.fspath(file))}"


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()  # a file's name may hold bytes that are no text


# ---- sites


def _list_site(url: str, settings: Settings, limit: int | None) -> tuple[str, Iterator[ListedVideo]]:
    import yt_dlp

    options = _options(url, settings) | {"extract_flat": "in_playlist", "lazy_playlist": True}
    if limit is not None:
        options["playlistend"] = limit + 1
    site = yt_dlp.YoutubeDL(options)
    with _listing_errors(url):
        info = _resolve(site, url)
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return str(info.get("title") or url), iter([_listed(info, info.get("webpage_url") or url)])
    return str(info.get("title") or url), _guarded(url, _flatten(site, info, NESTING))


def _resolve(site: Any, url: str, ie_key: str | None = None) -> dict[str, Any]:
    """What an address stands for, redirections followed, its entries not yet read."""
    for _ in range(10):
        info = site.extract_info(url, download=False, process=False, ie_key=ie_key)
        if info is None or info.get("_type") not in ("url", "url_transparent"):
            break
        url, ie_key = info["url"], info.get("ie_key")
    return info or {}


def _flatten(site: Any, playlist: Mapping[str, Any], depth: int) -> Iterator[ListedVideo]:
    """The videos of a playlist and of the playlists it lists, in order; dead entries are passed over."""
    for entry in playlist.get("entries") or ():
        if not entry:
            continue
        if entry.get("_type") in ("playlist", "multi_video"):
            nested: Mapping[str, Any] = entry
        elif _lists_videos(site, entry):
            nested = _nested(site, entry) if depth else {}
        else:
            video = _listed_entry(entry)
            if video is not None:
                yield video
            continue
        if depth:
            yield from _flatten(site, nested, depth - 1)


def _lists_videos(site: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a playlist itself, such as the tab of a channel."""
    if entry.get("_type") not in ("url", "url_transparent") or not entry.get("ie_key"):
        return False
    # Of YouTube's tabs and playlists yt-dlp itself does not say so.
    return entry["ie_key"] == "YoutubeTab" or (
        site.get_info_extractor(entry["ie_key"]).is_single_video(entry["url"]) is False
    )


def _nested(site: Any, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """A playlist that another one lists; one that is gone or empty costs the others nothing."""
    from yt_dlp.utils import YoutubeDLError

    try:
        return _resolve(site, entry["url"], entry["ie_key"])
    except YoutubeDLError as error:
        if classify(error)[1]:
            raise
        log.warning("a nested playlist is passed over: %s: %s", entry["url"], _message(error))
        return {}


def _listed_entry(entry: Mapping[str, Any]) -> ListedVideo | None:
    from yt_dlp.utils import unsmuggle_url

    address = entry.get("url") or entry.get("webpage_url")
    if not address:
        log.warning("an entry without an address is passed over: %s", entry.get("id") or entry.get("title"))
        return None
    address, smuggled = unsmuggle_url(address, {})
    if urlsplit(address).scheme not in ("http", "https"):
        log.warning("an entry that is no web address is passed over: %.100s", address)
        return None
    return _listed({"id": smuggled.get("force_videoid"), **entry}, address)


def _listed(info: Mapping[str, Any], address: str) -> ListedVideo:
    extractor = str(info.get("ie_key") or info.get("extractor_key") or "generic").lower()
    name = str(info.get("id") or Path(urlsplit(address).path).stem)
    video_id = f"{_slug(extractor)}-{_slug(name)}"
    # A generic "id" is the address's last part, or whatever a feed says: only the address is unique.
    if extractor == "generic" or _slug(name) != name:
        video_id += f"-{_digest(urldefrag(address).url if extractor == 'generic' else name)}"
    duration_s = info.get("duration")
    title = str(info.get("title") or name)
    return ListedVideo(video_id, address, title, None if duration_s is None else float(duration_s))


def _slug(name: str) -> str:
    """The name as far as it is safe in a file name or an object's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:60] or "video"


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:10]


def _guarded(url: str, videos: Iterable[ListedVideo]) -> Iterator[ListedVideo]:
    """The same videos; errors while the site is asked for more of them are the playlist's."""
    with _listing_errors(url):
        yield from videos


@contextlib.contextmanager
def _listing_errors(url: str) -> Iterator[None]:
    """Turns what yt-dlp raises while listing into the playlist's errors."""
    from yt_dlp.utils import YoutubeDLError

    try:
        yield
    except (YoutubeDLError, OSError) as error:
        reason, passing = classify(error)
        told = _message(error)
        if passing:
            raise PlaylistUnreachable(
                f"playlist {url} could not be listed this time ({reason}): {told}. It is tried again later"
            ) from error
        raise PlaylistUnavailable(
            f"playlist {url} can't be listed ({reason}): {told}. Check the address; a private one needs "
            "FRAMESEARCH_COOKIES_FILE"
        ) from error


# ---- downloading


def download(url: str, folder: Path, settings: Settings, progress: Progress | None = None) -> Path:
    """Fetch a video's picture stream into a folder, in the lowest format that suffices. A local file stays in place.

    Raises:
        VideoUnavailable: it can't be had, for good.
        VideoNotYet: it can't be had now.
        StorageFull: no space left for it.
    """
    if _is_local(url):
        if not Path(url).is_file():
            raise VideoUnavailable(f"{url} is no longer there: put it back, or ignore this", Reason.DELETED)
        return Path(url)
    import yt_dlp
    from yt_dlp.utils import YoutubeDLError

    height = settings.download_height
    limit = settings.max_download_mb * 1_000_000

    def check(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        if not incomplete:
            _check_wanted(url, info, settings)

    def follow(status: Mapping[str, Any]) -> None:
        done = status.get("downloaded_bytes") or 0
        if done > limit:
            raise VideoUnavailable(
                f"video {url} is larger than {settings.max_download_mb} MB: raise FRAMESEARCH_MAX_DOWNLOAD_MB to "
                "have it",
                Reason.TOO_LONG,
            )
        if progress is not None:
            progress(done, status.get("total_bytes") or status.get("total_bytes_estimate"))

    options = _options(url, settings) | {
        # No sound. `?` lets formats pass whose height the site does not tell.
        "format": f"bv[vcodec^=avc1][height<={height}]/bv*[height<=?{height}]/wv*",
        "outtmpl": {"default": str(folder / "video.%(ext)s")},
        "match_filter": check,
        "progress_hooks": [follow],
        "fixup": "never",
        "noplaylist": True,
    }
    if not _is_loopback(url):
        options |= {
            "sleep_interval": settings.download_pause_s,
            "max_sleep_interval": 2 * settings.download_pause_s,
        }
    try:
        info = yt_dlp.YoutubeDL(options).extract_info(url, download=True)
    except (YoutubeDLError, OSError) as error:
        raise _video_error(url, error, settings) from error
    files = [Path(done["filepath"]) for done in (info or {}).get("requested_downloads") or ()]
    files = [file for file in files if file.is_file()]
    if len(files) != 1:
        raise VideoUnavailable(f"{url} is not one video but {len(files)}: name its parts", Reason.UNSUPPORTED)
    return files[0]


def _check_wanted(url: str, info: Mapping[str, Any], settings: Settings) -> None:
    """Refuse, before anything is downloaded, what is live or too long."""
    if info.get("live_status") == "is_upcoming":
        raise VideoNotYet(f"video {url} has not begun yet", Reason.UPCOMING, _release(info))
    if info.get("is_live") or info.get("live_status") in ("is_live", "post_live"):
        raise VideoNotYet(f"video {url} is live: it is taken in when it is over", Reason.LIVE)
    duration_s = info.get("duration") or 0
    if duration_s > settings.max_video_hours * 3600:
        raise VideoUnavailable(
            f"video {url} is {duration_s / 3600:.1f} hours long: raise FRAMESEARCH_MAX_VIDEO_HOURS to have it",
            Reason.TOO_LONG,
        )


def _release(info: Mapping[str, Any]) -> datetime | None:
    stamp = info.get("release_timestamp")
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)


def _video_error(url: str, error: Exception, settings: Settings) -> Exception:
    if _is_full(error):
        return StorageFull(f"no space left to download {url}: free some in {settings.scratch}, then run again")
    reason, passing = classify(error)
    told = f"video {url} can't be had ({reason}): {_message(error)}"
    if reason is Reason.UPCOMING:
        return VideoNotYet(told, reason, _asked_release(url, settings))
    return VideoNotYet(told, reason) if passing else VideoUnavailable(told, reason)


def _asked_release(url: str, settings: Settings) -> datetime | None:
    """When an upcoming video begins, where the site tells it."""
    import yt_dlp
    from yt_dlp.utils import YoutubeDLError

    try:
        options = _options(url, settings) | {"ignore_no_formats_error": True}
        return _release(yt_dlp.YoutubeDL(options).extract_info(url, download=False) or {})
    except (YoutubeDLError, OSError):
        return None


# ---- what all of it shares


class _Quiet:
    """Hands yt-dlp's messages to logging; errors arrive as exceptions anyway."""

    def debug(self, message: str) -> None:
        log.debug("%s", message)

    info = warning = error = debug


def _options(url: str, settings: Settings) -> dict[str, Any]:
    polite = {} if _is_loopback(url) else {"sleep_interval_requests": settings.request_pause_s}
    return polite | {
        "logger": _Quiet(),
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "cachedir": str(settings.home / "cache" / "yt-dlp"),
        "cookiefile": str(settings.cookies_file) if settings.cookies_file else None,
        "proxy": settings.proxy or None,
        "socket_timeout": settings.socket_timeout_s,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 2,
        "geo_bypass": False,  # else yt-dlp tries again with a made-up X-Forwarded-For
        "enable_file_urls": False,  # a hostile feed must not read this machine's files
    }


def _is_loopback(url: str) -> bool:
    """Whether the address is this machine, which needs no politeness."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _message(error: Exception) -> str:
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


def _is_full(error: Exception) -> bool:
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
