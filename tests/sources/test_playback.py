"""Which videos a browser plays, and that the first answer a newcomer sees is one of them."""

import shutil
from pathlib import Path

import pytest
from index_fixtures import Library
from stored_frames import store_video

from embedded_stack.example_query import answered_example
from framesearch.sources.playback import playable_kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://films.example/a.mp4?token=1#t=3", "video/mp4"),
        ("http://films.example/A.WEBM", "video/webm"),
        ("/films/what? 100%.MOV", "video/mp4"),
        ("/films/clip.ogv", "video/ogg"),
        ("/films/clip.mpg", None),
        ("/films.mp4/clip", None),
        ("https://films.example/watch?v=clip.mp4", None),
        ("ftp://films.example/a.mp4", None),
        ("file:///films/a.mp4", None),
        ("", None),
    ],
)
def test_what_browsers_play(address: str, kind: str | None) -> None:
    assert playable_kind(address) == kind


def test_the_example_is_of_a_video_that_plays(published: Library, tmp_path: Path) -> None:
    assert answered_example(published.settings) is not None  # there are others
    store_video(published.catalogue, published.storage, "z", seed=9, url="https://films.example/z.webm", title="Plays")
    published.publish()
    example = answered_example(published.settings)
    assert example is not None
    assert example.title == "Plays"
    assert example.answer["matches"][0]["title"] == "Plays"
    shutil.copy(example.picture, tmp_path)  # it is there
