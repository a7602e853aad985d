"""How many searches run at once, however many ask: as many as there are cores to gain by, the others wait their turn.

About half of a search holds Python's lock, and the rest, in OpenCV, ONNX Runtime and FAISS, takes a core each. More of
them at once only pass the lock round and push each other's pictures out of the caches: on two cores eight threads
together answered a third less than two. They run in threads that stay, since the C library holds on to what each thread
once used at most, and a server that starts a thread for every request would keep that of all.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from loky import cpu_count

MOST = 4
"""At once, on machines with more cores: the lock is held without a break by then."""

T = TypeVar("T")


class Admission:
    """Calls functions in a few threads of its own, those that came first first. Safe to use from threads.

    Attributes:
        at_once: how many run side by side.
    """

    def __init__(self, at_once: int | None = None) -> None:
        """Start no thread yet.

        Args:
            at_once: by default as many as the process may use cores, its affinity and its container's quota counted,
                and at most `MOST`.
        """
        self.at_once = at_once or min(MOST, cpu_count())
        self._inside = threading.local()
        # A method of ours as initialiser would keep us, and with us the threads, for ever.
        self._threads = ThreadPoolExecutor(self.at_once, "search", setattr, (self._inside, "entered", True))

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises, once it had its turn. From within another such call, at once."""
        if getattr(self._inside, "entered", False):
            return call()  # whose turn it is already; waiting for another thread, all might wait for each other
        turn = self._threads.submit(call)
        try:
            return turn.result()
        finally:
            turn.cancel()  # where the caller was interrupted before it had its turn
            del turn  # which holds the error, whose traceback holds this frame
