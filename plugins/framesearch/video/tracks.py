"""Which track of a file is the film: not its poster, its thumbnails or a preview."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from framesearch.errors import VideoUnavailable
from framesearch.records import Reason

_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
_PICTURE_CODECS = {"mjpeg", "png", "gif", "bmp", "webp", "tiff", "jpeg2000", "ljpeg", "jpegls"}
_FEW = 10  # a track with so many times fewer pictures than another is no film beside it
_BRIEF = 3  # nor is one that goes on for so many times less
_ENOUGH_PACKETS = 200  # of one track: they tell which tracks move
_MOST_PACKETS = 20_000  # that are looked at for it
_PICTURE_S = 1.0  # a single picture with so much more sound is its cover


def film_of(container: InputContainer, name: str, reopened: Callable[[], InputContainer]) -> VideoStream:
    """The track that moves; of several the one marked as default, then the largest.

    Args:
        reopened: opens the file once more, to look ahead where its header does not say how many pictures a track has.

    Raises:
        VideoUnavailable: there is no film, or none whose codec is known.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _PICTURES]
    films = [stream for stream in streams if stream.codec_context is not None]
    if streams and not films:
        raise VideoUnavailable(f"{name}: its video codec is unknown to FFmpeg", Reason.UNSUPPORTED)
    if len(films) > 1 or any(_may_be_cover(stream, container) for stream in films):
        extents = _extents(films, reopened)
        most = max((extent.pictures for extent in extents.values()), default=0)
        longest_s = max((extent.length_s for extent in extents.values()), default=0.0)
        films = [
            stream
            for stream in films
            if (extent := extents[stream.index]).pictures * _FEW >= most
            and extent.length_s * _BRIEF >= longest_s
            and not (extent.pictures <= 1 and _may_be_cover(stream, container))
        ]
    if not films:
        raise VideoUnavailable(f"{name} has no video stream, only sound or pictures", Reason.NO_VIDEO_STREAM)
    return max(films, key=lambda stream: (bool(stream.disposition & Disposition.default), _area(stream)))


def _area(stream: VideoStream) -> int:
    context: Any = stream.codec_context
    result: int = context.width * context.height
    return result


def _may_be_cover(stream: VideoStream, container: InputContainer) -> bool:
    """Whether a track could be a single picture beside the sound that the file is about."""
    if stream.codec_context.codec.canonical_name not in _PICTURE_CODECS or not container.streams.audio:
        return False
    length_s = float((stream.duration or 0) * (stream.time_base or 0))
    return stream.frames <= 1 and (container.duration or 0) / av.time_base > length_s + _PICTURE_S


@dataclass
class _Extent:
    """How many pictures a track has, and for how long it goes on, as far as is known."""

    pictures: int = 0
    length_s: float = 0.0


def _extents(films: list[VideoStream], reopened: Callable[[], InputContainer]) -> dict[int, _Extent]:
    """The extent of each track, as its header tells it, else by its share of the first packets."""
    lengths_s = {stream.index: float((stream.duration or 0) * (stream.time_base or 0)) for stream in films}
    if not all(lengths_s.values()):
        lengths_s = dict.fromkeys(lengths_s, 0.0)
    extents = {index: _Extent(length_s=length_s) for index, length_s in lengths_s.items()}
    if all(stream.frames > 0 for stream in films):
        for stream in films:
            extents[stream.index].pictures = stream.frames
        return extents
    container = reopened()
    try:
        for number, packet in enumerate(container.demux()):
            if packet.size and (extent := extents.get(packet.stream_index)):
                extent.pictures += 1
                if extent.pictures >= _ENOUGH_PACKETS:
                    break
            if number >= _MOST_PACKETS:
                break
    except (av.FFmpegError, IndexError):
        pass  # what was seen until then counts
    finally:
        container.close()
    return extents
