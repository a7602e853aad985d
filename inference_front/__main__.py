"""Start the search page: `python -m inference_front`."""

import ctypes
import logging
from contextlib import suppress

from framesearch.settings import settings
from framesearch.system.privacy import close_to_others

_M_ARENA_MAX = -8  # of glibc's malloc.h

# Streamlit runs every interaction in a thread of its own. With an arena for each, glibc holds on to a hundred megabytes
# of pictures long gone; other C libraries have no such option and need none.
with suppress(OSError, AttributeError):
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

from inference_front.server import app, options  # noqa: E402 - starts threads, so after the line on arenas

close_to_others(settings())
app.run(config=options(settings()))
