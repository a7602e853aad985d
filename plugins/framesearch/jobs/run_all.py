"""The whole line in one process, without servers: playlists in, a published index out.

What the three DAGs do with retries and a UI, for a laptop and for scripts. Every step takes up where storage and the
catalogue say the last one ended.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from framesearch.backends import open_catalogue, open_storage
from framesearch.catalogue.contract import Catalogue
from framesearch.errors import FramesearchError, NotEnoughFrames
from framesearch.jobs import clean_storage, embed, ingest, publish_index, retrain
from framesearch.models import training_process
from framesearch.models.encoder import Encoder
from framesearch.models.orphans import end_orphans
from framesearch.models.registry import Registry
from framesearch.models.training_process import TrainingOutcome
from framesearch.models.versions import ModelVersion
from framesearch.records import IndexBuild
from framesearch.settings import Settings
from framesearch.store.storage import Storage
from framesearch.system import locks

log = logging.getLogger(__name__)

HOLDER = "framesearch run"  # what others are told that they wait for


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
        problems: what went wrong and matters: a playlist that could not be listed, no model, no index, a fault in us.
        left_out: videos that could not be had or embedded, by title, and why; the others were not held up.
        waits: for whom it waited, for how long and why.
        passed_over: what of a playlist was not taken, by its address.
        partial: what of a video is missing, by its title.
    """

    listed: int = 0
    extracted: int = 0
    extracted_by_others: int = 0
    frames: int = 0
    embedded: int = 0
    model: str = ""
    index: IndexBuild | None = None
    published: bool = False
    left_out: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)

    def leave_out(self, video_id: str, title: str, error: Exception) -> None:
        """Note a video that comes to nothing. An error that nobody foresaw is a problem, too."""
        name = title if title not in self.left_out else f"{title} ({video_id})"
        self.left_out[name] = _told(error)
        if isinstance(error, FramesearchError):
            log.warning("video %s left out: %s", video_id, error)
        else:
            self.problems.append(f"{name}: {_told(error)}")
            log.warning("video %s left out", video_id, exc_info=error)

    def wait(self, lock: locks.Held, what: str) -> None:
        """Note that a lock was waited for, if it was."""
        if lock.waited_for:
            self.waits.append(f"waited {lock.waited_for} {what}")


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, FramesearchError) else f"{type(error).__name__}: {error}"


def run_line(
    playlists: Sequence[str],
    settings: Settings,
    start_step: StartStep,
    approve: Callable[[str], bool] = lambda reason: False,
) -> LineReport:
    """Ingest playlists, retrain where it is due, promote, embed, build, publish, clean.

    One playlist's or video's failure costs no other; where training fails, the champion there is goes on. Several at
    once on one home: one trains and one indexes at a time, the others wait and do what is left.

    Args:
        playlists: addresses and folders; none means those the catalogue follows already.
        approve: asked with the reason before a model is promoted, where FRAMESEARCH_REQUIRE_APPROVAL is set.
    """
    started = datetime.now(UTC)
    catalogue, storage = open_catalogue(settings), open_storage(settings)
    report = LineReport()
    _ingest(playlists, catalogue, storage, settings, start_step, report)
    champion = _champion(started, catalogue, settings, start_step, approve, report)
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
                note = ingest.discover(url, catalogue, settings).note
                report.listed += 1
                if note:
                    report.passed_over[url] = note
            except FramesearchError as error:
                report.problems.append(str(error))
            except Exception as error:  # whatever it is, the other playlists go on
                report.problems.append(f"{url} could not be listed: {_told(error)}")
                log.warning("%s could not be listed", url, exc_info=error)
            step.advance()
    known = {video.video_id: video for video in catalogue.videos()}
    due = [video_id for video_id in catalogue.due_videos(datetime.now(UTC)) if video_id in known]
    with (
        start_step("Extracting frames", len(due)) as step,
        ThreadPoolExecutor(settings.parallel_videos, thread_name_prefix="extract") as pool,
    ):
        under_way = {
            pool.submit(ingest.extract_once, known[video_id], catalogue, storage, settings, HOLDER): video_id
            for video_id in due
        }
        try:
            for done in as_completed(under_way):
                video_id = under_way[done]
                title = known[video_id].title
                try:
                    counts, ours = done.result()
                    if counts.shortfall:
                        report.partial[title] = counts.shortfall
                    report.frames += counts.index_frames if ours else 0
                    report.extracted += ours
                    report.extracted_by_others += not ours
                except Exception as error:  # whatever it is, the other videos go on
                    report.leave_out(video_id, title, error)
                step.advance(title)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # stopped by a person: begin no further video
            raise


def _champion(
    started: datetime,
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
        champion = retrain.current_champion(registry)
        if not _stays(champion, catalogue, settings, report):
            outcome: TrainingOutcome | None = None
            with (
                start_step("Training the encoder", None) as step,
                locks.held(locks.TRAINING, settings, HOLDER, step.say) as lock,
            ):
                report.wait(lock, "to train")
                champion = retrain.current_champion(registry)  # somebody may have trained while we waited
                if not _stays(champion, catalogue, settings, report):
                    outcome = _trained(started, champion, lock, catalogue, registry, settings, step, report)
                    if outcome.better and not settings.require_approval:
                        registry.promote(outcome.model_version, outcome.reason)
                        report.model = f"{report.model} and promoted: {outcome.reason}"
            if outcome is not None and not outcome.better:
                report.model = f"{report.model}, not promoted: {outcome.reason}"
            elif outcome is not None and settings.require_approval:  # nobody waits while a person thinks
                if approve(outcome.reason):
                    registry.promote(outcome.model_version, outcome.reason)
                    report.model = f"{report.model} and promoted: {outcome.reason}"
                else:
                    report.model = f"{report.model} and awaits approval: {outcome.reason}"
            champion = retrain.current_champion(registry)
    except NotEnoughFrames as error:
        report.model = str(error)
    except FramesearchError as error:
        report.problems.append(str(error))
    if champion is None and not report.problems:
        report.problems.append(f"there is no model to build an index with: {report.model}")
    return champion


def _stays(champion: ModelVersion | None, catalogue: Catalogue, settings: Settings, report: LineReport) -> bool:
    """Whether the catalogue is still much what the champion was trained on."""
    why_not = retrain.training_due(champion, catalogue, settings).why_not
    if champion is None or why_not is None:
        return False
    report.model = f"v{champion.version} stays: {why_not}"
    return True


def _trained(
    started: datetime,
    champion: ModelVersion | None,
    lock: locks.Held,
    catalogue: Catalogue,
    registry: Registry,
    settings: Settings,
    step: Step,
    report: LineReport,
) -> TrainingOutcome:
    """What came of training a challenger, by us or by somebody who has done so already."""
    outcome = retrain.trained_already(catalogue, registry, settings, since=started, unpromoted=True)
    if outcome is not None:
        end_orphans(registry, registry.experiment_id())  # whoever trained it may have been killed
        report.model = f"v{outcome.model_version} was trained before"
        return outcome
    minutes = retrain.training_due(champion, catalogue, settings).minutes
    outcome = training_process.train(settings, minutes=minutes, on_line=step.say, lock=lock)
    report.model = f"v{outcome.model_version} was trained"
    return outcome


def _index(
    champion: ModelVersion,
    catalogue: Catalogue,
    storage: Storage,
    settings: Settings,
    start_step: StartStep,
    report: LineReport,
) -> None:
    encoder_file = Registry(settings).encoder_file(champion.version)
    waiting = embed.videos_to_embed(champion.version, catalogue, storage)
    titles = catalogue.titles(waiting)
    with (
        start_step("Embedding frames", len(waiting)) as step,
        locks.held(locks.EMBEDDING, settings, HOLDER, step.say) as lock,
    ):
        report.wait(lock, "to embed")
        left = set(embed.videos_to_embed(champion.version, catalogue, storage) if lock.waited_for else waiting)
        encoder = Encoder(encoder_file)
        for video_id in waiting:
            title = titles.get(video_id, video_id)
            try:
                if video_id in left:
                    embed.embed_video(video_id, encoder, champion.version, storage)
                    report.embedded += 1
            except Exception as error:  # whatever it is, the other videos go on
                report.leave_out(video_id, title, error)
            step.advance(title)
    with (
        start_step("Building the index", None) as step,
        locks.held(locks.INDEX, settings, HOLDER, step.say) as lock,
    ):
        report.wait(lock, "to build the index")
        built = publish_index.update_index(champion.version, encoder_file, catalogue, storage, settings)
        report.index, report.published = built
        clean_storage.clean(storage, catalogue, settings)
