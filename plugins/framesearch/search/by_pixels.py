"""Evidence of the pixels: what tells neighbouring seconds of one scene apart."""

from collections.abc import Iterator

import numpy as np

from framesearch.images.overlay import Likeness, Overlay, filling, grey
from framesearch.images.pixel_alignment import register
from framesearch.search.evidence import NEAREST, Candidate, Pool
from framesearch.search.query import Query

_COMPARED = 28  # rows: those that embedding and placement speak for most
_COMPARED_UNALIGNED = 8  # more, by embedding alone: soft and moving pictures have no features that agree
_CLOSELY = 20  # of those, the best
_REGISTERED = 3  # videos whose placement is made exact, the best ...
_REGISTERED_FROM = 0.1  # ... whose best frame explains as much of the query's contrast
_ALL, _ALL_FINE = 1.005, 1.05  # likenesses: no frame explains all of a query


class _Shown:
    """A candidate whose stored frame was read, and the best way found so far of laying it over the query."""

    def __init__(self, candidate: Candidate, video: int, rgb: np.ndarray) -> None:
        self.candidate, self.video, self.frame = candidate, video, grey(rgb)
        self.overlay: Overlay | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self.frame.shape[0], self.frame.shape[1]

    def try_out(self, overlay: Overlay, direction: int) -> None:
        """Take an overlay on the query, or on its mirror image, if the frame is more alike there."""
        likeness = overlay.likeness(self.frame)
        if likeness.total > self.candidate.likeness.total:
            self.candidate.likeness, self.overlay = likeness, overlay
            self.candidate.terms |= _terms(likeness, _ALL, "robust", "plain")
            self.candidate.placement, self.candidate.placement_direction = overlay.placement, direction


class ByPixels:
    """The stored frame itself, laid over the query. Proposes nothing: it is compared where the rest speaks for it."""

    def propose(self, pool: Pool) -> None:
        """Nothing: a frame is read only once it is a candidate."""

    def weigh(self, pool: Pool) -> None:
        """Note the likeness of those candidates that the rest speaks for most.

        Each is laid over the query as its own features say, as those of the video's best frame say (a scene's
        background fixes it better than what moves), and as a whole. In the best videos the best of these is then made
        exact on the pixels, for all their candidates alike, and what is fine is compared, too.
        """
        query, candidates, video_of_row = pool.query, list(pool.candidates.values()), pool.gallery.video_of_row
        leading = sorted(candidates, key=lambda one: -pool.score(one))[:_COMPARED]
        chosen = {one.row for one in leading}
        leading += [one for one in candidates[:NEAREST] if one.row not in chosen][:_COMPARED_UNALIGNED]
        frames = pool.pictures(one.row for one in leading)
        pool.degraded |= len(frames) < len(leading)
        shown = [_Shown(one, int(video_of_row[one.row]), frames[one.row]) for one in leading if one.row in frames]
        best: dict[int, Candidate] = {}
        for candidate in leading:
            video = int(video_of_row[candidate.row])
            if candidate.alignment and (video not in best or candidate.agreement > best[video].agreement):
                best[video] = candidate
        for one in shown:
            for placement, direction in _placements(query, one, best.get(one.video)):
                one.try_out(Overlay(query.pixels[direction], placement, one.size), direction)
        closely = sorted((one for one in shown if one.overlay), key=lambda one: -pool.score(one.candidate))[:_CLOSELY]
        _register(query, closely)
        for one in closely:
            if one.overlay:
                fine = one.overlay.fine_likeness(one.frame)
                one.candidate.terms |= _terms(fine, _ALL_FINE, "fine_robust", "fine_plain")


def _terms(likeness: Likeness, all_: float, robust: str, plain: str) -> dict[str, float]:
    """Likenesses count by how little is missing to all."""
    return {
        robust: -float(np.log(1 - likeness.robust / all_)),
        plain: -float(np.log(1 - likeness.plain / all_)),
    }


def _placements(query: Query, shown: _Shown, best: Candidate | None) -> Iterator[tuple[np.ndarray, int]]:
    """Where a frame may lie in the query, and in which direction: by its own features, by its video's, as a whole."""
    own = shown.candidate
    for one in {id(own): own, id(best): best}.values():
        if one is not None and one.alignment is not None:
            yield one.alignment.placement, one.direction
    if "trimmed" not in query.names[own.view]:
        height, width = shown.size
        yield filling(query.aspect, width / height), query.direction(own.view)


def _register(query: Query, shown: list[_Shown]) -> None:
    """Make the best placement of each of the best videos exact, and try it on all frames of the video."""
    best: dict[int, _Shown] = {}
    for one in shown:
        if one.candidate.likeness.plain < _REGISTERED_FROM:
            continue
        if one.video not in best or one.candidate.likeness.total > best[one.video].candidate.likeness.total:
            best[one.video] = one
    for lead in sorted(best.values(), key=lambda one: -one.candidate.likeness.total)[:_REGISTERED]:
        direction = lead.candidate.placement_direction
        pixels, placement = query.pixels[direction], lead.candidate.placement
        exact = None if placement is None else register(pixels, lead.frame, placement)
        if exact is None:
            continue
        overlay = Overlay(pixels, exact, lead.size)
        for one in shown:
            if one.video == lead.video and one.size == lead.size:
                one.try_out(overlay, direction)
