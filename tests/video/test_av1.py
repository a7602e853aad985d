"""AV1: frames that no other builds on are told by their headers, and nothing hostile is taken for one."""

from pathlib import Path

import av
import numpy as np
import pytest
from generated_videos import draw_video

from framesearch.video.av1 import Av1Stream


def packets_of(path: Path) -> tuple[bytes, list[bytes]]:
    """The extradata and the packets of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return bytes(stream.codec_context.extradata), [
            bytes(packet) for packet in container.demux(stream) if packet.size
        ]


def left_by_the_decoder(path: Path, skip: str) -> int:
    """How many frames FFmpeg gives that leaves out those of a kind."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"skip_frame": skip}
        return sum(len(packet.decode()) for packet in container.demux(stream))


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory) -> Path:
    return draw_video(tmp_path_factory.mktemp("av1") / "a.mp4", duration_s=3, codec="libsvtav1", size=(160, 90))


def test_the_frames_taken_out_are_those_that_the_decoder_itself_knows_as_such(pyramid):
    extradata, packets = packets_of(pyramid)
    stream = Av1Stream(extradata)
    needed = [stream.drop_disposable_frames(packet) for packet in packets]
    lighter = [(rest, packet) for rest, packet in zip(needed, packets, strict=True) if rest is not None]
    assert len(packets) - len(lighter) == left_by_the_decoder(pyramid, "noref") < 0.6 * len(packets)
    assert all(len(rest) < len(packet) for rest, packet in lighter)
    assert any(lighter) and any(not rest for rest, _ in lighter)  # alone in its packet, or beside frames that stay


def test_the_sequence_header_may_come_in_the_stream_only(pyramid):
    extradata, packets = packets_of(pyramid)
    stated, found = Av1Stream(extradata), Av1Stream(b"")
    for packet in packets:
        assert found.drop_disposable_frames(packet) == stated.drop_disposable_frames(packet)


def test_without_any_sequence_header_everything_is_decoded(pyramid):
    _, packets = packets_of(pyramid)
    assert all(Av1Stream(b"").drop_disposable_frames(packet) is None for packet in packets[1:])


def test_damaged_and_hostile_bytes_are_left_to_the_decoder(pyramid):
    extradata, packets = packets_of(pyramid)
    rng = np.random.default_rng(0)
    assert Av1Stream(extradata).drop_disposable_frames(b"") is None
    for packet in packets[:40]:
        for length in (1, 2, 5, len(packet) - 1):
            rest = Av1Stream(extradata).drop_disposable_frames(packet[:length])
            assert rest is None or len(rest) < length
        mangled = bytearray(packet)
        for at in rng.integers(0, min(len(mangled), 40), 6):
            mangled[at] = rng.integers(256)
        rest = Av1Stream(bytes(mangled)).drop_disposable_frames(bytes(mangled))
        assert rest is None or len(rest) < len(packet)
    for _ in range(300):
        noise = rng.bytes(int(rng.integers(1, 80)))
        rest = Av1Stream(noise).drop_disposable_frames(noise)
        assert rest is None or len(rest) < len(noise)
