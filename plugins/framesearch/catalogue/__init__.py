"""The catalogue: what is known of playlists, videos and index builds.

`contract` says what a catalogue does. One implementation today, `sql`; every implementation passes the same suite
(tests/test_catalogue.py).
"""

from framesearch.catalogue.contract import Catalogue
from framesearch.settings import Settings

__all__ = ["Catalogue", "open_catalogue"]


def open_catalogue(settings: Settings) -> Catalogue:
    """The catalogue that the settings name: its tables are made where missing, and brought up to date where older.

    Raises:
        CatalogueIncompatible: a newer framesearch made it.
    """
    from framesearch.catalogue.sql import SqlCatalogue  # an implementation is loaded only where it is used

    return SqlCatalogue(settings.catalogue)
