"""A site of YouTube's shape for the real yt-dlp, served by `local_feed`: found as an extractor plugin on the path.

`/site/list/N` lists N videos in lazy pages; `/site/channel/N` lists tabs that list videos; `/site/watch/STATE-name` is
a video in that state, with the words that YouTube uses. `/odd/` is a broken extractor's.
"""

import itertools
import re

import odd_values
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, OnDemandPagedList

RELEASE = 1_900_000_000  # of upcoming videos

REFUSALS = {
    "private": "Private video. Sign in if you've been granted access to this video",
    "deleted": "Video unavailable. This video has been removed by the uploader",
    "terminated": "Video unavailable. This account has been terminated",
    "members": "Join this channel to get access to members-only content like this video, and other exclusive perks",
    "age": "Sign in to confirm your age. This video may be inappropriate for some users",
    "blocked": "Video unavailable. The uploader has not made this video available in your country",
    "robot": "Sign in to confirm you’re not a bot. This helps protect our community",
}


class ShapeVideoIE(InfoExtractor):
    _VALID_URL = r"http://127\.0\.0\.1:\d+/site/watch/(?P<id>[\w-]+)"
    _RETURN_TYPE = "video"

    def _real_extract(self, url):
        video_id = self._match_id(url)
        state = video_id.partition("-")[0]
        if state in REFUSALS:
            raise ExtractorError(REFUSALS[state], expected=True)
        if state == "geo":
            self.raise_geo_restricted(countries=["NL"])
        info = {"id": video_id, "title": f"Video {video_id}", "duration": 36_000.0 if state == "long" else 3.0}
        if state == "upcoming":
            self.raise_no_formats("Premieres in 3 hours", expected=True)
            return info | {"formats": [], "live_status": "is_upcoming", "release_timestamp": RELEASE}
        if state == "live":
            info |= {"live_status": "is_live", "is_live": True}
        files = url.partition("/site/")[0]
        video = {"url": f"{files}/clip.mp4", "ext": "mp4", "acodec": "none"}
        sound = {"format_id": "sound", "url": f"{files}/sound.m4a", "ext": "m4a", "vcodec": "none", "acodec": "aac"}
        formats = [
            video | {"format_id": "avc-720", "vcodec": "avc1.4d401f", "height": 720, "width": 1280},
            video | {"format_id": "av1-360", "vcodec": "av01.0.01M.08", "height": 360, "width": 640},
            video | {"format_id": "avc-360", "vcodec": "avc1.4d401e", "height": 360, "width": 640},
            video | {"format_id": "avc-144", "vcodec": "avc1.4d400c", "height": 144, "width": 256},
        ]
        for entry in formats:
            entry["url"] += f"?format={entry['format_id']}"
            if state == "proxied":
                entry["http_headers"] = {"Ytdl-Request-Proxy": f"http://127.0.0.1:{video_id.partition('-')[2]}"}
        if state in ("rtmp", "websocket"):
            scheme, protocol = ("rtmp", "rtmp") if state == "rtmp" else ("ws", "websocket_frag")
            formats = [video | {"format_id": state, "url": f"{scheme}://127.0.0.1/a", "protocol": protocol}]
        return info | {"formats": [sound] if state == "audio" else [sound, *formats]}


class ShapeListIE(InfoExtractor):
    _VALID_URL = r"http://127\.0\.0\.1:\d+/site/list/(?P<id>\w+)"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url):
        name = self._match_id(url)
        if name == "private":
            raise ExtractorError("This playlist is private. Use --cookies to sign in", expected=True)
        if name == "gone":
            raise ExtractorError("The playlist does not exist", expected=True)
        site, count = url.partition("/site/")[0], int(re.search(r"\d+", name)[0])

        def page(number):
            for video in range(number * 100, min(count, (number + 1) * 100)):
                watch = f"{site}/site/watch/ok-{video}"
                yield self.url_result(watch, ShapeVideoIE, f"ok-{video}", f"Video {video}")

        return self.playlist_result(OnDemandPagedList(page, 100), name, f"List of {count}")


class ShapeChannelIE(InfoExtractor):
    _VALID_URL = r"http://127\.0\.0\.1:\d+/site/channel/(?P<id>\d+)"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url):
        site, count = url.partition("/site/")[0], self._match_id(url)
        tabs = [self.url_result(f"{site}/site/list/{name}", ShapeListIE) for name in (count, "private", count)]
        return self.playlist_result(tabs, count, "A channel")


class ShapeOddIE(InfoExtractor):
    """Lists and videos of an extractor that is broken, or that a site took by surprise."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/odd/(?P<what>\w+)/(?P<id>\w+)"
    _RETURN_TYPE = None

    def _real_extract(self, url):
        what, name = self._match_valid_url(url).group("what", "id")
        if what == "list":
            return {"_type": "playlist", "id": name, "title": "Odd", "entries": odd_values.ENTRIES[name]}
        if what == "info":
            return odd_values.INFOS[name]
        if what == "breaks":  # in the middle
            return self.playlist_result(self._breaking(url, name), name, "Breaking")
        if what == "endless":
            return self.playlist_result(self._endless(url, name), name, "Endless")
        raise odd_values.ERRORS[name]()

    def _breaking(self, url, name):
        yield from odd_values.ENTRIES[name]
        raise odd_values.ERRORS[name]()

    def _endless(self, url, name):
        site = url.partition("/odd/")[0]
        for number in itertools.count():
            if name == "empty":  # a page after the other without a video
                self._download_webpage(f"{site}/page", name)
            else:
                yield self.url_result(f"{site}/site/watch/ok-{number}", ShapeVideoIE, f"ok-{number}", "Video")
