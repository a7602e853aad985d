"""The command line, as people and scripts call it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result
from index_fixtures import Library
from PIL import Image
from query_pictures import KINDS
from stored_frames import NOW, picture, store_video
from training_fixtures import register_version
from typer.testing import CliRunner

from framesearch.cli.app import app
from framesearch.cli.search import also_in
from framesearch.images.query import PLAINLY
from framesearch.index.pointer import current_index_id
from framesearch.models.registry import Registry
from framesearch.records import FrameCounts, Match, PlaylistListing
from framesearch.settings import settings
from framesearch.store import layout
from framesearch.wording import clock


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Calls the command line in this process, with a library's home."""
    monkeypatch.setenv("COLUMNS", "200")

    def call_with(library: Library, *arguments: object) -> Result:
        monkeypatch.setenv("FRAMESEARCH_HOME", str(library.settings.home))
        settings.cache_clear()
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    yield call_with
    settings.cache_clear()


def lines(result: Result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def write(path: Path, rgb: np.ndarray) -> Path:
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return path


# ---- search


def test_answers_a_picture_in_one_line_of_json(call: Any, published: Library, tmp_path: Path) -> None:
    query = write(tmp_path / "shot.png", picture(2, 4.3))
    result = call(published, "search", query, "--json", "--top", 3)
    assert result.exit_code == 0, result.stderr
    (answer,) = lines(result)
    assert list(answer) == ["query", "found", "matches", "view", "elapsed_ms", "degraded"]
    assert (answer["query"], answer["found"], answer["view"]) == (str(query), True, "original")
    assert len(answer["matches"]) == 3
    best = answer["matches"][0]
    promised = ["video_id", "title", "url", "timestamp_s", "start_s", "end_s", "score", "confidence"]
    assert list(best) == [*promised, "frame_s", "box", "repeats"]
    assert best["video_id"] == "v2"
    assert best["timestamp_s"] == pytest.approx(4.3, abs=0.5)


def test_answers_people_in_words(call: Any, published: Library, tmp_path: Path) -> None:
    result = call(published, "search", write(tmp_path / "shot [1].png", picture(2, 4.3)))
    assert result.exit_code == 0, result.stderr
    assert "shot [1].png" in result.stdout
    assert "0:04" in result.stdout
    assert "Film v2" in result.stdout


def test_tells_people_where_else_the_picture_stands(call: Any, published: Library, tmp_path: Path) -> None:
    store_video(published.catalogue, published.storage, "again", seed=2, title="Again [2]")
    published.publish()
    query = write(tmp_path / "shot.png", picture(2, 4.3))
    best, below = call(published, "search", query).stdout.splitlines()[1:3]
    assert re.fullmatch(r" +\d+%  +0:04  (Film v2|Again \[2\]) +https://films.example/(v2|again)", best)
    assert re.fullmatch(r" +also in: (Film v2|Again \[2\]) at 0:04", below)
    (answer,) = lines(call(published, "search", query, "--json"))
    assert [match["repeats"] for match in answer["matches"][:2]] == [None, 0]


def test_a_bad_picture_costs_no_other(call: Any, published: Library, tmp_path: Path) -> None:
    good = write(tmp_path / "a.png", picture(0, 2.2))
    bad = tmp_path / "b.png"
    bad.write_text("no picture")
    other = write(tmp_path / "c.jpg", picture(1, 8.2))
    result = call(published, "search", good, bad, tmp_path / "absent.png", other, "--json")
    assert result.exit_code == 1
    answers = lines(result)
    assert [answer["query"] for answer in answers] == [str(good), str(bad), str(tmp_path / "absent.png"), str(other)]
    assert "not a picture" in answers[1]["error"]
    assert "absent.png can't be read" in answers[2]["error"]
    assert [answers[k]["matches"][0]["video_id"] for k in (0, 3)] == ["v0", "v1"]


def test_a_folder_means_its_pictures(call: Any, published: Library, tmp_path: Path) -> None:
    folder = tmp_path / "shots with 'quotes' é"
    folder.mkdir()
    for name in ("b.PNG", "a.jpg", "c.webp"):
        write(folder / name, picture(1, 2.2))
    (folder / "notes.txt").write_text("not asked")
    (folder / "d.png").mkdir()
    result = call(published, "search", folder, "--json")
    assert result.exit_code == 0, result.stderr
    assert [Path(answer["query"]).name for answer in lines(result)] == ["a.jpg", "b.PNG", "c.webp"]


def test_a_folder_s_pictures_are_told_by_their_content(call: Any, published: Library, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    jpeg = write(tmp_path / "shot.jpg", picture(1, 2.2)).read_bytes()
    names = ["a.jfif", "b.jpe", "c", "d.png", "e.JPG_large", "f.txt"]
    for name in names:
        (folder / name).write_bytes(jpeg)
    image = Image.fromarray(picture(1, 2.2))
    (folder / "g.heic").write_bytes(KINDS["HEIC"](image))
    image.save(folder / "h.jp2")
    result = call(published, "search", folder, "--json")
    assert result.exit_code == 0, result.stderr
    answers = lines(result)
    assert [Path(answer["query"]).name for answer in answers] == [*names, "g.heic", "h.jp2"]
    assert {answer["matches"][0]["video_id"] for answer in answers} == {"v1"}
    assert "passed over" not in result.stderr


def test_a_folder_s_other_files_are_named_by_kind(call: Any, published: Library, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    write(folder / "a.png", picture(1, 2.2))
    for number in range(7):
        (folder / f"clip{number}.jpg").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp41isom")
    (folder / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "manual.pdf").write_bytes(b"%PDF-1.7")
    (folder / "notes.txt").write_text("not asked")
    (folder / "nothing.png").touch()
    (folder / "old").mkdir()
    (folder / "dangling.jpg").symlink_to(tmp_path / "absent.jpg")
    os.mkfifo(folder / "pipe.png")
    (Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))).write_text("not UTF-8")
    result = call(published, "search", folder, "--json")
    assert result.exit_code == 0, result.stderr
    assert [Path(answer["query"]).name for answer in lines(result)] == ["a.png"]
    told = " ".join(result.stderr.split())
    assert "15 passed over" in told
    for part in (
        "7 videos (clip0.jpg, clip1.jpg, clip2.jpg, clip3.jpg, clip4.jpg and 2 more)",
        "1 SVG drawing (logo.svg)",
        "1 PDF document (manual.pdf)",
        "1 empty file (nothing.png)",
        "1 folder (old)",
        "2 special files (dangling.jpg, pipe.png)",
        "2 files of another kind (caf\N{REPLACEMENT CHARACTER}.txt, notes.txt)",
    ):
        assert part in told


def test_a_folder_without_pictures_is_said_to_be_empty(call: Any, published: Library, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert "is empty: no picture to search for" in " ".join(call(published, "search", tmp_path / "none").stderr.split())


def test_the_help_and_the_readme_name_every_kind_that_is_read(call: Any, library: Library) -> None:
    told = " ".join(call(library, "search", "--help").stdout.replace("│", " ").split())
    assert PLAINLY.replace(" or ", " and ") in told
    assert PLAINLY in " ".join(Path(__file__).parents[2].joinpath("README.md").read_text().split())


def test_without_an_index_it_says_what_to_do(call: Any, library: Library, tmp_path: Path) -> None:
    result = call(library, "search", write(tmp_path / "a.png", picture(0, 1)), "--json")
    assert result.exit_code == 1
    assert "nothing is indexed yet" in result.stderr
    assert "framesearch run PLAYLIST" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bad_setting_is_a_sentence(
    call: Any, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMESEARCH_FOUND_PRECISION", "high")
    result = call(library, "status")
    assert result.exit_code == 1
    assert "FRAMESEARCH_FOUND_PRECISION" in result.stderr
    assert "Traceback" not in result.stderr


# ---- status


def test_status_tells_how_well_the_champion_finds(call: Any, published: Library, empty_database: Path) -> None:
    folder = published.settings.home / "mlflow"
    folder.mkdir()
    shutil.copy(empty_database, folder)
    registry = Registry(published.settings)
    registry.promote(register_version(registry), "the first")
    assert "champion v1 thumbnail  alone: right moment first 50.0%\n" in call(published, "status").stdout


def test_status_tells_what_there_is(call: Any, published: Library) -> None:
    published.catalogue.record_playlist_error("https://gone.example/", "that playlist is private", NOW)
    store_video(published.catalogue, published.storage, "bad", seed=9, title="A [bold] film")
    published.catalogue.mark_unavailable("bad", "private", "the video is private", NOW)
    result = call(published, "status")
    assert result.exit_code == 0, result.stderr
    for part in (
        "https://films.example/list",
        "that playlist is private",
        "4 ready, 1 unavailable",
        "A [bold] film: the video is private",
        "74 frames of 4 videos, SQ8, model v1",
        "precision",
    ):
        assert part in result.stdout


def test_status_tells_what_was_passed_over_and_what_is_not_whole(call: Any, published: Library) -> None:
    video = published.catalogue.videos()[0]
    listing = PlaylistListing("/films/[1]", "Films [1]", [video], note="1 folder that can't be read: [a]; 3 pictures")
    published.catalogue.record_listing(listing, NOW)
    published.catalogue.mark_ready(video.video_id, FrameCounts(24, 4, 12.0, "ends after 12 of 60 s"), NOW)
    told = " ".join(call(published, "status").stdout.split())
    assert "passed over: 1 folder that can't be read: [a]; 3 pictures" in told
    assert f"{video.title}: ready, ends after 12 of 60 s" in told
    (facts,) = lines(call(published, "status", "--json"))
    assert {playlist["url"]: playlist["note"] for playlist in facts["playlists"]} == {
        "/films/[1]": listing.note,
        "https://films.example/list": None,
    }
    assert [(one["video_id"], one["detail"]) for one in facts["partial"]] == [(video.video_id, "ends after 12 of 60 s")]
    assert facts["not_ready"] == []


def test_status_shows_a_folder_whose_name_is_no_text(call: Any, published: Library) -> None:
    video = published.catalogue.videos()[0]
    published.catalogue.record_listing(PlaylistListing("file:///caf%E9", "caf\ufffd", [video]), NOW)
    assert "/caf\ufffd 1 videos" in " ".join(call(published, "status").stdout.split())


def test_status_tells_scripts(call: Any, published: Library) -> None:
    (facts,) = lines(call(published, "status", "--json"))
    assert facts["videos"] == {"discovered": 0, "ready": 4, "unavailable": 0, "failed": 0}
    assert facts["frames"] == {"index": 96, "probe": 16}
    assert facts["index"]["index_id"] == current_index_id(published.storage)[0]
    assert "error" in facts["champion"]


def test_the_program_itself_begins_with_an_empty_home(tmp_path: Path) -> None:
    environment = os.environ | {"FRAMESEARCH_HOME": str(tmp_path / "fresh")}
    command = [Path(sys.executable).with_name("framesearch"), "status"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "no playlist yet" in result.stdout
    assert "nothing is indexed yet" in result.stdout


# ---- index


def test_lists_bundles_and_moves_back(call: Any, published: Library) -> None:
    first = current_index_id(published.storage)[0]
    store_video(published.catalogue, published.storage, "v9", seed=9, seconds=4)
    second = published.publish().index_id
    listed = lines(call(published, "index", "list", "--json"))
    assert [(card["index_id"], card["published"]) for card in listed] == [(second, True), (first, False)]
    result = call(published, "index", "rollback")
    assert result.exit_code == 0, result.stderr
    assert current_index_id(published.storage)[0] == first
    result = call(published, "index", "rollback")
    assert result.exit_code == 1
    assert "no older index" in result.stderr
    assert call(published, "index", "rollback", second).exit_code == 0
    assert second in call(published, "index", "list").stdout
    assert call(published, "index", "rollback", "../x").exit_code == 1


def test_a_damaged_pointer_can_be_set_anew(call: Any, published: Library) -> None:
    index_id = current_index_id(published.storage)[0]
    (published.storage.root / layout.INDEX_POINTER).write_text("garbage")
    assert "damaged" in call(published, "index", "list").stderr
    assert call(published, "index", "rollback", index_id).exit_code == 0
    assert current_index_id(published.storage)[0] == index_id


# ---- the program itself


def test_help_loads_nothing_heavy() -> None:
    check = (
        "import sys, framesearch.cli.app as cli\n"
        "heavy = {'mlflow', 'faiss', 'cv2', 'tensorflow', 'onnxruntime', 'av', 'yt_dlp', 'pyarrow', 'sqlalchemy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)


@pytest.mark.parametrize("command", ["search", "run", "status", "index", "model"])
def test_every_command_explains_itself(call: Any, command: str, library: Library) -> None:
    result = call(library, command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout) > 100


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0:00"), (9.99, "0:09"), (723.4, "12:03"), (3723, "1:02:03"), (36000, "10:00:00")]
)
def test_writes_times_as_people_do(seconds: float, written: str) -> None:
    assert clock(seconds) == written


def test_names_each_video_once() -> None:
    def match(video_id: str, at_s: float) -> Match:
        return Match(video_id, f"Film {video_id}", "", at_s, at_s, at_s, 20.0, 0.9, at_s)

    lead = match("a", 10)
    assert also_in(lead, [match("b", 11), match("a", 62), match("b", 40), match("c", 3723)]) == (
        "also at 1:02; also in: Film b at 0:11 and 0:40, Film c at 1:02:03"
    )
    assert also_in(lead, [match("a", 62), match("a", 90)]) == "also at 1:02 and 1:30"
