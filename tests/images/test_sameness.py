"""When two frames show the same picture: a slide shown on is, a slide with a word added is not."""

import cv2
import numpy as np
import pytest
from stored_frames import picture

from framesearch.images.pixels import decode_jpeg, encode_jpeg
from framesearch.images.sameness import identical, look, looks_alike


def slide(*lines: str) -> np.ndarray:
    rgb = np.full((180, 320, 3), (250, 248, 240), np.uint8)
    cv2.rectangle(rgb, (0, 0), (320, 30), (30, 60, 120), -1)
    for number, line in enumerate(lines):
        cv2.putText(rgb, line, (20, 60 + 25 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    return rgb


def test_a_slide_shown_on_is_the_same_however_it_was_compressed() -> None:
    shown = slide("Data flow", "Storage")
    for quality in (60, 75, 95):
        assert identical(look(shown), look(decode_jpeg(encode_jpeg(shown, quality))))


@pytest.mark.parametrize("added", ["Why", "of course, the last line"])
def test_a_slide_with_a_word_added_is_another(added: str) -> None:
    assert not identical(look(slide("Data flow", "Storage")), look(slide("Data flow", "Storage", added)))


def test_what_moves_in_the_dark_is_another() -> None:
    dark, moved = np.full((180, 320, 3), 4, np.uint8), np.full((180, 320, 3), 4, np.uint8)
    cv2.circle(dark, (100, 90), 30, (7, 7, 7), -1)
    cv2.circle(moved, (180, 90), 30, (7, 7, 7), -1)
    assert not identical(look(dark), look(moved))


def test_the_same_picture_in_another_light_is_another() -> None:
    rgb = slide("Data flow")
    assert not identical(look(rgb), look((rgb * 0.9).astype(np.uint8)))


def test_frames_that_nobody_could_tell_apart_look_alike() -> None:
    one = look(picture(1, 2.0))
    brighter = np.clip(one.astype(int) + 3, 0, 255).astype(np.uint8)
    black = np.zeros_like(one)
    looks = np.stack([one, brighter, look(picture(1, 3.0)), look(picture(2, 2.0)), black])
    assert looks_alike(looks, one).tolist() == [True, True, False, False, False]
    assert not looks_alike(looks, black).any()  # nothing correlates with a plain picture
