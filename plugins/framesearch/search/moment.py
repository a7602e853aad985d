"""The moment between stored frames: a picture taken from a video was seldom taken just when a frame was stored."""

import numpy as np

from framesearch.images.overlay import Overlay, grey
from framesearch.index.gallery import Gallery
from framesearch.search.evidence import Pictures
from framesearch.search.query import Query
from framesearch.search.ranking import Place

_MOST_APART_S = 1.1  # stored neighbours: within a shot they are no further apart


def moment(gallery: Gallery, query: Query, place: Place, pictures: Pictures) -> float:
    """When the video shows what the query shows, in seconds.

    While motion is small, pixels change evenly from one stored frame to the next: the query is explained by the best
    frame and a share of its difference to a neighbour, all laid over the query alike (least squares, as of optical flow
    in time). The neighbour that explains more tells the side, and its share how far, up to the middle between the two.
    Where the picture stands still, or neither neighbour tells more, the best frame's own time is returned.
    """
    own_s = float(gallery.timestamps_s[place.row])
    if place.placement is None or gallery.until_s[place.row] > own_s:
        return own_s
    rows = gallery.rows_of(place.video)
    beside = [row for row in (place.row - 1, place.row + 1) if row in rows]
    frames = {row: grey(rgb) for row, rgb in pictures([place.row, *beside]).items()}
    own = frames.get(place.row)
    if own is None:
        return own_s
    overlay = Overlay(query.pixels[place.direction], place.placement, (own.shape[0], own.shape[1]))
    found_s, unexplained = own_s, np.inf
    for row in beside:
        apart_s = float(gallery.timestamps_s[row]) - own_s
        if row in frames and frames[row].shape == own.shape and abs(apart_s) <= _MOST_APART_S:
            share, left = overlay.share_towards(own, frames[row])
            if left < unexplained:
                found_s, unexplained = own_s + share * apart_s, left
    return found_s
