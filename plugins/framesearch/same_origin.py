"""Who may talk to our servers: only requests to the names that they were told of, and only from their own pages.

On loopback nobody is asked for a login, so any page that a browser on this machine shows could otherwise use us: by
pointing a name of its own at 127.0.0.1 (DNS rebinding, refused by the Host header), by sending requests and opening
sockets to us from where it is (cross-site request forgery, refused by Origin, Sec-Fetch-Site and Referer), or by
showing us in a frame and having a person click there (refused by Content-Security-Policy). Other ports of this machine
are other origins.

Sources: OWASP's cheat sheet on cross-site request forgery; RFC 6454 and RFC 6455 (4.2.2, 10.2) on origins of sockets;
Fetch Metadata Request Headers and Content Security Policy Level 3 of the W3C.
"""

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from framesearch.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Policies of an application's own stay beside ours, the stricter of each directive counts; the older header is one.
_POLICY = (b"content-security-policy", b"frame-ancestors 'self'")
_NO_FRAMES = (b"x-frame-options", b"SAMEORIGIN")
_WRONG_HOST = (
    b"This server does not answer to the name it was called by. FRAMESEARCH_ALLOWED_HOSTS adds names, "
    b"such as that of a reverse proxy.\n"
)
_WRONG_ORIGIN = b"This server accepts such requests only from its own pages.\n"


def served_names(settings: Settings) -> list[str]:
    """Names and addresses under which browsers and clients may call our servers, IPv6 addresses without brackets."""
    own = _names_of_this_machine() if settings.host in _ANY_ADDRESS else [settings.host]
    return list(dict.fromkeys(filter(None, map(_normal, [*_LOOPBACK, *own, *settings.allowed_hosts]))))


class SameOrigin:
    """ASGI middleware that refuses requests under foreign names and from foreign origins, and foreign frames.

    - A Host header that names none of `names`: 400. Its port is not compared, a forwarded port may have another number.
    - An Origin header other than the host's own, port included: 403, whatever the method; only scripts of other pages,
      their forms and their sockets send one. Without it, what changes something is refused where the browser tells
      another way that it comes from elsewhere. Clients that are no browsers tell neither, and pass.
    - Sockets likewise: their handshake is refused.

    Args:
        names: see `served_names`.
    """

    def __init__(self, app: Application, *, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(map(_normal, names))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await _refuse(scope, _without_frames(send), *refusal)
        else:
            await self._app(scope, receive, _without_frames(send))

    def _refusal(self, scope: Message) -> tuple[int, bytes] | None:
        hosts = _header(scope, b"host")
        if len(hosts) != 1 or _authority(hosts[0])[0] not in self._names:
            log.warning("refused a request to the host %.200r", ", ".join(hosts))
            return 400, _WRONG_HOST
        if not _from_own_page(scope, hosts[0]):
            log.warning("refused a request to %.200r from %.200r", scope["path"], _header(scope, b"origin"))
            return 403, _WRONG_ORIGIN
        return None


def _from_own_page(scope: Message, host: str) -> bool:
    origins = _header(scope, b"origin")
    if origins:
        return len(origins) == 1 and _is_own(origins[0], host)
    if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
        return True
    site, referers = _header(scope, b"sec-fetch-site"), _header(scope, b"referer")
    return all(one in ("same-origin", "none") for one in site) and all(_is_own(one, host) for one in referers)


def _is_own(url: str, host: str) -> bool:
    """Whether an Origin or Referer is that of the host that was called; `null` is not."""
    try:
        parts = urlsplit(url)
        # Behind a proxy that ends TLS, only the browser knows the scheme: with it goes the port that is left out.
        implied = _DEFAULT_PORTS[parts.scheme]
        name, port = _normal(parts.hostname or ""), parts.port or implied
    except (ValueError, KeyError):
        return False
    called, called_port = _authority(host)
    return (name, port) == (called, called_port or implied)


def _without_frames(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            kept = [header for header in message.get("headers", ()) if bytes(header[0]).lower() != _NO_FRAMES[0]]
            message = {**message, "headers": [*kept, _POLICY, _NO_FRAMES]}
        await send(message)

    return sending


async def _refuse(scope: Message, send: Send, status: int, said: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the handshake fails with 403
        return
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(said)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),  # its body is not read
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else said})


def _header(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def _authority(host: str) -> tuple[str, int | None]:
    """Name and port of a Host header; no name where it is not well-formed."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return "", None
    if name is None or parts.netloc != host or "@" in host:
        return "", None
    return _normal(name), port


def _normal(name: str) -> str:
    """One spelling of each name and address."""
    name = name.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
    with contextlib.suppress(ValueError):
        # A zone is this machine's own affair, and no browser writes it.
        return ipaddress.ip_address(name.partition("%")[0] if ":" in name else name).compressed
    with contextlib.suppress(UnicodeError):  # browsers write names of other alphabets so
        return name if name.isascii() else name.encode("idna").decode()
    return name


def _names_of_this_machine() -> list[str]:
    """Its name, short and full, and the addresses that these stand for or that its packets carry."""
    name = socket.gethostname()
    addresses = []
    with contextlib.suppress(OSError):  # a name that nothing resolves
        addresses = [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a datagram socket sends nothing; it only chooses the address that packets would leave from.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((anywhere, 9))
            addresses.append(probe.getsockname()[0])
    return [name, socket.getfqdn(), *addresses]
