"""An end to everything that a server can draw out: a time in all, and a least rate for each body.

Timeouts of sockets bound only the silence between two bytes, and a server that sends one byte a second is never silent.
The watchdog therefore cuts the connections themselves, whatever they are at: handshake, headers or body.
"""

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Iterator

SLOW_WINDOWS = 3  # a body's rate is the average over so many socket timeouts


class Body:
    """One body that is being received: how much of it came while how long it was waited for."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._waited_s, self._received = 0.0, 0
        self._window = (0.0, 0)  # waited and received when the current window began

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While a read is under way; pauses between reads are the reader's own."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._waited_s, self._since = self._waited(), None

    def add(self, size: int) -> None:
        """So many bytes came."""
        self._received += size

    def rate(self, window_s: float) -> float | None:
        """Bytes a second in the window that ends now; None while that is not over."""
        waited_s, received = self._waited(), self._received
        window_waited_s, window_received = self._window
        if waited_s - window_waited_s < window_s:
            return None
        self._window = waited_s, received
        return (received - window_received) / (waited_s - window_waited_s)

    def _waited(self) -> float:
        since = self._since
        return self._waited_s + (time.monotonic() - since if since is not None else 0.0)


class Watchdog:
    """Cuts a session's connections when its time is over or a body comes too slowly; a context manager.

    Args:
        limit_s: time for everything, seconds.
        least_rate: bytes a second, on average over `window_s` of waiting for one body.

    Attributes:
        verdict: why it cut the connections, as a clause; None while it did not.
        too_slow: whether that was for the rate, not for the time.
    """

    def __init__(self, limit_s: float, least_rate: float, window_s: float) -> None:
        self._limit_s, self._least_rate, self._window_s = limit_s, least_rate, window_s
        self._started = time.monotonic()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._bodies: weakref.WeakSet[Body] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.verdict: str | None = None
        self.too_slow = False

    def __enter__(self) -> "Watchdog":
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def extend(self, seconds: float) -> None:
        """Allow so much more time."""
        self._limit_s += seconds

    def watch(self, connected: socket.socket) -> None:
        """Cut this connection, too, when it comes to that."""
        with self._lock:
            self._sockets.add(connected)
        self._cut_if_over()

    def body(self) -> Body:
        """Watch one more body."""
        body = Body()
        with self._lock:
            self._bodies.add(body)
        return body

    def _run(self) -> None:
        tick_s = min(1.0, self._window_s / 4, max(self._limit_s / 20, 0.02))
        while not self._over.wait(tick_s):
            self._judge()
            self._cut_if_over()

    def _judge(self) -> None:
        if self.verdict is not None:
            return
        if time.monotonic() - self._started > self._limit_s:
            self.verdict = f"took longer than {_duration(self._limit_s)}"
            return
        with self._lock:
            rates = [body.rate(self._window_s) for body in self._bodies]
        slow = [rate for rate in rates if rate is not None and rate < self._least_rate]
        if slow:
            self.too_slow = True
            self.verdict = f"came at {min(slow) / 1000:.2f} kB a second for {_duration(self._window_s)}"

    def _cut_if_over(self) -> None:
        if self.verdict is None:
            return
        with self._lock:
            watched = list(self._sockets)
        for connected in watched:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(connected, socket.SHUT_RDWR)  # of TLS, too, without its farewell


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:g} s"
