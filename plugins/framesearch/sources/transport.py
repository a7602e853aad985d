"""The only way on which yt-dlp reaches the network: one of its own back ends (requests), bounded and kept within reach.

Its other back ends are left out: they would have to be bounded, too, and nothing that is ingested needs them. Import
this only where yt-dlp is used: it takes a second.
"""

import functools
import io
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import urllib3
import urllib3.exceptions
from requests import PreparedRequest, Response
from yt_dlp import YoutubeDL
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsResponseAdapter, RequestsRH, select_proxy
from yt_dlp.networking.exceptions import HTTPError, RequestError

from framesearch.sources.reach import OutOfReach, Reach, host_and_port
from framesearch.sources.watchdog import Watchdog
from framesearch.text import safe_text

_CHUNK = 1 << 16  # bytes that are read at a time
_ADDRESSES = 4  # of a host that are tried
_REDIRECTS = 10
_LIMIT = "FRAMESEARCH_MAX_FEED_MB"


class Forbidden(RequestError):  # type: ignore[misc]
    """A request would lead where this installation does not go."""


class TooLarge(RequestError):  # type: ignore[misc]
    """A page, feed or manifest is larger than anything sensible."""


class TimeOver(RequestError):  # type: ignore[misc]
    """The watchdog ended the session."""


class Bounds:
    """What every request of a session is bound to.

    Args:
        page_limit: bytes of what is read whole: pages, feeds, manifests, keys.

    Attributes:
        refusals: requests that were refused, in order; yt-dlp may have gone on without them.
    """

    def __init__(self, reach: Reach, watchdog: Watchdog, page_limit: int) -> None:
        self.reach, self.watchdog, self.page_limit = reach, watchdog, page_limit
        self.refusals: list[RequestError] = []

    def refuse(self, refusal: RequestError) -> RequestError:
        """Note a refusal and return it, to be raised."""
        self.refusals.append(refusal)
        return refusal

    def check_time(self) -> None:
        """Raises `TimeOver` where the watchdog says so."""
        if self.watchdog.verdict is not None:
            raise TimeOver(self.watchdog.verdict)


class BoundedYoutubeDL(YoutubeDL):  # type: ignore[misc]
    """yt-dlp with one network back end, the bounded one."""

    def __init__(self, options: dict[str, Any], bounds: Bounds) -> None:
        self._bounds = bounds
        super().__init__(options)

    def build_request_director(self, handlers: object, preferences: object = None) -> Any:
        """As yt-dlp's own, whatever back ends there are."""
        return super().build_request_director([functools.partial(BoundedRH, self._bounds)])

    def save_cookies(self) -> None:
        """The operator's file of cookies stays as it is."""


class BoundedRH(RequestsRH):  # type: ignore[misc]
    """yt-dlp's back end for requests, on bounded connections."""

    def __init__(self, bounds: Bounds, **options: Any) -> None:
        self._bounds = bounds
        super().__init__(**options)

    def _validate(self, request: Any) -> None:
        _check_scheme(request.url, self._bounds)
        super()._validate(request)

    def _get_proxies(self, request: Any) -> dict[str, str]:
        # Only the operator's: what a page names as a proxy may be any address.
        return dict(self.proxies)

    def _send(self, request: Any) -> Any:
        # A second object around the same answer would close it when the first one is collected: the class is changed.
        try:
            response = super()._send(request)
        except HTTPError as error:
            error.response.__class__ = _BoundedResponse
            raise
        response.__class__ = _BoundedResponse
        return response

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        session = super()._create_instance(cookiejar=cookiejar, legacy_ssl_support=legacy_ssl_support)
        session.max_redirects = _REDIRECTS
        adapter = _Adapter(
            self._bounds,
            ssl_context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
            source_address=self.source_address,
            max_retries=urllib3.util.retry.Retry(False),
        )
        session.adapters.clear()
        session.mount("", adapter)  # every scheme: a redirect may name any
        return session


class _Adapter(RequestsHTTPAdapter):  # type: ignore[misc]
    """Each request on its way out, redirected ones as well, and each answer's body on its way in."""

    def __init__(self, bounds: Bounds, **options: Any) -> None:
        self._bounds = bounds
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(urllib3.HTTPConnectionPool, self._bounds),
            "https": _pool_class(urllib3.HTTPSConnectionPool, self._bounds),
        }

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        bounds, url = self._bounds, str(request.url)
        bounds.check_time()
        host, port = _check_scheme(url, bounds)
        if select_proxy(url, options.get("proxies") or {}):
            try:
                bounds.reach.check_unresolved(host, port)
            except OutOfReach as error:
                raise _forbidden(bounds, url, error) from error
        try:
            response = super().send(request, *args, **options)
        except OutOfReach as error:
            raise _forbidden(bounds, url, error) from error
        except Exception:
            bounds.check_time()
            raise
        response.raw = _BoundedBody(response.raw, url, bounds)
        if response.is_redirect:  # its body is nobody's concern
            response._content, response._content_consumed = b"", True
            response.raw.close()
        result: Response = response
        return result


def _check_scheme(url: str, bounds: Bounds) -> tuple[str, int]:
    """The host and port of what may be fetched at all."""
    found = host_and_port(url)
    if found is None:
        raise bounds.refuse(Forbidden(f"{safe_text(url, 200)} is no http or https address ({urlsplit(url).scheme}:)"))
    return found


def _forbidden(bounds: Bounds, url: str, error: OutOfReach) -> RequestError:
    return bounds.refuse(Forbidden(f"{safe_text(url, 200)} leads to {error}, which is no public address"))


def _pool_class(base: Any, bounds: Bounds) -> Any:
    """A pool of connections that are made to checked addresses only and are watched."""

    class BoundedConnection(base.ConnectionCls):  # type: ignore[misc]
        _dns_host: str
        _handshake: socket.socket | None = None

        def connect(self) -> None:
            try:
                super().connect()
                bounds.watchdog.watch(self.sock)
            finally:
                if self._handshake is not None:
                    self._handshake.close()

        def _new_conn(self) -> socket.socket:
            name: str = self._dns_host  # what urllib3 connects to; `host` is also what TLS checks
            failure: Exception | None = None
            try:
                addresses = bounds.reach.addresses(self.host, self.port)
            except socket.gaierror as error:
                raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
            for address in addresses[:_ADDRESSES]:
                bounds.check_time()
                try:
                    self._dns_host = address  # exactly the one that was checked: a name may change meanwhile
                    connected: socket.socket = super()._new_conn()
                except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError) as error:
                    failure = error
                    continue
                finally:
                    self._dns_host = name
                # TLS takes the socket's descriptor over: until it is done, only one of our own reaches the connection.
                self._handshake = connected.dup()
                bounds.watchdog.watch(self._handshake)
                return connected
            raise failure or urllib3.exceptions.NewConnectionError(self, "no address")

    class BoundedPool(base):  # type: ignore[misc]
        ConnectionCls = BoundedConnection

    return BoundedPool


class _BoundedResponse(RequestsResponseAdapter):  # type: ignore[misc]
    """An answer as extractors read it."""

    def _real_read(self, amt: int | None = None) -> bytes:
        whole: bytes = self.fp.read(amt, decode_content=True)  # yt-dlp itself would read an endless one piece by piece
        return whole


class _BoundedBody:
    """urllib3's response, read in small pieces: watched, and no more of it at once than a page may have."""

    def __init__(self, raw: Any, url: str, bounds: Bounds) -> None:
        self._raw, self._url, self._bounds = raw, url, bounds
        self._watched = bounds.watchdog.body()

    def read(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        if amt is not None:
            return self._read(min(amt, _CHUNK), decode_content)
        whole = io.BytesIO()
        for piece in iter(lambda: self._read(_CHUNK, decode_content), b""):
            whole.write(piece)
            if whole.tell() > self._bounds.page_limit:
                self.close()
                limit = f"{self._bounds.page_limit / 1e6:g} MB"
                raise self._bounds.refuse(
                    TooLarge(f"{safe_text(self._url, 200)} is a page or feed of over {limit}, see {_LIMIT}")
                )
        return whole.getvalue()

    def _read(self, size: int, decode_content: bool | None) -> bytes:
        try:
            with self._watched.waiting():
                piece: bytes = self._raw.read(size, decode_content=decode_content)
        except Exception:
            self._bounds.check_time()
            raise
        self._bounds.check_time()  # a connection that was cut looks like the end of the body
        self._watched.add(len(piece))
        return piece

    def stream(self, amt: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
        """In pieces, as requests reads it."""
        return iter(lambda: self.read(amt, decode_content), b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
