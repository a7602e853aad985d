"""benchmarks.accuracy: what is asked, what counts as right, and a run from a folder of videos to the report."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generated_videos import Footage as DrawnFootage
from generated_videos import Scene, draw_clock, draw_video, even_times, read_clock, write_video
from index_fixtures import Library, open_library

from benchmarks.accuracy import running, systems
from benchmarks.accuracy.__main__ import options
from benchmarks.accuracy.asking import EarlierSystem, ask
from benchmarks.accuracy.copies import align_copies
from benchmarks.accuracy.descriptors import ColourLayout, PHash, Thumbnail
from benchmarks.accuracy.footage import Footage, WrongChoice, held_out, read_footage
from benchmarks.accuracy.gallery import Gallery, read_gallery
from benchmarks.accuracy.homes import has_index, settings_of
from benchmarks.accuracy.homes import open_library as open_footage
from benchmarks.accuracy.limits import limits
from benchmarks.accuracy.marking import Marks, difference, figures, intervals, mark, threshold_at_p90
from benchmarks.accuracy.queries import Base, choose_bases, cut_frames
from benchmarks.accuracy.systems import FlatSearch, Place, Reply
from benchmarks.accuracy.transforms import SEVERITIES, TRANSFORMS
from framesearch.backends import open_storage
from framesearch.errors import FramesearchError
from framesearch.images.distortions import DISTORTIONS, distorted
from framesearch.images.pixels import resize
from framesearch.jobs import ingest
from framesearch.models.registry import Registry
from framesearch.settings import Settings
from framesearch.store import layout, tables

SEED = 3
CUT_S = 1.0  # a whole second: the clock differs from frame to frame, and the same frames are stored of both


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four films, each frame with its time along the lower edge; one of them again without its first `CUT_S`."""
    films = tmp_path_factory.mktemp("films")
    for seed, name in enumerate(("harbour", "forest", "market", "absent")):
        draw_video(films / f"{name}.mp4", duration_s=5, seed=seed, size=(256, 144), clock=True, scenes=2)
    drawn = DrawnFootage((256, 144), 0, [Scene(2.5)] * 2)

    def cut(time_s: float) -> np.ndarray:
        """The harbour, smaller and without its first seconds; the clock is the film's."""
        return resize(draw_clock(drawn.at(time_s + CUT_S), time_s + CUT_S), 108, 192)

    write_video(films / "harbour-again.mp4", even_times(5 - CUT_S, 25), cut)
    return films


@pytest.fixture(scope="module")
def home(folder: Path, tmp_path_factory, encoder_file: Path) -> Path:
    """A home in which all films but one are indexed, with an encoder that needs no training."""
    place = tmp_path_factory.mktemp("benchmark") / "home"
    made: Library = open_library(place, encoder_file, follow_links=True)
    links = place / "videos"
    links.mkdir()
    for film in folder.iterdir():
        if film.stem != "absent":
            (links / film.name).symlink_to(film)
    ingest.discover(str(links), made.catalogue, made.settings)
    for video in made.catalogue.videos():
        ingest.extract_video(video.video_id, made.catalogue, made.storage, made.settings)
    made.publish()
    return place


@pytest.fixture(scope="module")
def footage(folder: Path) -> Footage:
    return read_footage(folder, ["harbour,harbour-again"], Settings())


@pytest.fixture(scope="module")
def gallery(home: Path, footage: Footage) -> Gallery:
    return read_gallery(open_footage(settings_of(home), footage))


@pytest.fixture(scope="module")
def bases(gallery: Gallery, footage: Footage, tmp_path_factory) -> tuple[list[Base], list[Base]]:
    kept = tmp_path_factory.mktemp("bases")
    return choose_bases(footage, gallery.library, indexed=6, absent=2, seed=SEED, kept=kept)


# ---- transforms


def test_the_benchmark_judges_the_kinds_that_the_gate_judges_with_pictures_of_its_own():
    assert list(TRANSFORMS) == list(DISTORTIONS)
    rgb = np.random.default_rng(0).integers(0, 256, (72, 128, 3), dtype=np.uint8)
    for name in set(TRANSFORMS) - {"none", "jpeg30"}:  # a JPEG of quality 30 is one, whoever makes it
        ours, gates = TRANSFORMS[name](rgb, np.random.default_rng(1)), distorted(rgb, name, "1")
        assert ours.shape != gates.shape or (ours != gates).any(), name


@pytest.mark.parametrize("shape", [(36, 64), (144, 256), (300, 200)])
def test_every_transform_gives_a_picture_and_the_same_one_for_the_same_seed(shape):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    steps = {f"{kind} {step}": made for kind, them in SEVERITIES.items() for step, made in them.items()}
    for name, transform in (TRANSFORMS | steps).items():
        one, same = (transform(rgb, np.random.default_rng([7, 1])) for _ in range(2))
        assert one.dtype == np.uint8, name
        assert one.ndim == 3, name
        assert one.shape[2] == 3, name
        assert min(one.shape[:2]) > 1, name
        assert np.array_equal(one, same), name


def test_a_crop_keeps_the_share_of_the_sides_that_its_name_tells():
    rgb = np.zeros((400, 600, 3), np.uint8)
    for name, side in {"crop80": 0.8, "crop65": 0.65, "crop50": 0.5}.items():
        height, width = TRANSFORMS[name](rgb, np.random.default_rng(2)).shape[:2]
        assert (height * width / rgb[..., 0].size) ** 0.5 == pytest.approx(side, abs=0.01)


# ---- which videos


def test_copies_of_a_film_are_one_film(footage: Footage):
    film = {file.stem: number for file, number in zip(footage.files, footage.film, strict=True)}
    assert film["harbour"] == film["harbour-again"]
    assert len(set(film.values())) == 4


def test_films_are_held_out_whole(footage: Footage):
    assert {file.stem for file in held_out(footage, "harbour", SEED)} == {"harbour", "harbour-again"}
    drawn = held_out(footage, "2", SEED)
    assert len({footage.film_of(file) for file in drawn}) == 2
    assert drawn == held_out(footage, "2", SEED)


def test_a_quarter_of_the_films_is_held_out_where_nobody_says_which(footage: Footage):
    assert len({footage.film_of(file) for file in held_out(footage, None, SEED)}) == 1


def test_a_film_that_there_is_not_is_named_with_those_there_are(footage: Footage):
    with pytest.raises(WrongChoice, match=r"no video is called 'desert'.*forest\.mp4"):
        held_out(footage, "desert", SEED)


def test_something_must_be_left_to_index(footage: Footage):
    with pytest.raises(WrongChoice, match="hold out fewer"):
        held_out(footage, "4", SEED)


def test_what_the_home_does_not_hold_is_not_in_the_library(gallery: Gallery):
    assert [file.stem for file in gallery.library.absent] == ["absent"]
    assert len(gallery.video_ids) == 4


def test_a_home_of_other_videos_is_refused(home: Path, tmp_path: Path):
    draw_video(tmp_path / "elsewhere.mp4", duration_s=1, size=(64, 36))
    with pytest.raises(FramesearchError, match="none of the folder's 1 videos"):
        open_footage(settings_of(home), read_footage(tmp_path, [], Settings()))


# ---- base frames


def test_base_frames_are_shown_at_their_time_and_are_stored_nowhere(bases, gallery: Gallery):
    inside, outside = bases
    assert len(inside) == 6
    assert len(outside) == 2
    for base in [*inside, *outside]:
        cut_s = CUT_S if base.file.stem == "harbour-again" else 0.0
        assert read_clock(base.rgb()) == pytest.approx(base.timestamp_s + cut_s, abs=0.01)
    for base in inside:
        with open_storage(gallery.library.settings).open(layout.frames(base.video_id)) as file:
            times, _ = tables.read_frame_times(file)
        assert np.abs(times - base.timestamp_s).min() > 1e-3
    assert {base.video_id for base in outside} == {None}


def test_every_film_is_asked_before_any_is_asked_again_and_few_begin_many(bases, gallery, footage, tmp_path):
    inside, _ = bases
    assert len({base.film for base in inside[:3]}) == 3
    few, _ = choose_bases(footage, gallery.library, indexed=3, absent=0, seed=SEED, kept=tmp_path)
    assert [base.key for base in few] == [base.key for base in inside[:3]]


def test_another_seed_asks_other_frames(bases, gallery, footage, tmp_path):
    other, _ = choose_bases(footage, gallery.library, indexed=6, absent=0, seed=SEED + 1, kept=tmp_path)
    assert {base.key for base in other} != {base.key for base in bases[0]}


def test_blank_frames_are_never_asked(tmp_path: Path):
    from generated_videos import even_times, write_video

    grain = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    times = even_times(4, 10)
    write_video(tmp_path / "fade.mp4", times, lambda at: grain if at >= 3 else np.zeros_like(grain))
    frames = cut_frames(tmp_path / "fade.mp4", np.zeros(0), 5, SEED, tmp_path)
    assert len(frames) == 5
    assert all(timestamp_s >= 3 for _, timestamp_s, _ in frames)


# ---- descriptors


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (count, 9, 16, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((20, 20, 1), np.uint8)) for one in coarse]


@pytest.mark.parametrize("descriptor", [Thumbnail(), PHash(), ColourLayout()], ids=lambda one: one.name)
def test_a_descriptor_knows_a_picture_again_at_half_the_size(descriptor):
    gallery_codes = descriptor.embed(pictures(12))
    halves = descriptor.embed([one[::2, ::2] for one in pictures(12)])
    assert descriptor.scores(halves, gallery_codes).argmax(axis=1).tolist() == list(range(12))


def test_colour_layout_counts_as_the_standard_does():
    grey, red = np.full((40, 40, 3), 128, np.uint8), np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 255
    first, second = ColourLayout().embed([grey, red])
    # Y = 219 * .5 + 16.5 = 126, in steps 32 + (126 - 96) = 62, halved; both colour differences are 128: 16 + 128 - 112
    assert first[[0, 21, 27]].tolist() == [31, 32, 32]
    assert set(first[1:21]) | set(first[22:27]) | set(first[28:]) == {16}  # no detail: 128 / 8
    assert second[27] > 50 > 30 > second[21]  # much red, little blue


def test_scores_of_equal_codes_are_the_best_there_are():
    for descriptor in (Thumbnail(), PHash(), ColourLayout()):
        codes = descriptor.embed(pictures(3))
        scores = descriptor.scores(codes, codes)
        assert (np.diag(scores)[:, None] >= scores - 1e-6).all()


# ---- answers


class Recorded:
    """A system that answers from a list and counts how often it is asked."""

    name, digest, abstains, bytes_per_frame, note = "recorded", "1", True, 1.0, "by hand"

    def __init__(self, reply: Reply) -> None:
        self.reply, self.asked = reply, 0

    def prepare(self) -> None:
        pass

    def answer(self, asked: Sequence[np.ndarray]) -> list[Reply]:
        self.asked += 1
        return [self.reply] * len(asked)


def test_a_killed_run_goes_on_where_it_ended(bases, tmp_path):
    inside, _ = bases
    queries = running.query_set("gate", SEED)
    system = Recorded(Reply(True, (Place("v", 1.5, 0.25, 0.5),), 3.0))
    (first,) = ask([system], inside[:2], queries, tmp_path)
    (kept,) = list(tmp_path.glob("*.jsonl"))
    kept.write_text(kept.read_text()[:-40])  # killed while it wrote the second
    (second,) = ask([system], inside[:3], queries, tmp_path)
    assert system.asked == 4  # two; the second anew, and the third
    assert second[inside[0].key] == first[inside[0].key] == [system.reply] * 21
    ask([system], inside[:3], queries, tmp_path)
    assert system.asked == 4


def test_answers_of_another_system_of_the_same_name_are_not_taken_for_its_own(bases, tmp_path):
    system = Recorded(Reply(False, (), 1.0))
    ask([system], bases[0][:1], running.query_set("other", SEED), tmp_path)
    system.digest = "2"
    ask([system], bases[0][:1], running.query_set("other", SEED), tmp_path)
    assert system.asked == 2


def test_what_was_answered_before_a_change_is_shown_beside_what_is_answered_after(bases, tmp_path):
    queries = running.query_set("other", SEED)
    before = Recorded(Reply(True, (Place("v", 1.5, 0.25, 0.5),), 3.0))
    before.name = "before"
    ask([before], bases[0][:1], queries, tmp_path)
    (answers,) = ask([EarlierSystem("before", queries, tmp_path)], bases[0][:1], queries, tmp_path)
    assert answers[bases[0][0].key] == [before.reply] * 21
    with pytest.raises(FramesearchError, match="not asked all of these base frames"):
        ask([EarlierSystem("before", queries, tmp_path)], bases[0][:2], queries, tmp_path)
    with pytest.raises(FramesearchError, match="'after' was asked these queries before, only before"):
        EarlierSystem("after", queries, tmp_path)


def test_flat_search_finds_stored_frames_and_names_a_scene_once(gallery: Gallery, tmp_path):
    system = FlatSearch(Thumbnail(), gallery, tmp_path)
    system.prepare()
    stored = gallery.pictures(0)[2]
    (reply,) = system.answer([stored])
    assert reply.places[0].video_id == gallery.video_ids[0]
    assert reply.places[0].timestamp_s == pytest.approx(gallery.timestamps_s[2])
    assert reply.places[0].score == pytest.approx(1, abs=1e-5)
    same = [place.timestamp_s for place in reply.places if place.video_id == gallery.video_ids[0]]
    assert np.diff(sorted(same)).min(initial=np.inf) > systems.SAME_SCENE_S


def test_codes_of_stored_frames_are_computed_once(gallery: Gallery, tmp_path, monkeypatch):
    FlatSearch(Thumbnail(), gallery, tmp_path).prepare()
    monkeypatch.setattr(Thumbnail, "embed", lambda *_: pytest.fail("embedded anew"))
    FlatSearch(Thumbnail(), gallery, tmp_path).prepare()


def test_thinned_frames_are_a_second_apart(gallery: Gallery):
    rows = systems.thinned(gallery, 1.0)
    assert 4 * 4 <= len(rows) < len(gallery) / 2
    for number in range(4):
        times = gallery.timestamps_s[rows[gallery.video[rows] == number]]
        assert np.diff(times).min() >= 0.999


# ---- marking


def answered(base: Base, *places: tuple[str, float], found: bool = True, kinds: int = 1) -> dict[str, list[Reply]]:
    listed = tuple(Place(video_id, at_s, 0.9 - n / 10, 0.9 - n / 10) for n, (video_id, at_s) in enumerate(places))
    return {base.key: [Reply(found, listed, 2.0)] * kinds}


def marks_of(base: Base, answers: dict[str, list[Reply]], gallery: Gallery, footage: Footage) -> Marks:
    return mark(answers, ["none"], [base], [], gallery, footage, align_copies(gallery, footage))


def test_right_is_the_own_video_within_a_second(bases, gallery, footage):
    base = bases[0][0]
    right = marks_of(base, answered(base, (base.video_id, base.timestamp_s + 0.9)), gallery, footage)
    assert right.strict[0, 0, 0]
    assert right.right[0, 0, 0]
    assert right.error_s[0, 0] == pytest.approx(0.9)
    late = marks_of(base, answered(base, (base.video_id, base.timestamp_s + 1.1)), gallery, footage)
    assert not late.strict[0, 0, 0]
    assert late.film[0, 0]


def test_a_frame_that_looks_the_same_is_right_but_not_strictly(bases, gallery, footage):
    base = bases[0][0]
    row = gallery.row_at(base.video_id, base.timestamp_s)
    elsewhere = next(n for n, video_id in enumerate(gallery.video_ids) if video_id != base.video_id)
    twin = gallery.rows_of(elsewhere)[0]
    thumbnails = gallery.thumbnails.copy()
    thumbnails[twin] = marking_thumbnail(base)
    same = replace(gallery, thumbnails=thumbnails)
    place = (gallery.video_ids[elsewhere], float(gallery.timestamps_s[twin]))
    marks = marks_of(base, answered(base, place), same, footage)
    assert row is not None
    assert marks.right[0, 0, 0]
    assert marks.film[0, 0]
    assert not marks.strict[0, 0, 0]
    assert np.isnan(marks.error_s[0, 0])


def marking_thumbnail(base: Base) -> np.ndarray:
    from framesearch.images.sameness import look

    return look(base.rgb())


def test_another_copy_of_the_film_is_the_right_video(bases, gallery, footage):
    base = next(base for base in bases[0] if base.file.stem.startswith("harbour"))
    copy = next(
        video_id
        for file, video_id in zip(gallery.files, gallery.video_ids, strict=True)
        if footage.film_of(file) == base.film and video_id != base.video_id
    )
    shift_s = CUT_S if base.file.stem == "harbour-again" else -CUT_S
    elsewhere = marks_of(base, answered(base, (copy, base.timestamp_s + shift_s + 1.4)), gallery, footage)
    assert elsewhere.film[0, 0]
    assert not elsewhere.right[0, 0, 0]
    at_the_moment = marks_of(base, answered(base, (copy, base.timestamp_s + shift_s + 0.7)), gallery, footage)
    assert at_the_moment.right[0, 0, 0]
    assert not at_the_moment.strict[0, 0, 0]
    assert np.isnan(at_the_moment.error_s[0, 0])


def test_copies_are_aligned_and_other_films_are_not(gallery, footage):
    first, again = (next(file for file in gallery.files if file.stem == stem) for stem in ("harbour", "harbour-again"))
    aligned = align_copies(gallery, footage)
    assert aligned.shift_s == {
        (first, again): pytest.approx(-CUT_S, abs=0.1),
        (again, first): pytest.approx(CUT_S, abs=0.1),
    }
    base = Base(first, footage.film_of(first), "harbour", 2.0, Path("unused"))
    assert aligned.late_s(base, again, 1.5) == pytest.approx(0.5, abs=0.1)
    assert aligned.late_s(base, first, 2.5) == pytest.approx(0.5)
    assert aligned.late_s(base, next(file for file in gallery.files if file.stem == "forest"), 2.0) == np.inf


def test_what_the_footage_allows_falls_with_what_is_stored(bases, gallery, footage):
    copies = align_copies(gallery, footage)
    allowed = limits(bases[0], gallery, copies)
    assert 0 < allowed.nearest_s < 0.3
    assert allowed.alike > 0.6
    turned_round = replace(gallery, thumbnails=gallery.thumbnails[::-1])
    assert limits(bases[0], turned_round, copies).alike < allowed.alike / 2
    assert np.isnan(limits([], gallery, copies).alike)


def test_the_right_answer_at_rank_three_counts_for_r5_only(bases, gallery, footage):
    base = bases[0][0]
    wrong = next(v for f, v in zip(gallery.files, gallery.video_ids, strict=True) if footage.film_of(f) != base.film)
    answers = answered(base, (wrong, 0.5), (wrong, 4.5), (base.video_id, base.timestamp_s))
    told = figures(marks_of(base, answers, gallery, footage))
    assert told["r5"] == 1
    assert told["video1"] == told["r1"] == 0
    assert told["found_wrong"] == 1


def made_up(right: list[bool], sure: list[float], outside: list[float], found: float) -> Marks:
    """Marks of one transform from what was right and how sure the system was; found from a threshold on."""
    rights, sures = np.array(right).reshape(-1, 1), np.array(sure, float).reshape(-1, 1)
    beyond = np.array(outside, float).reshape(-1, 1)
    strict = np.repeat(rights[..., None], 5, axis=2)
    return Marks(
        ("none",),
        strict,
        strict,
        rights,
        sures >= found,
        np.where(rights, 0.1, np.nan),
        sures,
        sures,
        np.ones((len(rights) + len(beyond), 1)),
        beyond >= found,
        beyond,
        beyond,
    )


def test_found_and_falsely_found_are_told_apart():
    told = figures(made_up([True, True, False, True], [0.9, 0.8, 0.7, 0.2], [0.75, 0.1], found=0.6))
    assert told["found_right"] == 0.5
    assert told["found_wrong"] == 0.25
    assert told["not_found"] == 0.25
    assert told["found_right_video"] == pytest.approx(2 / 3)
    assert told["falsely_found"] == 0.5
    assert told["found_precision"] == 0.5


def test_the_threshold_at_p90_is_a_confidence_and_infinite_where_nothing_is_that_precise():
    assert threshold_at_p90(made_up([True, True, False], [0.9, 0.8, 0.3], [0.5], found=0)) == 0.8
    assert threshold_at_p90(made_up([False, True], [0.9, 0.8], [0.95], found=0)) == float("inf")


def test_intervals_hold_the_figure_and_a_system_equals_itself():
    rng = np.random.default_rng(0)
    marks = made_up((rng.random(40) < 0.7).tolist(), rng.random(40).tolist(), rng.random(20).tolist(), found=0.5)
    told, spread = figures(marks), intervals(marks, SEED)
    for name in ("r1", "micro_ap", "found_right", "falsely_found"):
        assert spread[name][0] < told[name] < spread[name][1]
    assert difference(marks, marks, SEED) == (0, 0, 0)


def test_without_held_out_videos_nothing_is_said_of_distractors():
    told = figures(made_up([True], [0.9], [], found=0.5))
    assert np.isnan(told["falsely_found"])
    assert told["found_precision"] == 1


# ---- the whole


def run(home: Path, folder: Path, *more: str) -> Path:
    usual = ("--home", str(home), "--copies", "harbour,harbour-again", "--bases", "4", "--distractors", "1")
    return running.run(options().parse_args([str(folder), *usual, *more]))


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Path:
    shutil.copytree(home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def test_from_a_folder_to_the_report(own_home, folder, encoder_file, empty_database, tmp_path):
    (own_home / "mlflow").mkdir()
    shutil.copy(empty_database, own_home / "mlflow")
    assert has_index(settings_of(own_home))
    asked = ("--sscd", str(encoder_file), "--sscd-side", "64", "--systems", "framesearch,sscd,sscd1,phash")
    page = run(own_home, folder, *asked, "--severities", "2", "--mlflow", "--report", str(tmp_path / "report"))
    told = json.loads((page.parent / "accuracy.json").read_text())
    assert list(told["systems"]) == ["framesearch", "SSCD", "SSCD, one a second", "pHash"]
    assert told["protocol"]["absent_videos"] == ["absent.mp4"]
    for system in told["systems"].values():
        assert 0 < system["figures"]["r1"] <= 1
        assert system["figures"]["r1"] <= system["figures"]["r5"]
        assert system["figures"]["cpu_ms"] > 0
        assert set(system["by_transform"]) == set(TRANSFORMS)
        assert set(system["severities"]) == set(SEVERITIES)
    assert told["systems"]["SSCD"]["by_transform"]["none"]["r1"] == 1  # an unmodified frame, four frames a second
    assert told["systems"]["SSCD"]["figures"]["falsely_found"] == 1  # it always answers
    thinned = told["systems"]["SSCD, one a second"]["figures"]["bytes_per_frame"]
    assert thinned < told["systems"]["SSCD"]["figures"]["bytes_per_frame"]
    assert 0 < told["protocol"]["alike"] <= 1
    assert "| framesearch | **" in page.read_text()
    assert {file.name for file in page.parent.glob("*.png")} == {
        "recall_by_transform.png",
        "precision_recall.png",
        "severities.png",
    }
    client = Registry(settings_of(own_home)).client
    (logged,) = client.search_runs([client.get_experiment_by_name("accuracy benchmark").experiment_id])
    assert logged.data.metrics["framesearch/r1"] == told["systems"]["framesearch"]["figures"]["r1"]
    assert logged.data.metrics["sscd_one_a_second/r1/page"] >= 0
    assert {"accuracy.md", "precision_recall.png"} <= {file.path for file in client.list_artifacts(logged.info.run_id)}


def test_a_peer_that_cannot_be_had_costs_a_line_not_the_run(own_home, folder):
    page = run(own_home, folder, "--systems", "thumbnail,sscd")
    assert "- SSCD: name its ONNX file with --sscd" in page.read_text()


def test_a_system_that_there_is_not_is_named_with_those_there_are(own_home, folder):
    with pytest.raises(WrongChoice, match=r"no system is called orb: choose from framesearch, .*embedding alone, sscd"):
        run(own_home, folder, "--systems", "orb")


def test_what_is_measured_now_is_not_called_as_what_was_measured_earlier(own_home, folder):
    with pytest.raises(WrongChoice, match="call what is measured now otherwise"):
        run(own_home, folder, "--label", "flat", "--earlier", "flat")
