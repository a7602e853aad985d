"""The page's ASGI entry: Streamlit beside routes of our own.

Local videos are served from here, by the id of an indexed video and never by a path: a browser asks for the ranges it
plays, where `st.video` would hold each whole file in memory.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from framesearch.errors import FramesearchError
from framesearch.same_origin import SameOrigin, served_names
from framesearch.settings import Settings, settings
from framesearch.sources.playback import playable_kind
from inference_front.library import VIDEO_ROUTE, finder, local_file


def video(request: Request) -> Response:
    """A local video of the index, in ranges."""
    try:
        found = finder().video(request.path_params["video_id"])
    except FramesearchError:
        found = None
    path = local_file(found) if found is not None else None
    kind = playable_kind(str(path)) if path is not None else None
    if path is None or kind is None:
        return PlainTextResponse("no such video in the library", status_code=404)
    return FileResponse(path, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})


# Around everything, the page's socket included; what Streamlit checks itself is less, and comes after it.
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[Route(VIDEO_ROUTE + "{video_id}", video)],
    middleware=[Middleware(SameOrigin, names=served_names(settings()))],
)


def options(chosen: Settings) -> dict[str, object]:
    """Streamlit's options for these settings."""
    return {
        "server.address": chosen.host,
        "server.port": chosen.page_port,
        "server.headless": True,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,  # which in Streamlit means: other origins are refused
        "server.maxUploadSize": max(1, round(chosen.max_query_mb)),
        "server.fileWatcherType": "none",
        "runner.magicEnabled": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.base": "light",
        "theme.primaryColor": "#0b6e69",
        "theme.backgroundColor": "#ffffff",
        "theme.secondaryBackgroundColor": "#f3f6f6",
        "theme.textColor": "#1d2a2a",
    }
