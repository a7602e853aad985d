"""Searches wait their turn: never more at once than there are places, first come, first served, whatever they do."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from framesearch.search.admission import MOST, Admission

pytestmark = pytest.mark.timeout(60)  # what waits for itself would wait for ever


def until(happened: Callable[[], bool]) -> None:
    while not happened():
        time.sleep(0.001)


def waiting(admission: Admission) -> int:
    """Callers who have not had their turn yet."""
    return admission._threads._work_queue.qsize()


@contextmanager
def occupied(admission: Admission) -> Iterator[None]:
    """All places are taken until the end of the block."""
    leave = threading.Event()
    inside = threading.Semaphore(0)

    def stay() -> None:
        inside.release()
        leave.wait()

    holders = [threading.Thread(target=admission.run, args=(stay,)) for _ in range(admission.at_once)]
    for holder in holders:
        holder.start()
        inside.acquire()
    try:
        yield
    finally:
        leave.set()
        for holder in holders:
            holder.join()


def test_what_a_call_returns_or_raises_is_the_callers() -> None:
    admission = Admission(1)
    assert admission.run(lambda: 7) == 7
    error = KeyError("mine")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        admission.run(fail)
    assert raised.value is error


def test_never_more_at_once_than_there_are_places() -> None:
    admission = Admission(3)
    counting = threading.Lock()
    together = threading.Barrier(3)  # passed by three at a time: were there fewer places, nobody would pass
    inside, most = 0, 0

    def call() -> None:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        together.wait()
        time.sleep(0.002)
        with counting:
            inside -= 1

    callers = [threading.Thread(target=admission.run, args=(call,)) for _ in range(30)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert (inside, most) == (0, 3)


def test_first_come_first_served() -> None:
    admission = Admission(1)
    served: list[int] = []
    callers = [threading.Thread(target=admission.run, args=(lambda n=n: served.append(n),)) for n in range(20)]
    with occupied(admission):
        for place, caller in enumerate(callers, start=1):
            caller.start()
            until(lambda place=place: waiting(admission) == place)
    for caller in callers:
        caller.join()
    assert served == list(range(20))


def test_errors_give_their_place_back() -> None:
    admission = Admission(2)
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            admission.run(lambda: 1 / 0)
    with occupied(admission):  # both places are there
        pass


def test_a_call_within_a_call_has_its_turn_already() -> None:
    admission = Admission(1)
    assert admission.run(lambda: admission.run(lambda: admission.run(threading.get_ident))) != threading.get_ident()


def test_who_is_interrupted_while_waiting_waits_no_more_and_is_not_called() -> None:
    admission = Admission(1)
    called: list[str] = []
    me = threading.get_ident()

    def interrupt() -> None:
        until(lambda: waiting(admission) == 1)
        signal.pthread_kill(me, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for what runs in background
    try:
        with occupied(admission):
            interrupter = threading.Thread(target=interrupt)
            interrupter.start()
            with pytest.raises(KeyboardInterrupt):
                admission.run(lambda: called.append("interrupted"))
            interrupter.join()
    finally:
        signal.signal(signal.SIGINT, before)
    admission.run(lambda: called.append("next"))
    assert called == ["next"]


def test_its_threads_stay_and_end_with_it() -> None:
    before = set(threading.enumerate())
    admission = Admission(2)
    for _ in range(3):
        with occupied(admission):
            pass
    threads = set(threading.enumerate()) - before
    assert len(threads) == 2
    del admission
    gc.collect()
    for thread in threads:
        thread.join()


def test_there_are_as_many_places_as_the_process_may_use_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        for cores in range(1, len(allowed) + 1):
            os.sched_setaffinity(0, sorted(allowed)[:cores])
            assert Admission().at_once <= min(cores, MOST)
        os.sched_setaffinity(0, sorted(allowed)[:1])
        assert Admission().at_once == 1
    finally:
        os.sched_setaffinity(0, allowed)
