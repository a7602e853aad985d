"""benchmarks.learning: what is trained on what, what is kept, and what is told of late films."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from generated_videos import draw_video
from stored_frames import store_video
from thumbnail_encoder import write_thumbnail_encoder

from benchmarks.accuracy.footage import WrongChoice
from benchmarks.learning import judging, running
from benchmarks.learning.__main__ import options
from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import NotEnoughFrames
from framesearch.models.encoder import Encoder
from framesearch.settings import Settings
from training.fitting import fit
from training.gate import encoder_exam

SHORT = ["--family", "convolutional", "--minutes", ".002,.001", "--days", "2", "--day-minutes", ".001"]
LATE = ["--late", "harbour", "--late-minutes", ".002", "--copies", "harbour,harbour-again", "--whole", "12"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three films, one of them twice."""
    films = tmp_path_factory.mktemp("films")
    for seed, name in enumerate(("harbour", "forest", "market")):
        draw_video(films / f"{name}.mp4", duration_s=6, seed=seed, size=(192, 108), scenes=2)
    draw_video(films / "harbour-again.mp4", duration_s=6, seed=0, size=(160, 108), scenes=2)
    return films


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("learning") / "home"


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "MIN_STEPS", 3)
        patch.setattr(fit, "OVERTIME", 1000.0)
        yield


def measured(folder: Path, home: Path, *more: str) -> dict:
    page = running.run(options().parse_args([str(folder), "--home", str(home), *SHORT, *more]))
    assert page.read_text().startswith("# Learning\n")
    return json.loads(page.with_name("learning.json").read_text())


@pytest.fixture(scope="module")
def told(folder: Path, home: Path) -> dict:
    return measured(folder, home, *LATE)


def test_the_curve_goes_from_few_minutes_to_many_on_the_same_queries(told):
    assert told["videos"] == 4
    assert [point["trainings"] for point in told["curve"]] == [1, 1]
    assert {point["bases"] for point in told["curve"]} == {told["bases"]}
    first, second = told["curve"]
    assert first["difference"] == {}
    for name in ("r1", "video1", "search_r1"):
        gained = second["figures"][name]["share"] - first["figures"][name]["share"]
        assert second["difference"][name]["share"] == pytest.approx(gained)
        assert second["difference"][name]["low"] <= gained <= second["difference"][name]["high"]


def test_days_go_on_from_one_another_and_count_all_their_minutes(told):
    first, second = told["days"]
    assert (first["trainings"], second["trainings"]) == (1, 2)
    assert first["cpu_minutes"] == told["curve"][0]["cpu_minutes"]  # the very training: as many minutes from nothing
    assert second["cpu_minutes"] > first["cpu_minutes"]


def test_late_films_are_asked_with_and_without_having_been_seen_all_copies_together(told):
    assert told["late"] == ["harbour-again.mp4", "harbour.mp4"]
    assert len(told["of_late"]) == len(told["of_others"]) == 3
    assert told["of_late"][0]["bases"] + told["of_others"][0]["bases"] == told["bases"]
    seen, unseen, a_day_later = told["of_late"]
    assert seen["cpu_minutes"] == told["curve"][1]["cpu_minutes"] != unseen["cpu_minutes"]
    assert (unseen["trainings"], a_day_later["trainings"]) == (1, 2)
    assert "search_r1" in a_day_later["difference"]


def test_what_was_trained_is_kept_and_other_minutes_train_anew(told, folder, home, caplog):
    caplog.set_level(logging.INFO, "benchmarks.learning")
    assert measured(folder, home, *LATE)["curve"] == told["curve"]
    assert "trained for" not in caplog.text
    measured(folder, home, "--minutes", ".001,.003", "--late", "0", "--days", "0", "--whole", "0")
    assert caplog.text.count("trained for") == 1


def test_a_copy_of_the_film_is_the_right_film_though_not_the_right_moment(tmp_path):
    settings = Settings(home=tmp_path)
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    for name, seed in (("film", 1), ("other", 2), ("copy", 1)):
        store_video(catalogue, storage, name, seed=seed)
    encoder = Encoder(write_thumbnail_encoder(tmp_path / "encoder.onnx", cells=16))
    exam = encoder_exam.examine(encoder_exam.plan_exam(catalogue, storage, 4), storage, [encoder])
    apart = judging.alone(exam, [0, 1, 2])[0]
    together = judging.alone(exam, [video_id == "other" for video_id in exam.video_ids])[0]
    assert len(exam.probes) == 4
    assert np.array_equal(apart.right, together.right)
    assert not (apart.film & ~together.film).any() and together.film.sum() > apart.film.sum()


def test_an_interval_holds_its_share_and_base_frames_that_agree_leave_none():
    marks = np.random.default_rng(1).random((60, 21)) < 0.7
    found = judging.share(marks)
    assert found.low < found.share < found.high
    same = judging.share(np.ones((10, 21), bool))
    assert (same.low, same.share, same.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--minutes", "1,soon"], "is not a list of numbers"),
        (["--minutes", "0,1"], "more than no time"),
        (["--family", "eyes"], "no family of autoencoders is called 'eyes'"),
        (["--late", "meadow"], "no video is called 'meadow'"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_trained(told, home, asked, why):
    with pytest.raises(WrongChoice, match=why):
        running.run(options().parse_args(["--home", str(home), *asked]))


def test_a_home_or_a_folder_is_needed(tmp_path):
    with pytest.raises(WrongChoice, match="name a folder of videos, or a home"):
        running.run(options().parse_args([]))
    with pytest.raises(WrongChoice, match="holds no video: name a folder"):
        running.run(options().parse_args(["--home", str(tmp_path / "empty")]))


def test_too_few_frames_are_said_so(tmp_path):
    settings = Settings(home=tmp_path)
    store_video(open_catalogue(settings), open_storage(settings), "short", seed=1, seconds=3)
    with pytest.raises(NotEnoughFrames):
        running.run(options().parse_args(["--home", str(tmp_path), *SHORT, "--late", "0"]))
