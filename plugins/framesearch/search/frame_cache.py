"""Stored frames by row of a gallery, as pictures: read many times, decoded once."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import count
from weakref import WeakKeyDictionary

import numpy as np

from framesearch.errors import ImageUnreadable
from framesearch.images.pixels import decode_jpeg
from framesearch.index.gallery import Gallery
from framesearch.search.frame_reader import FrameReader

log = logging.getLogger(__name__)

KEPT_BYTES = 90_000_000  # 520 pictures of 180 x 320 pixels

_Key = tuple[int, int]  # a gallery and its row: a video may be stored anew for the next one


class FrameCache:
    """Keeps decoded frames; safe to use from threads. Frames that are gone or damaged are left out, and logged."""

    def __init__(self, reader: FrameReader, kept_bytes: int = KEPT_BYTES) -> None:
        """Keep nothing yet.

        Args:
            reader: gives the frames that are not kept.
            kept_bytes: of pictures that are kept at most, those that were asked for last.
        """
        self._reader, self._most = reader, kept_bytes
        self._galleries: WeakKeyDictionary[Gallery, int] = WeakKeyDictionary()
        self._numbers = count()
        self._kept: OrderedDict[_Key, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def kept_bytes(self) -> int:
        """Of the pictures that are kept now."""
        return self._bytes

    def of(self, gallery: Gallery) -> "Callable[[Iterable[int]], dict[int, np.ndarray]]":
        """What `ranking.rank` asks for the frames of this gallery's rows."""
        with self._lock:
            if gallery not in self._galleries:
                self._galleries[gallery] = next(self._numbers)
            number = self._galleries[gallery]
        return lambda rows: self._read(gallery, number, list(rows))

    def _read(self, gallery: Gallery, number: int, rows: list[int]) -> dict[int, np.ndarray]:
        """The frames of these rows that can be had, RGB uint8 (H, W, 3)."""
        found: dict[int, np.ndarray] = {}
        with self._lock:
            for row in rows:
                rgb = self._kept.get((number, row))
                if rgb is not None:
                    self._kept.move_to_end((number, row))
                    found[row] = rgb
        decoded: dict[int, np.ndarray] = {}
        for row, jpeg in self._reader.jpegs(gallery, [row for row in rows if row not in found]).items():
            try:
                decoded[row] = decode_jpeg(jpeg)
            except ImageUnreadable as error:
                log.warning("row %d can't be decoded: %s", row, error)
        self._keep({(number, row): rgb for row, rgb in decoded.items()})
        return found | decoded

    def _keep(self, pictures: dict[_Key, np.ndarray]) -> None:
        with self._lock:
            for key, rgb in pictures.items():
                before = self._kept.pop(key, None)  # another thread may have read it meanwhile
                self._kept[key] = rgb
                self._bytes += rgb.nbytes - (0 if before is None else before.nbytes)
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
