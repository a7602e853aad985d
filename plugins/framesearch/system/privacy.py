"""A home is its owner's: what lies in it holds secrets, logs and the pictures of other people's videos.

Closing the folder keeps everybody else from whatever lies below it, however it was made; the umask of our own processes
closes the files as well, wherever they are carried later.
"""

import logging
import os
import stat
from pathlib import Path

from framesearch.settings import CHECKOUT, Settings

log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def close_to_others(settings: Settings) -> str | None:
    """Let nobody but the owner into the home, nor into what this process and its children make from now on.

    To be called first by every program that writes to a home. Left open are the home of another user, and a folder that
    holds more than a home does: that of the user, the checkout, what these lie in.

    Returns:
        What the user should know of a home that stays open; None where it is closed, or not there yet.
    """
    os.umask(os.umask(_OTHERS) | _OTHERS)
    home = settings.home
    try:
        known = home.stat()
    except OSError:
        return None  # who makes it says why that fails, or closes it by the umask
    mode = stat.S_IMODE(known.st_mode)
    if not mode & _OTHERS or known.st_uid != os.geteuid():
        return None
    if any(place.is_relative_to(home) for place in (Path.home(), CHECKOUT)):
        return (
            f"FRAMESEARCH_HOME={home} holds more than framesearch's files and stays open to other users "
            f"(mode {mode:o}): name a folder of its own"
        )
    home.chmod(mode & ~_OTHERS)
    log.warning("closed %s to other users: its mode was %o", home, mode)
    return None
