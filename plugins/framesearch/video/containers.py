"""Opening video files safely, and reading all the packets that can be read."""

from __future__ import annotations  # PyAV's packets can be subscripted by type checkers only

import logging
import struct
from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from framesearch.errors import VideoUnavailable
from framesearch.records import Reason
from framesearch.video.parts import Part

log = logging.getLogger(__name__)

# Containers that hold their own pictures. Without this list FFmpeg takes a text file for a film of its letters, and
# playlist formats (HLS, concat, ...) open whatever other files they name.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,avi,flv,live_flv,kux,asf,asf_o,ogg,ivf,"
    "obu,av1,h264,hevc,vvc,rm,mxf,nut,wtv,dv,dhav,gxf,gif,swf,vob,nsv,nuv,ty,y4m,yuv4mpegpipe,h261,h263,vc1,mjpeg,"
    "webm_dash"
)
_ASF_HEAD = 1 << 20  # bytes
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_BROADCAST = 1  # sent as it was recorded: its length was not known yet
_FAILURES = 20  # in a row, to read a packet: then the rest of the file is given up


def open_container(part: Part) -> InputContainer:
    """Open a file, or a part of one.

    FFmpeg's own complaints about strangers' files stay unheard, as is PyAV's default: what matters is raised. Programs
    must leave `av.logging` at that. At any other level PyAV listens with a callback that takes the GIL, and closing a
    file waits, with the GIL held, for decoder threads that complain: both wait for ever.

    Raises:
        VideoUnavailable: FFmpeg finds no video file there.
    """
    path = part.path
    if path.stat().st_size == 0:
        raise VideoUnavailable(f"{path.name} is empty (0 bytes): fetch it again", Reason.CORRUPT)
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file,subfile"}
    try:
        return av.open(part.url, "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise VideoUnavailable(
            f"{path.name} is no video file that can be read ({what}): check that it plays, or fetch it again",
            Reason.CORRUPT,
        ) from error


def packets_of(container: InputContainer, name: str) -> Iterator[Packet[Any] | None]:
    """Every packet of the file; None for each stretch that the container could not be read in."""
    failures = 0
    while failures < _FAILURES:
        try:
            for packet in container.demux():
                if packet.size:  # the empty ones at the end would flush decoders, each only that of the first stream
                    failures = 0
                    yield packet
            return
        except IndexError:  # PyAV's, at the very end, over a track that appeared midway
            return
        except av.FFmpegError as error:
            if not failures:
                log.warning("%s: a stretch can't be read: %s", name, error.strerror)
            failures += 1
            yield None


def clock_may_leap(container: InputContainer) -> bool:
    """Whether recordings in this format may change their clock midway, as broadcasts do."""
    return bool(_flags(container) & Flags.ts_discont)


def has_only_decoding_times(container: InputContainer) -> bool:
    """Whether the format can't say when a picture is shown: then FFmpeg makes up what packets say of it."""
    return container.format.name == "avi"


def has_times(container: InputContainer) -> bool:
    """False for bare streams, whose packets carry no times: what FFmpeg makes up for them is worth nothing."""
    return not _flags(container) & Flags.no_timestamps


def tells_when_shown(container: InputContainer) -> bool:
    """Whether packets say when their pictures are shown, not only when they are to be decoded, or neither."""
    return has_times(container) and not has_only_decoding_times(container)


def _flags(container: InputContainer) -> Flags:
    return Flags(container.format.flags)


def _asf_play_s(part: Part) -> float:
    """How long an ASF file says it plays; 0 where it doesn't. FFmpeg forgets it where the file is cut off.

    Source: Microsoft's ASF Specification, 3.2 (File Properties Object).
    """
    with part.path.open("rb") as file:
        file.seek(part.start)
        head = file.read(_ASF_HEAD)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return 0.0
    play, _, preroll_ms, flags = struct.unpack_from("<QQQI", head, at + 64)  # the first two in units of 100 ns
    return 0.0 if flags & _ASF_BROADCAST else max(0.0, play / 1e7 - preroll_ms / 1e3)


def stated_s(container: InputContainer, film: VideoStream, part: Part) -> float:
    """How long the file says it is, in seconds; 0 where the format doesn't, and FFmpeg's answer is a guess.

    The longest of its tracks counts, where each says how long it is, else what the file says of itself.
    """
    if clock_may_leap(container) or not has_times(container):
        return 0.0
    if container.format.name == "asf":
        return _asf_play_s(part)
    if container.format.name == "avi" and film.average_rate:  # lengths are estimated anew where the index is lost
        return float(film.frames / film.average_rate)
    tracks = [film, *container.streams.audio]
    if all(track.duration and track.time_base for track in tracks):
        return max(float((track.duration or 0) * (track.time_base or 0)) for track in tracks)
    return max(0.0, (container.duration or 0) / av.time_base)
