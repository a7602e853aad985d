"""Requests with exactly the headers that a test names, over a real connection: as browsers of strangers would send."""

import socket
from email.message import Message
from email.parser import BytesParser

# What a browser sends to open a socket, besides Host and Origin.
HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


def ask(port: int, path: str, *headers: tuple[str, str], method: str = "GET") -> tuple[int, Message]:
    """Status and headers of the answer of a server of this machine; status 0 where it hangs up."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        received = b""
        while b"\r\n\r\n" not in received and (chunk := connection.recv(1 << 16)):
            received += chunk
    if not received:
        return 0, Message()
    first, _, rest = received.partition(b"\r\n")
    return int(first.split()[1]), BytesParser().parsebytes(rest, headersonly=True)


def status(port: int, path: str, *headers: tuple[str, str], method: str = "GET") -> int:
    """The status alone."""
    return ask(port, path, *headers, method=method)[0]


def opens(port: int, path: str, *headers: tuple[str, str]) -> bool:
    """Whether the server opens a socket."""
    return status(port, path, *headers, *HANDSHAKE) == 101


def refuses_strangers(port: int, path: str, *, changing: str = "POST") -> None:
    """Fail unless the server answers there under its own names only, and lets only its own pages change something.

    Args:
        path: of something that it answers with success.
        changing: a method of requests that change something.
    """
    for name in ("127.0.0.1", "localhost", "[::1]"):
        host, origin = ("Host", f"{name}:{port}"), ("Origin", f"http://{name}:{port}")
        answered, headers = ask(port, path, host)
        assert 200 <= answered < 400, (name, answered)
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in headers.get_all("Content-Security-Policy", [])
        for own in ([], [origin], [origin, ("Sec-Fetch-Site", "same-origin")]):  # programs, and its own pages
            answered, headers = ask(port, path, host, *own, method=changing)
            # A 400 in JSON is an API's own, which misses arguments.
            assert answered != 403 and (answered != 400 or headers.get_content_type() == "application/json"), own
        others = [f"http://{other}:{port}" for other in ("127.0.0.1", "localhost", "[::1]") if other != name]
        for other in [*others, f"http://{name}:{port + 1}", f"http://{name}", "http://evil.example", "null"]:
            for body in ([], [("Content-Length", "0")], [("Content-Type", "text/plain"), ("Content-Length", "0")]):
                assert status(port, path, host, ("Origin", other), *body, method=changing) == 403, other
        assert status(port, path, host, ("Sec-Fetch-Site", "same-site"), method=changing) == 403
    own = ("Host", f"localhost:{port}")
    for hosts in ([("Host", f"evil.example:{port}")], [("Host", "localhost.evil.example")], [], [own, own]):
        for method in ("GET", changing):
            assert status(port, path, *hosts, method=method) == 400, hosts
