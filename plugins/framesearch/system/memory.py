"""Memory that goes back to the system: a setting of the C library, for processes that answer for days.

Searching takes and frees arrays of megabytes by the hundred. glibc serves them from a mapping of their own at first and
gives that back, but raises the size from which it does so to the largest it ever freed, up to 32 MB; from then on they
lie in the heaps of the threads, between small things that stay, and the heaps only grow: by 300 MB with two searches at
once. With a fixed size the memory stays where it was, and a query takes the same processor time.
"""

import ctypes
import logging

log = logging.getLogger(__name__)

_M_MMAP_THRESHOLD = -3  # of mallopt(3)
MAPPED_FROM = 2**20  # bytes: smaller ones would cost more time than they save memory


def return_large_blocks() -> bool:
    """Let large blocks of this process always be mapped, and given back when freed. Safe to repeat.

    Returns:
        Whether that was possible: other C libraries have no such setting, and no need of it.
    """
    try:
        done = bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM))
    except (AttributeError, OSError, TypeError):
        done = False
    log.debug("large blocks of memory are %s", "given back when freed" if done else "left to the C library")
    return done
