"""What the program shows, on whatever it is shown: consoles of any encoding, files, pipes; and names that mean harm."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
from generated_videos import draw_video
from index_fixtures import Library
from rich.console import Console
from stored_frames import picture, store_video
from training_fixtures import register_version

from framesearch.cli.progress import RunDisplay
from framesearch.cli.terminal import printable, shown
from framesearch.index.pointer import current_index_id
from framesearch.models.registry import Registry
from framesearch.settings import Settings

PROGRAM = Path(sys.executable).with_name("framesearch")
TIMED = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


def program(home: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        env=os.environ | {"FRAMESEARCH_HOME": str(home)} | environment,
        capture_output=True,
        timeout=120,
    )


# ---- any encoding


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "cp1252"])
def test_a_console_that_lacks_a_letter_shows_the_rest(published: Library, tmp_path: Path, encoding: str) -> None:
    store_video(published.catalogue, published.storage, "emoji", seed=7, title="Été \N{PILE OF POO} فیلم")
    published.publish()
    query = tmp_path / "shot \N{GRINNING FACE}.png"
    cv2.imwrite(str(query), cv2.cvtColor(picture(7, 4.3), cv2.COLOR_RGB2BGR))
    result = program(published.settings.home, "search", query, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr.decode(encoding)
    said = result.stdout.decode(encoding)
    assert "shot ?.png" in said
    assert "0:04" in said
    assert ("?t? ? ????" if encoding == "ascii" else "Été ? ????") in said


def test_names_can_neither_drive_the_console_nor_forge_a_line() -> None:
    name = "a\x1b[2J\nindex published: all is well\u202egnp.exe [red]b[/] \udce9"
    assert printable(name) == "a[2J index published: all is wellgnp.exe [red]b[/] \N{REPLACEMENT CHARACTER}"
    console = Console(file=io.StringIO(), width=200)
    console.print(shown(name))
    assert console.file.getvalue() == printable(name) + "\n"  # type: ignore[attr-defined]


def test_a_file_name_that_is_not_utf8_is_shown_and_answered(published: Library, tmp_path: Path) -> None:
    query = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(query)).write_bytes(cv2.imencode(".png", picture(2, 4.3)[:, :, ::-1])[1].tobytes())
    result = program(published.settings.home, "search", os.fsdecode(query))
    assert result.returncode == 0, result.stderr
    assert "caf\N{REPLACEMENT CHARACTER}.png" in result.stdout.decode()
    assert "Film v2" in result.stdout.decode()


# ---- a run that nobody watches


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def no_terminal() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True)


def written(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@contextmanager
def a_run_shown_on(out: Console, err: Console) -> Iterator[None]:
    with RunDisplay(out, err) as display:
        with display.step("Extracting frames", 2) as step:
            step.advance("A [red]film")
            step.advance("Another\nfilm")
        with display.step("Listing playlists", 0):
            pass
        with display.step("Training", None) as step:
            step.say("epoch 1")
        yield


def test_a_file_gets_a_timed_line_for_each_thing_done() -> None:
    out, err = no_terminal(), no_terminal()
    with a_run_shown_on(out, err):
        lines = written(out).splitlines()
    assert all(re.match(TIMED, line) for line in lines)
    assert [re.sub(r"^" + TIMED, "", re.sub(r"in \d+ s", "in N s", line)) for line in lines] == [
        "Extracting frames 1/2: A [red]film",
        "Extracting frames 2/2: Another film",
        "Extracting frames: 2 of 2 done in N s",
        "Listing playlists: nothing to do",
        "Training",
        "Training: epoch 1",
        "Training: done in N s",
    ]
    assert written(err) == ""


def test_a_terminal_gets_bars_and_a_file_beside_it_its_lines() -> None:
    out, err = no_terminal(), terminal()
    with a_run_shown_on(out, err):
        pass
    assert "Extracting frames 2/2: Another film" in written(out)
    assert "Extracting frames" in written(err)
    assert "2/2" in written(err)
    out, err = terminal(), terminal()
    with a_run_shown_on(out, err):
        pass
    assert written(out) == ""
    assert "2/2" in written(err)


def test_a_step_that_fails_says_that_it_stopped() -> None:
    out = no_terminal()
    with RunDisplay(out, no_terminal()) as display, pytest.raises(KeyboardInterrupt), display.step("Embedding", 3):
        raise KeyboardInterrupt
    assert re.fullmatch(TIMED + r"Embedding: stopped after \d+ s\n", written(out))


def test_a_run_into_a_file_is_written_as_it_goes(
    fresh_settings: Settings, fresh_registry: Registry, tmp_path: Path
) -> None:
    fresh_registry.promote(register_version(fresh_registry, frames=10), "the first")
    films = tmp_path / "films"
    films.mkdir()
    for number in range(2):
        draw_video(films / f"film {number}.mp4", duration_s=4, seed=number)
    environment = os.environ | {"FRAMESEARCH_HOME": str(fresh_settings.home), "FRAMESEARCH_RETRAIN_GROWTH": "1000"}
    command = [PROGRAM, "run", films]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        first = run.stdout.readline()
        assert run.poll() is None, "the first line came only with the last"
        rest = run.stdout.read().splitlines()
    assert run.returncode == 0
    assert re.match(TIMED + "Listing playlists", first)
    steps = [re.sub("^" + TIMED, "", line) for line in rest]
    assert {"Extracting frames 1/2: film 0", "Extracting frames 1/2: film 1"} & set(steps)
    assert "Embedding frames 2/2: film 1" in steps
    assert steps[-1].startswith("index ")


# ---- what shells ask for


def test_tells_its_version(tmp_path: Path) -> None:
    result = program(tmp_path / "home", "--version")
    assert re.fullmatch(rb"framesearch \d+\.\d+\.\d+\n", result.stdout)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_writes_the_completion_of_a_shell(tmp_path: Path, shell: str) -> None:
    # Typer takes the shell's name only where it doesn't ask which shell it was started from.
    result = program(tmp_path, "--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert result.returncode == 0, result.stderr
    assert b"framesearch" in result.stdout


def test_completes_commands_and_the_ids_of_bundles(published: Library) -> None:
    def completed(line: str) -> list[str]:
        words = line.split(" ")
        asked = {"_FRAMESEARCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        return program(published.settings.home, **asked).stdout.decode().split()

    assert completed("framesearch in") == ["index"]
    assert completed("framesearch index rollback ") == [current_index_id(published.storage)[0]]
