"""training.gate.encoder_exam: the same queries for everybody, and when a difference is one."""

from pathlib import Path

import numpy as np
import pytest
from stored_frames import store_video
from thumbnail_encoder import write_thumbnail_encoder
from training_fixtures import stored_home

from framesearch.backends import open_catalogue, open_storage
from framesearch.errors import NotEnoughFrames
from framesearch.images.distortions import DISTORTIONS
from framesearch.models.encoder import Encoder
from framesearch.settings import Settings
from training.gate import encoder_exam


def exam_of(settings: Settings, *encoders: Path) -> encoder_exam.Exam:
    storage = open_storage(settings)
    plan = encoder_exam.plan_exam(open_catalogue(settings), storage)
    return encoder_exam.examine(plan, storage, [Encoder(encoder) for encoder in encoders])


@pytest.fixture(scope="module")
def sharp(tmp_path_factory) -> Path:
    return write_thumbnail_encoder(tmp_path_factory.mktemp("sharp") / "encoder.onnx", cells=16)


@pytest.fixture(scope="module")
def blind(tmp_path_factory) -> Path:
    """An encoder that sees 2 x 2 cells."""
    return write_thumbnail_encoder(tmp_path_factory.mktemp("blind") / "encoder.onnx", cells=2)


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Settings:
    return stored_home(tmp_path_factory.mktemp("footage"), videos=6, seconds=24)


def test_every_probe_frame_is_asked_under_every_transform_of_every_encoder(footage, sharp, blind):
    exam = exam_of(footage, sharp, blind)
    assert len(exam.probes) == 6 * 8
    assert len(exam.video) == 6 * 48
    assert exam.query_embeddings[0].shape == (48 * len(DISTORTIONS), 768)
    assert exam.query_embeddings[1].shape == (48 * len(DISTORTIONS), 12)
    marks = encoder_exam.mark(exam, 0)
    assert marks.right.shape == (48, 21)
    assert {f"r1/{name}" for name in DISTORTIONS} <= set(marks.metrics)


def test_the_same_catalogue_gives_the_same_queries_today_and_tomorrow(footage, sharp):
    one, other = exam_of(footage, sharp), exam_of(footage, sharp)
    assert np.array_equal(one.query_embeddings[0], other.query_embeddings[0])
    assert np.array_equal(encoder_exam.mark(one, 0).right, encoder_exam.mark(other, 0).right)


def test_an_encoder_that_sees_more_is_better_beyond_noise_and_not_the_other_way_round(footage, sharp, blind):
    exam = exam_of(footage, sharp, blind)
    seeing, unseeing = encoder_exam.mark(exam, 0), encoder_exam.mark(exam, 1)
    assert seeing.metrics["r1/none"] > 0.9
    assert seeing.metrics["r1"] > unseeing.metrics["r1"]
    assert seeing.metrics["micro_ap"] > unseeing.metrics["micro_ap"]
    better, worse = (
        encoder_exam.compare(one.right, other.right, 0.95) for one, other in ((seeing, unseeing), (unseeing, seeing))
    )
    assert 0 < better.low < better.difference < better.high
    assert worse.low < worse.difference < worse.high < 0


def test_an_encoder_is_not_better_than_itself(footage, sharp):
    exam = exam_of(footage, sharp, sharp)
    compared = encoder_exam.compare(encoder_exam.mark(exam, 0).right, encoder_exam.mark(exam, 1).right, 0.95)
    assert (compared.difference, compared.low, compared.high) == (0, 0, 0)


def test_a_lucky_handful_of_queries_is_no_proof(footage, sharp):
    marks = encoder_exam.mark(exam_of(footage, sharp), 0)
    luckier = marks.right.copy()
    wrong = np.argwhere(~luckier)[:2]
    luckier[tuple(wrong.T)] = True
    assert encoder_exam.compare(luckier[:4], marks.right[:4], 0.95).low <= 0


def test_in_a_still_scene_any_second_is_right_but_only_its_own_strictly(tmp_path, sharp):
    settings = stored_home(tmp_path, videos=1)
    store_video(open_catalogue(settings), open_storage(settings), "still", seed=7, seconds=6, still=True)
    marks = encoder_exam.mark(exam_of(settings, sharp), 0)
    assert marks.metrics["r1/none"] == 1.0
    assert marks.metrics["r1_strict"] <= marks.metrics["r1"]


def test_a_long_video_is_not_all_that_counts(tmp_path, sharp, monkeypatch):
    monkeypatch.setattr(encoder_exam, "MAX_PROBES", 8)
    settings = stored_home(tmp_path, videos=3, seconds=9)
    store_video(open_catalogue(settings), open_storage(settings), "long", seed=8, seconds=300)
    exam = exam_of(settings, sharp)
    asked = [exam.video_ids[probe.video] for probe in exam.probes]
    assert len(asked) == 8
    assert {video_id: asked.count(video_id) for video_id in exam.video_ids} == dict.fromkeys(exam.video_ids, 2)


def test_a_huge_catalogue_is_judged_on_whole_videos_drawn_from_it(tmp_path, sharp, monkeypatch):
    monkeypatch.setattr(encoder_exam, "MAX_GALLERY", 60)
    exam = exam_of(stored_home(tmp_path, videos=5), sharp)
    assert len(exam.video) == 48
    assert len(exam.video_ids) == 2


def test_without_a_probe_frame_nothing_can_be_judged(tmp_path):
    settings = stored_home(tmp_path, videos=2, seconds=2)  # too short for a probe frame
    with pytest.raises(NotEnoughFrames, match="FRAMESEARCH_PROBE_SHARE"):
        encoder_exam.plan_exam(open_catalogue(settings), open_storage(settings))


def test_a_damaged_video_costs_the_others_nothing(tmp_path, sharp):
    settings = stored_home(tmp_path, videos=3)
    (settings.home / "frames" / "film-1.parquet").write_bytes(b"not parquet")
    assert set(exam_of(settings, sharp).video_ids) == {"film-0", "film-2"}
