"""A real RSS feed of a folder's videos on loopback, for the real yt-dlp; tests can make it fail in every way."""

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape


class LocalFeed:
    """A feed of the files in a folder, in the order of their names.

    Attributes:
        faults: by path ("/feed.xml", "/a.mp4"): an HTTP status to answer with, "drop" to close the connection in the
            middle of the answer, or a number of seconds (float) to be silent for first.
        requests: paths with their queries that were asked for, in order.
    """

    def __init__(self, folder: Path, title: str = "A feed") -> None:
        self.folder, self.title = folder, title
        self.faults: dict[str, int | float | str] = {}
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.address}/feed.xml"

    def xml(self) -> bytes:
        items = "".join(
            f"<item><title>{escape(file.stem)}</title><guid>{escape(file.name)}</guid>"
            f'<enclosure url="{self.address}/{quote(file.name)}" type="video/mp4" length="1"/></item>'
            for file in sorted(self.folder.iterdir())
        )
        return (
            f'<?xml version="1.0"?><rss version="2.0"><channel><title>{self.title}</title>{items}</channel></rss>'
        ).encode()

    def __enter__(self) -> "LocalFeed":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, feed: LocalFeed, *arguments) -> None:
        self.feed = feed
        super().__init__(*arguments, directory=str(feed.folder))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.feed.requests.append(unquote(self.path))
        fault = self.feed.faults.get(path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # yt-dlp closes early
            if isinstance(fault, int):
                self.send_error(fault)
                return
            if isinstance(fault, float):
                time.sleep(fault)
            if path == "/feed.xml":
                self._answer(self.feed.xml(), "application/rss+xml")
            elif fault == "drop":
                whole = (self.feed.folder / path[1:]).read_bytes()
                self._answer(whole[: len(whole) // 2], "video/mp4", claimed=len(whole))
                self.close_connection = True
            elif self.command == "HEAD":
                super().do_HEAD()
            else:
                super().do_GET()

    def _answer(self, body: bytes, kind: str, claimed: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def local_feed(folder: Path, title: str = "A feed") -> Iterator[LocalFeed]:
    with LocalFeed(folder, title) as feed:
        yield feed
