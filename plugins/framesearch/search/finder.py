"""Answering pictures from the published index."""

import logging
import math
import threading
import time

import numpy as np

from framesearch.backends import open_storage
from framesearch.errors import FramesearchError, NoIndex, NotStored
from framesearch.images.pixels import BLANK_QUALITY, fit_height, quality
from framesearch.index.bundle import Bundle, IndexedVideo, open_bundle
from framesearch.index.card import Card
from framesearch.index.pointer import parse_pointer
from framesearch.records import Answer, Match
from framesearch.search.admission import Admission
from framesearch.search.frame_cache import FrameCache
from framesearch.search.frame_reader import FrameReader, row_at
from framesearch.search.moment import moment
from framesearch.search.query import read_query
from framesearch.search.ranking import Place, rank
from framesearch.search.repeats import first_shown
from framesearch.settings import Settings
from framesearch.sources.links import link_at
from framesearch.store import layout
from framesearch.system.memory import return_large_blocks

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0  # how often the pointer is looked at
_LARGEST_HEIGHT = 480  # pixels: no step looks at more of a picture
_LONGEST = 8.0  # times as long as broad: beyond that a picture is a strip, and scaled to a height it fills the memory
RETRY_DAMAGED_S = 60.0  # a bundle that could not be opened is tried again after this


class Finder:
    """Answers pictures from the published index and moves on to a newer one by itself. Safe to use from threads.

    However many ask at once, no more searches run than the machine gains by, in the order of asking: see `admission`.

    A new bundle is opened whole beside the one that serves and then takes its place: searches under way finish on the
    one they began with, and none fails. A new bundle that is damaged is logged, and the old one goes on serving.
    """

    def __init__(self, settings: Settings) -> None:
        return_large_blocks()  # before threads have heaps of their own
        self._storage = open_storage(settings)
        self._frames = FrameReader(self._storage)
        self._pictures = FrameCache(self._frames)
        self._serving: Bundle | None = None
        self._generation: str | None = None  # of the pointer that led to `_serving`
        self._checked_at = -math.inf
        self._refused: tuple[str, float] | None = None  # generation of a bundle that could not be opened, and when
        self._opening = threading.Lock()
        self._admission = Admission()

    # ---- which index

    @property
    def card(self) -> Card:
        """The card of the index that serves, opened where none does yet.

        Raises:
            NoIndex, IndexIncompatible: as `search`.
        """
        return self._bundle().card

    def refresh(self) -> bool:
        """Look at the pointer now and open the bundle it names, if that is not the one that serves.

        Returns:
            Whether another bundle serves now.

        Raises:
            NoIndex: nothing was published yet.
            IndexIncompatible: the published bundle is damaged and no older one serves.
        """
        with self._opening:
            return self._open_published()

    def _open_published(self) -> bool:
        self._checked_at = time.monotonic()
        for attempt in (1, 2):
            value, generation = self._storage.read_pointer(layout.INDEX_POINTER)
            if value is None:
                if self._serving is not None:
                    return False
                raise NoIndex("nothing is indexed yet: ingest a playlist first, `framesearch run PLAYLIST`")
            if generation == self._generation:
                return False
            if (
                self._serving is not None
                and self._refused is not None
                and self._refused[0] == generation
                and time.monotonic() - self._refused[1] < RETRY_DAMAGED_S
            ):
                return False
            started = time.monotonic()
            try:
                bundle = open_bundle(self._storage, parse_pointer(value), threads=1)
                bundle.gallery.prepare()  # before a query waits for it
            except FramesearchError as error:
                if attempt == 1 and isinstance(error, NoIndex | NotStored):
                    continue  # cleaned away between two looks: the pointer has moved on
                self._refused = (generation, time.monotonic())
                if self._serving is None:
                    raise
                log.error(
                    "index %s goes on serving: the new one can't be opened: %s", self._serving.card.index_id, error
                )
                return False
            self._serving, self._generation, self._refused = bundle, generation, None
            card, seconds = bundle.card, time.monotonic() - started
            log.info("index %s opened: %d rows of %d videos, %.2f s", card.index_id, card.rows, card.videos, seconds)
            return True
        return False

    def _bundle(self) -> Bundle:
        """The bundle to search. The first is waited for; a newer one is opened in the background."""
        serving = self._serving
        if serving is None:
            self.refresh()
            assert self._serving is not None
            return self._serving
        if time.monotonic() - self._checked_at >= CHECK_EVERY_S and self._opening.acquire(blocking=False):
            try:
                self._checked_at = time.monotonic()
                if self._storage.read_pointer(layout.INDEX_POINTER)[1] != self._generation:
                    threading.Thread(target=self._open_quietly, name="open-index", daemon=True).start()
            finally:
                self._opening.release()
        return serving

    def _open_quietly(self) -> None:
        try:
            self.refresh()
        except Exception:  # a thread has nobody to raise to
            log.exception("the published index could not be opened")

    # ---- answers

    def search(self, rgb: np.ndarray, top: int = 10) -> Answer:
        """Find a picture: RGB uint8 (H, W, 3) of any size.

        Raises:
            NoIndex: nothing was published yet.
            IndexIncompatible: the published index is damaged, and no older one serves.
        """
        asked_at = time.perf_counter()
        return self._admission.run(lambda: self._search(rgb, top, asked_at))

    def _search(self, rgb: np.ndarray, top: int, asked_at: float) -> Answer:
        bundle = self._bundle()
        calibration = bundle.card.calibration

        degraded = False

        def answer(found: bool, matches: tuple[Match, ...], view: str | None, reason: str | None) -> Answer:
            elapsed_ms = (time.perf_counter() - asked_at) * 1000
            return Answer(found, matches, view, elapsed_ms, bundle.card.index_id, reason, degraded)

        if max(rgb.shape[:2]) > _LONGEST * min(rgb.shape[:2]):
            told = f"The picture is a strip, {rgb.shape[1]} x {rgb.shape[0]} pixels: cut out what shows the video."
            return answer(False, (), None, told)
        rgb = fit_height(rgb, _LARGEST_HEIGHT)
        if quality(rgb) < BLANK_QUALITY:
            return answer(False, (), None, "The picture is blank or nearly so: every video has frames like it.")
        gallery, pictures = bundle.gallery, self._pictures.of(bundle.gallery)
        query = read_query(bundle.encoder, rgb)
        ranked = rank(gallery, query, top, pictures, weights=bundle.card.weights, still_score=calibration.still_score)
        places, degraded = ranked.places, ranked.degraded
        matches: list[Match] = []
        for place, first in zip(places, first_shown(places, pictures), strict=True):
            confidence = (calibration.further if matches else calibration.first)(place.score)
            confidence = min(confidence, matches[-1].confidence) if matches else confidence
            at_s = float(gallery.timestamps_s[place.row]) if matches else moment(gallery, query, place, pictures)
            matches.append(_match(bundle, place, at_s, confidence, first))
        found = bool(places) and places[0].score >= calibration.found_score
        view = places[0].view if places else None
        reason = None if found else "Nothing in the library looks enough like the picture to be sure."
        return answer(found, tuple(matches), view, reason)

    def thumbnail(self, match: Match) -> bytes:
        """The stored frame of a match, as JPEG bytes.

        Raises:
            NotStored: it is no longer stored, or can't be read.
        """
        gallery = self._bundle().gallery
        row = row_at(gallery, match.video_id, match.frame_s)
        jpeg = None if row is None else self._frames.jpegs(gallery, [row]).get(row)
        if jpeg is None:
            raise NotStored(f"the frame of video {match.video_id} at {match.frame_s} s can't be read from the storage")
        return jpeg

    def video(self, video_id: str) -> IndexedVideo | None:
        """What the index knows of a video; None where it does not hold it."""
        return next((video for video in self._bundle().videos if video.video_id == video_id), None)


def _match(bundle: Bundle, place: Place, timestamp_s: float, confidence: float, repeats: int | None) -> Match:
    video = bundle.videos[place.video]
    return Match(
        video_id=video.video_id,
        title=video.title,
        url=link_at(video.url, timestamp_s),
        timestamp_s=timestamp_s,
        start_s=min(timestamp_s, float(bundle.gallery.timestamps_s[place.first_row])),
        end_s=max(timestamp_s, float(bundle.gallery.until_s[place.last_row])),
        frame_s=float(bundle.gallery.timestamps_s[place.row]),
        score=place.score,
        confidence=confidence,
        box=None if place.box is None else tuple((float(x), float(y)) for x, y in place.box.round(4)),
        repeats=repeats,
    )
