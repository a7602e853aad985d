"""A web server on loopback that behaves as each test wants, down to the single byte."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable

Answer = Callable[["Client"], None]


class Client:
    """A connection of one request, to be answered byte by byte.

    Attributes:
        path: what was asked for.
        sent: bytes that it took.
    """

    def __init__(self, connection: socket.socket, path: str, headers: str) -> None:
        self.connection, self.path, self.headers = connection, path, headers
        self.sent = 0

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def head(self, status: str = "200 OK", **headers: str | int) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode())

    def answer(self, body: bytes, kind: str = "application/octet-stream") -> None:
        self.head(Content_Type=kind, Content_Length=len(body))
        self.send(body)

    def redirect(self, target: str) -> None:
        self.head("302 Found", Location=target, Content_Length=0)

    def drip(self, data: bytes = b"x", pause_s: float = 0.05) -> None:
        """Send the same again and again, until the client has had enough."""
        while True:
            self.send(data)
            time.sleep(pause_s)


class HostileServer:
    """A context manager.

    Attributes:
        answers: by path, what is done with a request for it; other paths are not found.
        requests: paths that were asked for, in order.
        clients: their connections.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.clients: list[Client] = []
        self.on_connect: Callable[[socket.socket], None] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def feed(self, *urls: str, titles: tuple[str, ...] = ()) -> str:
        """Serve a feed of these enclosures; its address."""
        named = titles or tuple(f"film {number}" for number in range(len(urls)))
        items = "".join(
            f'<item><title>{title}</title><guid>{title}</guid><enclosure url="{url}" type="video/mp4"/></item>'
            for title, url in zip(named, urls, strict=True)
        )
        body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>F</title>{items}</channel></rss>'.encode()
        self.answers["/feed.xml"] = lambda client: client.answer(body, "application/rss+xml")
        return f"{self.address}/feed.xml"

    def __enter__(self) -> "HostileServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self.on_connect is not None:
                self.on_connect(connection)
                return
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            head = request.decode("latin-1")
            path = head.split(" ", 2)[1]
            client = Client(connection, path, head)
            self.requests.append(path)
            self.clients.append(client)
            self.answers.get(path.partition("?")[0], lambda client: client.head("404 Not Found"))(client)
