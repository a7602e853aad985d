"""Asking every system every query, a base frame at a time; what was answered is kept, so that a killed run goes on."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.accuracy.footage import fingerprint
from benchmarks.accuracy.queries import Base, QuerySet
from benchmarks.accuracy.systems import Place, Reply, System
from framesearch.errors import FramesearchError

log = logging.getLogger(__name__)

Answers = dict[str, list[Reply]]
"""The replies of one system by base frame's key, one a transform in their order."""


def ask(systems: Sequence[System], bases: Sequence[Base], queries: QuerySet, kept: Path) -> list[Answers]:
    """The answers of each system to every base frame under every transform.

    Each query picture is made once for all systems that have not answered it yet.
    """
    started = time.monotonic()
    files = [_file(system, queries, kept) for system in systems]
    known = [_read(file, len(queries.transforms)) for file in files]
    for system, path in zip(systems, files, strict=True):
        if not isinstance(system, EarlierSystem):
            _describe(system, queries, path)
    ready: set[str] = set()
    for number, base in enumerate(bases):
        waiting = [place for place, answers in enumerate(known) if base.key not in answers]
        if not waiting:
            continue
        pictures = queries.pictures(base)
        for place in waiting:
            system = systems[place]
            if system.name not in ready:
                begun = time.monotonic()
                system.prepare()
                ready.add(system.name)
                log.info("%s: prepared, %.1f s", system.name, time.monotonic() - begun)
            replies = system.answer(pictures)
            with files[place].open("a", encoding="utf-8") as file:
                file.write(json.dumps({"base": base.key, "replies": [_packed(reply) for reply in replies]}) + "\n")
            known[place][base.key] = replies
        if (number + 1) % 10 == 0:
            log.info("%s: %d of %d base frames asked, %.0f s", queries.name, number + 1, len(bases), _since(started))
    log.info("%s: %d base frames, %d systems, %.1f s", queries.name, len(bases), len(systems), _since(started))
    return known


class EarlierSystem:
    """A system as it answered in an earlier run: framesearch before a change, or with another setting.

    Args:
        name: what it was called then; the newest answers under that name to these queries are taken.

    Raises:
        FramesearchError: nothing of that name was asked these queries.
    """

    def __init__(self, name: str, queries: QuerySet, kept: Path) -> None:
        told = [json.loads(file.read_text(encoding="utf-8")) for file in kept.glob("*.json")]
        fitting = [one for one in told if one["name"] == name and one["queries"] == queries.digest]
        if not fitting:
            names = sorted({one["name"] for one in told if one["queries"] == queries.digest})
            raise FramesearchError(f"nothing called {name!r} was asked these queries before, only {', '.join(names)}")
        newest = max(fitting, key=lambda one: one["asked_at"])
        self.name, self.digest, self.abstains = name, newest["digest"], newest["abstains"]
        self.bytes_per_frame, self.note = newest["bytes_per_frame"], newest["note"]

    def prepare(self) -> None:
        """There is nobody to ask any more.

        Raises:
            FramesearchError: always; it is called only where an answer is missing.
        """
        raise FramesearchError(
            f"{self.name} was not asked all of these base frames, and can't be any more: ask for as many as then"
        )

    def answer(self, pictures: Sequence[np.ndarray]) -> list[Reply]:
        """Never reached."""
        raise NotImplementedError


def _describe(system: System, queries: QuerySet, answers: Path) -> None:
    """Write beside the answers what they are of."""
    told = {
        "name": system.name,
        "digest": system.digest,
        "abstains": system.abstains,
        "bytes_per_frame": system.bytes_per_frame,
        "note": system.note,
        "queries": queries.digest,
        "asked_at": time.time(),
    }
    answers.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")


def _since(started: float) -> float:
    return time.monotonic() - started


def _file(system: System, queries: QuerySet, kept: Path) -> Path:
    kept.mkdir(parents=True, exist_ok=True)
    slug = "".join(letter if letter.isalnum() else "-" for letter in system.name)
    return kept / f"{slug}-{queries.name}-{fingerprint(queries.digest, system.digest)}.jsonl"


def _packed(reply: Reply) -> list[object]:
    places = [[p.video_id, round(p.timestamp_s, 6), p.score, p.confidence] for p in reply.places]
    return [reply.found, round(reply.cpu_ms, 3), places]


def _read(file: Path, count: int) -> Answers:
    """What is kept; a line that was cut off when a run was killed is asked again."""
    answers: Answers = {}
    if not file.is_file():
        return answers
    whole = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            replies = [
                Reply(found, tuple(Place(*place) for place in places), cpu_ms)
                for found, cpu_ms, places in row["replies"]
            ]
        except (ValueError, KeyError, TypeError):
            continue
        if len(replies) == count:
            answers[row["base"]] = replies
            whole.append(line)
    part = file.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    part.replace(file)
    return answers
