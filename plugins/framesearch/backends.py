"""Which storage and which catalogue the settings name: the one place to add an implementation of either."""

from pathlib import Path

from framesearch.catalogue.contract import Catalogue
from framesearch.errors import InvalidSetting
from framesearch.settings import Settings
from framesearch.store.folder import FolderStorage
from framesearch.store.storage import Storage


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name.

    Raises:
        InvalidSetting: FRAMESEARCH_STORAGE_URI is not a folder.
    """
    if "://" in settings.storage:
        raise InvalidSetting(f"FRAMESEARCH_STORAGE_URI={settings.storage}: only a local folder can be used so far")
    return FolderStorage(Path(settings.storage), settings.scratch)


def open_catalogue(settings: Settings) -> Catalogue:
    """The catalogue that the settings name: its tables are made where missing, and brought up to date where older.

    Raises:
        CatalogueIncompatible: a newer framesearch made it.
    """
    from framesearch.catalogue.sql import SqlCatalogue  # an implementation is loaded only where it is used

    return SqlCatalogue(settings.catalogue)
