"""framesearch.system.locks: one holder at a time, named to those who wait, and none that outlives its process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.synchronize import Event

from framesearch.settings import Settings
from framesearch.system.locks import INDEX, TRAINING, extraction, held, sweep

_spawn = multiprocessing.get_context("spawn")


def _hold(settings: Settings, has_it: Event, done: Event) -> None:
    with held(TRAINING, settings, "the first"):
        has_it.set()
        done.wait()


def _other(settings: Settings) -> tuple[multiprocessing.Process, Event]:
    """A process that holds the lock until told that it is done."""
    has_it, done = _spawn.Event(), _spawn.Event()
    process = _spawn.Process(target=_hold, args=(settings, has_it, done))
    process.start()
    assert has_it.wait(60)
    return process, done


def test_a_free_lock_is_not_waited_for_and_leaves_no_file(fresh_settings: Settings) -> None:
    with held(TRAINING, fresh_settings, "somebody") as lock, held(INDEX, fresh_settings, "somebody"):
        assert lock.waited_for == ""
        assert len(list((fresh_settings.home / "locks").iterdir())) == 2
    assert list((fresh_settings.home / "locks").iterdir()) == []


def test_whoever_waits_is_told_for_whom(fresh_settings: Settings) -> None:
    process, done = _other(fresh_settings)
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        done.set()

    with held(TRAINING, fresh_settings, "the second", say) as lock:
        (line,) = told
        assert line.startswith(f"waiting for the first (process {process.pid}, since ")
        assert f"s for the first (process {process.pid}, since " in lock.waited_for
    process.join()


def test_threads_exclude_one_another_too(fresh_settings: Settings) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(3):
            with held(extraction("v1"), fresh_settings, "a thread"):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_killed_holder_holds_nothing(fresh_settings: Settings) -> None:
    process, _ = _other(fresh_settings)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (fresh_settings.home / "locks" / "training.lock").exists()  # its file is left, the lock is not
    with held(TRAINING, fresh_settings, "the second") as lock:
        assert lock.waited_for == ""


def test_a_sweep_leaves_only_locks_that_are_held(fresh_settings: Settings) -> None:
    killed, _ = _other(fresh_settings)
    killed.kill()
    killed.join()
    folder = fresh_settings.home / "locks"
    assert [file.name for file in folder.iterdir()] == ["training.lock"]
    with held(INDEX, fresh_settings, "somebody"):
        sweep(fresh_settings)
        assert [file.name for file in folder.iterdir()] == ["index.lock"]
    process, done = _other(fresh_settings)
    sweep(fresh_settings)
    assert [file.name for file in folder.iterdir()] == ["training.lock"]
    done.set()
    process.join()


def test_a_process_that_inherits_a_lock_holds_it_until_it_ends(fresh_settings: Settings) -> None:
    """As the training does whose parent was killed."""
    program = (
        "import os, subprocess, sys; from pathlib import Path; from framesearch.system.locks import held; "
        "from framesearch.settings import Settings\n"
        "with held('training', Settings(home=Path(sys.argv[1])), 'the first') as lock:\n"
        "    child = subprocess.Popen(['sleep', '600'], pass_fds=[lock.descriptor], stdout=subprocess.DEVNULL)\n"
        "    print(child.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(fresh_settings.home)], stdout=subprocess.PIPE, text=True, check=False
    )
    child = int(told.stdout)
    waiting: list[str] = []

    def say(line: str) -> None:
        waiting.append(line)
        os.kill(child, signal.SIGKILL)

    with held(TRAINING, fresh_settings, "the second", say):
        assert "waiting for the first" in waiting[0]
