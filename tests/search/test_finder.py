"""A picture in, the video and the second out; or an honest no. New bundles are picked up without a failed query."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from index_fixtures import Library
from leafy_pictures import leaves
from stored_frames import picture, store_video

from framesearch.errors import IndexIncompatible, NoIndex, NotStored
from framesearch.images.pixels import decode_jpeg
from framesearch.jobs import clean_storage, publish_index
from framesearch.records import Answer
from framesearch.search import finder as finder_module
from framesearch.search.finder import Finder
from framesearch.sources.links import link_at, youtube_video
from framesearch.store import layout


@pytest.fixture
def finder(published: Library) -> Finder:
    return Finder(published.settings)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("time_s", [0.7, 4.3, 6.2, 11.3])
def test_finds_unmodified_frames_off_the_grid(finder: Finder, seed: int, time_s: float) -> None:
    answer = finder.search(picture(seed, time_s))
    best = answer.matches[0]
    assert (answer.found, answer.view, answer.reason) == (True, "original", None)
    assert (best.video_id, best.title) == (f"v{seed}", f"Film v{seed}")
    assert best.timestamp_s == pytest.approx(time_s, abs=0.5)
    assert best.confidence > 0.5


def test_names_the_moment_between_stored_frames(library: Library) -> None:
    def ball(time_s: float) -> np.ndarray:
        rgb = leaves(7).copy()
        cv2.circle(rgb, (round(16 * (60 + 18 * time_s)), 16 * 90), 16 * 30, (240, 240, 60), -1, cv2.LINE_AA, shift=4)
        return rgb

    store_video(library.catalogue, library.storage, "ball", seed=0, shown=ball)
    library.publish()
    finder = Finder(library.settings)
    for time_s in (2.1, 3.36, 5.22, 8.4, 9.62):  # stored are whole and half seconds
        answer = finder.search(ball(time_s))
        best = answer.matches[0]
        assert best.frame_s == round(2 * time_s) / 2
        assert best.timestamp_s == pytest.approx(time_s, abs=0.05)
        assert best.start_s <= best.timestamp_s <= best.end_s


def test_an_answer_without_pixels_says_so(published: Library) -> None:
    sure = Finder(published.settings).search(picture(2, 4.2))
    assert not sure.degraded
    for video_id in ("v0", "v1", "v2", "v3"):
        published.storage.delete(layout.frames(video_id))
    unsure = Finder(published.settings).search(picture(2, 4.2))
    assert unsure.degraded
    assert unsure.matches[0].video_id == "v2" and unsure.matches[0].score < sure.matches[0].score


def test_matches_are_ranked_and_limited(finder: Finder) -> None:
    answer = finder.search(picture(1, 3.3), top=3)
    assert len(answer.matches) == 3
    assert [match.score for match in answer.matches] == sorted((m.score for m in answer.matches), reverse=True)
    confidences = [match.confidence for match in answer.matches]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)


def test_neighbouring_frames_are_one_match(finder: Finder) -> None:
    matches = finder.search(picture(1, 3.3), top=10).matches
    for one in matches:
        for other in matches:
            if one is not other and one.video_id == other.video_id:
                assert abs(one.timestamp_s - other.timestamp_s) > 2


def test_a_still_scene_is_one_match_with_its_span(finder: Finder) -> None:
    best = finder.search(picture(3, 8.2, still=True)).matches[0]
    assert best.video_id == "v3"
    assert (best.start_s, best.end_s) == (6.0, 11.5)
    assert best.start_s <= best.timestamp_s <= best.end_s


def test_finds_mirrored_pictures(finder: Finder) -> None:
    answer = finder.search(picture(2, 4.0)[:, ::-1])
    assert (answer.found, answer.view, answer.matches[0].video_id) == (True, "mirrored", "v2")


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_finds_turned_pictures(library: Library, quarters: int) -> None:
    store_video(library.catalogue, library.storage, "leaves", seed=0, shown=lambda time_s: leaves(int(time_s)))
    library.publish()
    turned = np.rot90(leaves(4), quarters)
    for query, view in ((turned, "turned"), (turned[:, ::-1], "turned and mirrored")):
        answer = Finder(library.settings).search(np.ascontiguousarray(query))
        assert (answer.found, answer.view) == (True, view)
        assert (answer.matches[0].video_id, int(answer.matches[0].timestamp_s)) == ("leaves", 4)


def test_finds_letterboxed_pictures(finder: Finder) -> None:
    answer = finder.search(np.pad(picture(2, 4.0), ((30, 30), (0, 0), (0, 0))))
    assert (answer.found, answer.view, answer.matches[0].video_id) == (True, "trimmed", "v2")


def test_finds_small_compressed_pictures(finder: Finder) -> None:
    small = cv2.resize(picture(0, 9.1), (96, 54), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 30])
    answer = finder.search(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
    assert (answer.found, answer.matches[0].video_id) == (True, "v0")


@pytest.mark.parametrize("seed", range(50, 56))
def test_says_what_is_not_in_the_library(finder: Finder, seed: int) -> None:
    answer = finder.search(picture(seed, 5.0))
    assert not answer.found
    assert answer.reason == "Nothing in the library looks enough like the picture to be sure."


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_not_found_and_told_why(finder: Finder, level: int) -> None:
    answer = finder.search(np.full((180, 320, 3), level, np.uint8))
    assert (answer.found, answer.matches, answer.view) == (False, (), None)
    assert "blank" in (answer.reason or "")


def test_many_who_ask_at_once_get_the_answers_that_one_gets(published: Library) -> None:
    shown = [picture(seed, time_s) for seed in (0, 1, 2, 3, 60) for time_s in (0.7, 4.3, 8.2)]
    shown += [np.ascontiguousarray(rgb[:, ::-1]) for rgb in shown[:4]]
    shown += [np.pad(shown[4], ((30, 30), (0, 0), (0, 0))), cv2.resize(shown[5], (1280, 720)), np.zeros_like(shown[0])]

    def told(finder: Finder, rgb: np.ndarray) -> Answer:
        return replace(finder.search(rgb), elapsed_ms=0.0)

    one, many = Finder(published.settings), Finder(published.settings)
    expected = [told(one, rgb) for rgb in shown]
    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(lambda rgb: told(many, rgb), shown * 2)) == expected * 2


@pytest.mark.parametrize("shape", [(16, 16), (128, 16), (60, 480), (1200, 1600)])
def test_answers_pictures_of_any_shape(finder: Finder, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert not finder.search(noise).found


@pytest.mark.parametrize("shape", [(8, 60_000), (20_000, 1_000), (1, 3_000)])
def test_a_strip_is_not_found_and_told_what_to_do(finder: Finder, shape: tuple[int, int]) -> None:
    answer = finder.search(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))
    assert (answer.found, answer.matches) == (False, ())
    assert f"a strip, {shape[1]} x {shape[0]} pixels: cut out what shows the video" in (answer.reason or "")


def test_gives_the_stored_frame_of_a_match(finder: Finder, published: Library) -> None:
    best = finder.search(picture(1, 4.1)).matches[0]
    frame = decode_jpeg(finder.thumbnail(best))
    assert np.abs(frame.astype(int) - picture(1, best.frame_s)).mean() < 12
    published.storage.delete(layout.frames("v1"))
    with pytest.raises(NotStored):
        finder.thumbnail(best)


@pytest.mark.parametrize(
    ("url", "video_id"),
    [
        ("https://www.youtube.com/watch?v=aqz-KE-bpKQ", "aqz-KE-bpKQ"),
        ("https://m.youtube.com/watch?app=x&v=aqz-KE-bpKQ&list=PL1", "aqz-KE-bpKQ"),
        ("https://youtu.be/aqz-KE-bpKQ", "aqz-KE-bpKQ"),
        ("https://www.youtube.com/shorts/aqz-KE-bpKQ", "aqz-KE-bpKQ"),
        ("https://www.youtube.com/embed/aqz-KE-bpKQ?start=3", "aqz-KE-bpKQ"),
        ("https://films.example/watch?v=aqz", None),
        ("https://notyoutube.com/watch?v=aqz", None),
        ("https://www.youtube.com/playlist?list=PL1", None),
        ("/films/youtube.com/watch?v=a.mp4", None),
    ],
)
def test_knows_youtube_addresses(url: str, video_id: str | None) -> None:
    assert youtube_video(url) == video_id


def test_links_to_the_second_rounded_down() -> None:
    assert link_at("https://www.youtube.com/watch?v=aqz-KE-bpKQ", 95.97) == "https://youtu.be/aqz-KE-bpKQ?t=95"
    assert link_at("https://films.example/a", 95.9) == "https://films.example/a"
    assert link_at("/films/a.mp4", 95.9) == "/films/a.mp4"


# ---- which index serves


def test_before_the_first_index_there_is_a_next_step(library: Library) -> None:
    with pytest.raises(NoIndex, match="framesearch run PLAYLIST"):
        Finder(library.settings).search(picture(0, 1))


def test_begins_as_soon_as_there_is_an_index(library: Library) -> None:
    finder = Finder(library.settings)
    with pytest.raises(NoIndex):
        finder.refresh()
    library.publish()
    assert finder.search(picture(0, 1.2)).matches[0].video_id == "v0"


def test_picks_up_a_new_bundle_when_asked(library: Library) -> None:
    first = library.publish()
    finder = Finder(library.settings)
    assert finder.refresh() is True
    assert finder.refresh() is False
    store_video(library.catalogue, library.storage, "v9", seed=9)
    assert finder.search(picture(9, 2.2)).matches[0].video_id != "v9"
    library.publish()
    assert finder.card.index_id == first.index_id
    assert finder.refresh() is True
    assert finder.search(picture(9, 2.2)).matches[0].video_id == "v9"


def test_picks_up_a_new_bundle_by_itself_without_a_failed_query(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder_module, "CHECK_EVERY_S", 0.01)
    library.publish()
    finder = Finder(library.settings)
    finder.refresh()
    failures: list[Exception] = []
    served: set[str] = set()
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                served.add(finder.search(picture(1, 2.2)).index_id)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    few = library.settings.model_copy(update={"bundles_kept": 1})
    builds = [library.catalogue.index_builds()[0].index_id]
    for number in (5, 6, 7):
        store_video(library.catalogue, library.storage, f"v{number}", seed=number)
        builds.append(library.publish().index_id)
        clean_storage.clean(library.storage, library.catalogue, few)
        deadline = time.monotonic() + 20
        while builds[-1] not in served and time.monotonic() < deadline:
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert served >= {builds[0], builds[-1]}


def test_a_damaged_new_bundle_leaves_the_old_one_serving(library: Library, caplog: pytest.LogCaptureFixture) -> None:
    first = library.publish()
    finder = Finder(library.settings)
    finder.refresh()
    store_video(library.catalogue, library.storage, "v9", seed=9)
    second = library.publish()
    (library.storage.root / layout.bundle(second.index_id) / layout.BUNDLE_FAISS).write_bytes(b"garbage")
    with caplog.at_level(logging.ERROR):
        assert finder.refresh() is False
    assert f"index {first.index_id} goes on serving" in caplog.text
    assert finder.search(picture(1, 2.2)).index_id == first.index_id
    publish_index.roll_back(library.storage, library.catalogue, first.index_id)
    finder.refresh()
    assert finder.search(picture(1, 2.2)).index_id == first.index_id


def test_a_damaged_first_bundle_is_said(library: Library) -> None:
    build = library.publish()
    (library.storage.root / layout.bundle(build.index_id) / layout.BUNDLE_ENCODER).write_bytes(b"garbage")
    with pytest.raises(IndexIncompatible, match="rebuild the index"):
        Finder(library.settings).search(picture(0, 1))


def test_a_damaged_pointer_leaves_the_old_one_serving(library: Library) -> None:
    build = library.publish()
    finder = Finder(library.settings)
    finder.refresh()
    (library.storage.root / layout.INDEX_POINTER).write_text("garbage")
    assert finder.refresh() is False
    assert finder.search(picture(1, 2.2)).index_id == build.index_id
