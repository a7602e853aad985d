"""Addresses of videos, for people to open."""

import math
from urllib.parse import parse_qs, urlsplit


def link_at(url: str, timestamp_s: float) -> str:
    """A link that opens a YouTube video at the second, rounded down; any other address as it is."""
    youtube_id = youtube_video(url)
    return url if youtube_id is None else f"https://youtu.be/{youtube_id}?t={max(0, math.floor(timestamp_s))}"


def youtube_video(url: str) -> str | None:
    """The id of a YouTube address's video, None for any other address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("music.")
    segments = [segment for segment in parts.path.split("/") if segment]
    if host == "youtu.be" and segments:
        return segments[0]
    if host in ("youtube.com", "youtube-nocookie.com"):
        if segments[:1] == ["watch"]:
            return next(iter(parse_qs(parts.query).get("v", [])), None)
        if len(segments) > 1 and segments[0] in ("shorts", "embed", "live", "v"):
            return segments[1]
    return None
