"""When a challenger is better: the whole search finds more with it, or as much and it alone finds more."""

import numpy as np
import pytest
from stored_frames import store_video
from thumbnail_encoder import write_thumbnail_encoder
from training_fixtures import stored_home

from framesearch.backends import open_catalogue, open_storage
from framesearch.images.distortions import DISTORTIONS
from framesearch.index.codebook import codebook_digest
from framesearch.models.encoder import Encoder
from framesearch.models.versions import ModelVersion
from framesearch.store import layout
from training.gate import encoder_exam
from training.gate.search_exam import SearchMarks, search_with
from training.gate.verdict import ExamResult, Verdict, decide

KINDS = len(DISTORTIONS)
CHAMPION = ModelVersion(version="3", run_id="r", run_url=None, family="x", metrics={})
RNG = np.random.default_rng(0)
BASE = RNG.random((50, KINDS)) < 0.5
MORE = BASE | (RNG.random(BASE.shape) < 0.2)
FEWER = BASE & (RNG.random(BASE.shape) < 0.8)


def sat(alone: np.ndarray, whole: np.ndarray) -> ExamResult:
    metrics = {"r1": float(alone.mean()), "r1/none": float(alone[:, 0].mean())}
    marks = encoder_exam.Marks(alone, np.zeros((alone.size, 5), int), metrics)
    return ExamResult(marks, SearchMarks(whole, {"search/r1": float(whole.mean())}))


def verdict(challenger: ExamResult, champion: ExamResult | None) -> Verdict:
    return decide(challenger, CHAMPION if champion else None, champion, 0.95)[0]


def test_the_first_version_need_only_be_sane() -> None:
    assert verdict(sat(BASE, BASE), None).better
    nothing = verdict(sat(np.zeros_like(BASE), BASE), None)
    assert not nothing.better
    assert "nothing was learned" in nothing.reason


def test_better_is_whose_search_finds_clearly_more() -> None:
    better = verdict(sat(FEWER, MORE), sat(BASE, BASE))
    assert better.better
    assert "with champion version 3 on the same 1,050 queries" in better.reason


@pytest.mark.parametrize(("whole", "better"), [(BASE, True), (FEWER, False)])
def test_where_the_search_finds_as_much_the_encoder_alone_decides(whole: np.ndarray, better: bool) -> None:
    assert verdict(sat(MORE, whole), sat(BASE, BASE)).better is better


def test_no_better_is_who_finds_as_much_fewer_or_more_within_noise() -> None:
    lucky = BASE.copy()
    lucky[tuple(np.argwhere(~BASE)[0])] = True
    for challenger in (sat(BASE, BASE), sat(FEWER, FEWER), sat(lucky, lucky), sat(FEWER, BASE)):
        assert not verdict(challenger, sat(BASE, BASE)).better


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("whole")
    settings = stored_home(folder, videos=3)
    storage = open_storage(settings)
    encoder = Encoder(write_thumbnail_encoder(folder / "encoder.onnx"))
    plan = encoder_exam.plan_exam(open_catalogue(settings), storage)
    return encoder_exam.examine(plan, storage, [encoder]), storage, encoder


def test_the_whole_search_is_asked_as_the_page_would(exam) -> None:
    sat_exam, storage, encoder = exam
    (marks,) = search_with(sat_exam, storage, [encoder], 60)
    assert marks.right.shape[0] == len(sat_exam.probes)
    assert marks.metrics["search/r1"] == pytest.approx(marks.right.mean())
    assert marks.metrics["search/video1"] >= marks.metrics["search/r1"] > 0.5
    assert all(storage.exists(layout.features(video_id, codebook_digest())) for video_id in sat_exam.video_ids)


def test_asked_again_it_answers_the_same(exam) -> None:
    sat_exam, storage, encoder = exam
    (one,), (other,) = search_with(sat_exam, storage, [encoder], 60), search_with(sat_exam, storage, [encoder], 60)
    assert (one.right == other.right).all()


def test_a_video_without_features_is_judged_by_its_embeddings(tmp_path) -> None:
    settings = stored_home(tmp_path, videos=2)
    storage = open_storage(settings)
    store_video(open_catalogue(settings), storage, "damaged", seed=9)
    encoder = Encoder(write_thumbnail_encoder(tmp_path / "encoder.onnx"))
    plan = encoder_exam.plan_exam(open_catalogue(settings), storage)
    examined = encoder_exam.examine(plan, storage, [encoder])
    (tmp_path / "junk").write_bytes(b"junk")
    storage.create(layout.features("damaged", codebook_digest()), tmp_path / "junk")
    (marks,) = search_with(examined, storage, [encoder], 60)
    assert marks.metrics["search/video1"] > 0.5
