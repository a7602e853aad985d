"""One run of the benchmark, from stored frames to a report."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy import homes
from benchmarks.accuracy.footage import Footage, WrongChoice, grouped, held_out, read_footage
from benchmarks.learning import judging, report
from benchmarks.learning.report import Point, Report
from benchmarks.learning.trainings import Trained, Trainer
from framesearch.backends import open_catalogue, open_storage
from framesearch.records import Video, VideoStatus
from framesearch.settings import Settings, load_settings
from training.families.known import family_named
from training.fitting import dataset
from training.gate import encoder_exam

log = logging.getLogger(__name__)


def run(asked: argparse.Namespace) -> Path:
    """Do what was asked; returns the Markdown report.

    Raises:
        WrongChoice: what was asked for can't be.
        FramesearchError: there are too few frames, ...
    """
    budgets = _budgets(asked.minutes)
    try:
        family = family_named(asked.family)
    except ValueError as why:
        raise WrongChoice(str(why)) from why
    settings = _stored(asked)
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    videos = {_name(video): video for video in catalogue.videos(VideoStatus.READY)}
    footage = grouped(videos, asked.copies)
    late = _late(footage, asked)
    late_ids = {videos[file].video_id for file in late}
    surveyed = dataset.survey(catalogue, storage)
    early = replace(surveyed, times_s={v: t for v, t in surveyed.times_s.items() if v not in late_ids})
    plan = encoder_exam.plan_exam(catalogue, storage, asked.probes)

    trainer = Trainer(family, storage, settings.home / "learning" / "encoders", asked.seed)
    # Trainings on the same frames together: loading them takes seconds.
    curve = [trainer.train(surveyed, minutes) for minutes in budgets]
    days: list[Trained] = []
    for _ in range(asked.days):
        days.append(trainer.train(surveyed, asked.day_minutes, days[-1] if days else None))
    pair: list[Trained] = []
    if late:
        seeing, unseeing = (trainer.train(frames, asked.late_minutes) for frames in (surveyed, early))
        pair = [seeing, unseeing, trainer.train(surveyed, asked.day_minutes, unseeing)]

    several = list({one.digest: one for one in [*curve, *days, *pair]}.values())
    place = {one.digest: number for number, one in enumerate(several)}
    encoders = [one.encoder for one in several]
    exam = encoder_exam.examine(plan, storage, encoders)
    film_of = {video.video_id: footage.film_of(file) for file, video in videos.items()}
    alone = judging.alone(exam, [film_of[video_id] for video_id in exam.video_ids])
    is_late = np.array([exam.video_ids[probe.video] in late_ids for probe in exam.probes])
    log.info("%d encoders judged alone on %d base frames", len(several), len(is_late))

    def points(them: list[Trained], bases: np.ndarray, searching: list[Trained]) -> tuple[Point, ...]:
        chosen = {place[one.digest]: encoders[place[one.digest]] for one in searching if asked.whole}
        searched = judging.whole(exam, storage, chosen, asked.whole, bases) if chosen else {}
        numbers = [place[one.digest] for one in them]
        return tuple(Point(one, alone[n].of(bases), searched.get(n)) for one, n in zip(them, numbers, strict=True))

    everybody = points([*curve, *days], np.ones(len(is_late), bool), [curve[0], curve[-1], *days[-1:]])
    told = Report(
        source=settings.home.name,
        family=family.name,
        seed=asked.seed,
        videos=len(exam.video_ids),
        frames=len(exam.video),
        bases=len(is_late),
        curve=everybody[: len(curve)],
        days=everybody[len(curve) :],
        late=tuple(file.name for file in late),
        day_minutes=asked.day_minutes,
        of_late=points(pair, is_late, pair) if is_late.any() else (),
        of_others=points(pair, ~is_late, []) if pair and not is_late.all() else (),
    )
    return report.write(told, asked.report or settings.home / "learning" / "report")


def _budgets(told: str) -> list[float]:
    try:
        budgets = sorted({float(one) for one in told.split(",")})
    except ValueError as why:
        raise WrongChoice(f"--minutes {told} is not a list of numbers: write, say, 1,2,4,8") from why
    if budgets[0] <= 0:
        raise WrongChoice(f"--minutes {told}: a training takes more than no time")
    return budgets


def _stored(asked: argparse.Namespace) -> Settings:
    """Settings of the home to measure, in which frames are stored: they are made where it has none."""
    everyday = load_settings()
    if asked.home is None and asked.folder is None:
        raise WrongChoice("name a folder of videos, or a home that holds some: --home HOME")
    settings = homes.settings_of(asked.home or everyday.home / "learning" / asked.folder.resolve().name)
    if not open_catalogue(settings).videos(VideoStatus.READY):
        if asked.folder is None:
            raise WrongChoice(f"the home {settings.home} holds no video: name a folder of videos to ingest, too")
        footage = read_footage(asked.folder, [], everyday)
        homes.store_frames(homes.linked(settings, footage.files), settings)
    return settings


def _name(video: Video) -> Path:
    """What a video is called by: its file, or the last part of its address."""
    return Path(video.url) if "://" in video.url else Path(video.url).resolve()


def _late(footage: Footage, asked: argparse.Namespace) -> tuple[Path, ...]:
    """The videos that come after the last training, whole films."""
    return held_out(footage, asked.late, asked.seed)
