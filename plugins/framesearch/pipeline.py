"""The whole line in one process, without servers: playlists in, a published index out.

What the three DAGs do with retries and a UI, for a laptop and for scripts. Every step takes up where storage and the
catalogue say the last one ended.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from framesearch import embedding, indexing, ingest, trainer
from framesearch.catalogue import Catalogue, open_catalogue
from framesearch.encoder import Encoder
from framesearch.errors import FramesearchError, NoChampion, NotEnoughFrames
from framesearch.records import IndexBuild
from framesearch.registry import ModelVersion, Registry
from framesearch.settings import Settings
from framesearch.storage import Storage, open_storage

log = logging.getLogger(__name__)


class Step(Protocol):
    """A step under way, as the one who watches shows it."""

    def advance(self, note: str = "") -> None:
        """One more of its things is done."""

    def say(self, note: str) -> None:
        """What it is doing now."""


StartStep = Callable[[str, int | None], AbstractContextManager[Step]]
"""Shows that a step begins: its name, and of how many things it consists where that is known."""


@dataclass(slots=True)
class LineReport:
    """What a run of the line did.

    Attributes:
        problems: what went wrong and matters: a playlist that could not be listed, no model, no index.
        left_out: videos that could not be had or embedded, and why; the others were not held up.
    """

    listed: int = 0
    extracted: int = 0
    frames: int = 0
    embedded: int = 0
    model: str = ""
    index: IndexBuild | None = None
    published: bool = False
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def run_line(
    playlists: Sequence[str],
    settings: Settings,
    start_step: StartStep,
    approve: Callable[[str], bool] = lambda reason: False,
) -> LineReport:
    """Ingest playlists, retrain where it is due, promote, embed, build, publish, clean.

    One playlist's or video's failure costs no other; where training fails, the champion there is goes on.

    Args:
        playlists: addresses and folders; none means those the catalogue follows already.
        approve: asked with the reason before a model is promoted, where FRAMESEARCH_REQUIRE_APPROVAL is set.
    """
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    report = LineReport()
    _ingest(playlists, catalogue, storage, settings, start_step, report)
    champion = _champion(catalogue, settings, start_step, approve, report)
    if champion is not None:
        try:
            _index(champion, catalogue, storage, settings, start_step, report)
        except FramesearchError as error:
            report.problems.append(str(error))
    return report


def _ingest(
    playlists: Sequence[str],
    catalogue: Catalogue,
    storage: Storage,
    settings: Settings,
    start_step: StartStep,
    report: LineReport,
) -> None:
    followed = list(dict.fromkeys(playlists)) or [playlist.url for playlist in catalogue.playlists()]
    with start_step("Listing playlists", len(followed)) as step:
        for url in followed:
            step.say(url)
            try:
                ingest.discover(url, catalogue, settings)
                report.listed += 1
            except FramesearchError as error:
                report.problems.append(str(error))
            step.advance()
    due = catalogue.due_videos(datetime.now(UTC))
    titles = catalogue.titles(due)
    with (
        start_step("Extracting frames", len(due)) as step,
        ThreadPoolExecutor(settings.parallel_videos, thread_name_prefix="extract") as pool,
    ):
        under_way = {pool.submit(ingest.extract_video, id_, catalogue, storage, settings): id_ for id_ in due}
        try:
            for done in as_completed(under_way):
                video_id = under_way[done]
                try:
                    report.frames += done.result().index_frames
                    report.extracted += 1
                except Exception as error:  # whatever it is, the other videos go on
                    report.left_out[titles[video_id]] = str(error)
                    expected = isinstance(error, FramesearchError)
                    log.warning("video %s left out: %s", video_id, error, exc_info=None if expected else error)
                step.advance(titles[video_id])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # stopped by a person: begin no further video
            raise


def _champion(
    catalogue: Catalogue,
    settings: Settings,
    start_step: StartStep,
    approve: Callable[[str], bool],
    report: LineReport,
) -> ModelVersion | None:
    """The champion to embed with, after training a challenger where that is due; None where there is none."""
    champion: ModelVersion | None = None
    try:
        registry = Registry(settings)
        with suppress(NoChampion):
            champion = registry.champion()
        growth = trainer.growth_since_champion(catalogue, registry) if champion else 0.0
        if champion and growth < settings.retrain_growth:
            report.model = f"v{champion.version} stays: the catalogue has grown by {growth:.0%} since it was trained"
            return champion
        with start_step("Training the encoder", None) as step:
            minutes = settings.training_minutes if champion else settings.first_training_minutes
            outcome = trainer.train(settings, minutes=minutes, on_line=step.say)
        if not outcome.better:
            report.model = f"v{outcome.model_version} was trained, not promoted: {outcome.reason}"
        elif settings.require_approval and not approve(outcome.reason):
            report.model = f"v{outcome.model_version} awaits approval: {outcome.reason}"
        else:
            registry.promote(outcome.model_version, outcome.reason)
            report.model = f"v{outcome.model_version} promoted: {outcome.reason}"
            champion = registry.champion()
    except NotEnoughFrames as error:
        report.model = str(error)
    except FramesearchError as error:
        report.problems.append(str(error))
    if champion is None and not report.problems:
        report.problems.append(f"there is no model to build an index with: {report.model}")
    return champion


def _index(
    champion: ModelVersion,
    catalogue: Catalogue,
    storage: Storage,
    settings: Settings,
    start_step: StartStep,
    report: LineReport,
) -> None:
    encoder_file = Registry(settings).encoder_file(champion.version)
    waiting = embedding.videos_to_embed(champion.version, catalogue, storage)
    titles = catalogue.titles(waiting)
    with start_step("Embedding frames", len(waiting)) as step:
        encoder = Encoder(encoder_file)
        for video_id in waiting:
            try:
                embedding.embed_video(video_id, encoder, champion.version, storage)
                report.embedded += 1
            except FramesearchError as error:
                report.left_out[titles[video_id]] = str(error)
                log.warning("video %s is not embedded: %s", video_id, error)
            step.advance(titles[video_id])
    with start_step("Building the index", None) as step:
        report.index = indexing.build_index(champion.version, encoder_file, catalogue, storage, settings)
        step.say("publishing")
        report.published = indexing.publish(report.index.index_id, catalogue, storage)
        indexing.clean(storage, catalogue, settings)
