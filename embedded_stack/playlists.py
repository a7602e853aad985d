"""Which playlists `make up` ingests."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from embedded_stack.demo_feed import demo_playlist
from embedded_stack.errors import PlaylistMissing
from framesearch.settings import CHECKOUT, Settings

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")  # https://..., and yt-dlp's own ytsearch5:...
_HOST = re.compile(r"[\w-]+(\.[\w-]+)+/")  # an address without its scheme: www.youtube.com/...


def resolve(named: Sequence[str], folder: Path) -> list[str]:
    """Playlists as they were named, folders and files made absolute.

    Args:
        folder: that relative paths start from.

    Raises:
        PlaylistMissing: a folder does not exist.
    """
    found = []
    for name in filter(None, (name.strip() for name in named)):
        path = (folder / os.path.expanduser(name)).resolve()  # noqa: PTH111 - Path's own fails on unknown users
        if path.exists():
            found.append(str(path))
        elif _SCHEME.match(name) or (_HOST.match(name) and not name.startswith(".")):
            found.append(name)
        else:
            raise PlaylistMissing(
                f"there is no folder {path}: name a folder of video files, or the address of a playlist "
                "(https://...). Nothing was started."
            )
    return found


def choose(named: Sequence[str], settings: Settings) -> tuple[list[str], bool]:
    """What to ingest (nothing: all that is followed), and whether the demo feed has to run for it.

    Raises:
        PlaylistMissing: a folder, named here or in the settings, does not exist.
    """
    demo, followed = demo_playlist(settings.demo_port), _followed(settings)
    chosen = resolve(named, Path.cwd())
    configured = resolve(settings.playlists, CHECKOUT)
    if not chosen and not followed:
        chosen = configured or [demo]
    elif not chosen and configured:
        chosen = list(dict.fromkeys([*configured, *followed]))
    return chosen, demo in chosen or demo in followed


def _followed(settings: Settings) -> list[str]:
    """What the catalogue follows already."""
    from framesearch.catalogue import open_catalogue

    return [playlist.url for playlist in open_catalogue(settings).playlists()]
