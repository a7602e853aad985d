"""Which playlists `make up` ingests."""

from collections.abc import Sequence
from pathlib import Path

from embedded_stack.demo_feed import demo_playlist
from embedded_stack.errors import PlaylistMissing
from framesearch.settings import CHECKOUT, Settings
from framesearch.sources.addresses import local_path, normalise, readable


def resolve(named: Sequence[str], folder: Path) -> list[str]:
    """Playlists as the catalogue calls them.

    Args:
        folder: that relative paths start from.

    Raises:
        PlaylistMissing: a folder does not exist.
    """
    found = []
    for name in filter(None, (name.strip() for name in named)):
        playlist = normalise(name, folder)
        path = local_path(playlist)
        if path is not None and not path.exists():
            raise PlaylistMissing(
                f"there is no folder {readable(playlist)}: name a folder of video files, or the address of a playlist "
                "(https://...). Nothing was started."
            )
        found.append(playlist)
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
    from framesearch.backends import open_catalogue

    return [playlist.url for playlist in open_catalogue(settings).playlists()]
