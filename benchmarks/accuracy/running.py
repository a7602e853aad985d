"""One run of the benchmark, from a folder to a report."""

import argparse
import inspect
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.accuracy import descriptors, homes, plots, report, systems, tracking, transforms
from benchmarks.accuracy.ablation import WITHOUT, AblatedSystem
from benchmarks.accuracy.asking import EarlierSystem, ask
from benchmarks.accuracy.copies import align_copies
from benchmarks.accuracy.footage import WrongChoice, fingerprint, held_out, read_footage
from benchmarks.accuracy.gallery import MOVING, STILL, Gallery, read_gallery
from benchmarks.accuracy.limits import limits
from benchmarks.accuracy.marking import mark
from benchmarks.accuracy.queries import QuerySet, choose_bases
from benchmarks.accuracy.systems import FlatSearch, FramesearchSystem, System
from benchmarks.accuracy.trained_peers import CannotBeHad, trained_peer
from framesearch.images import distortions
from framesearch.settings import load_settings

log = logging.getLogger(__name__)


def run(asked: argparse.Namespace) -> Path:
    """Do what was asked; returns the Markdown report."""
    everyday = load_settings()
    if asked.label in asked.earlier:
        raise WrongChoice(
            f"{asked.label!r} is what was measured earlier: call what is measured now otherwise, by --label"
        )
    footage = read_footage(asked.folder, asked.copies, everyday)
    external = None if asked.encoder is None else homes.External(asked.encoder, asked.encoder_side)
    own = "-".join([asked.folder.resolve().name, *([external.onnx.stem] if external else [])])
    settings = homes.settings_of(asked.home or everyday.home / "accuracy" / own)
    if not homes.has_index(settings):
        absent = held_out(footage, asked.held_out, asked.seed)
        indexed = [file for file in footage.files if file not in absent]
        homes.build(settings, indexed, asked.minutes, external)
    elif asked.held_out is not None:
        log.info("%s holds an index already: what is held out was decided when it was built", settings.home)
    library = homes.open_library(settings, footage)
    kept = settings.home / "accuracy"
    gallery = read_gallery(library)
    inside, outside = choose_bases(
        footage,
        library,
        indexed=asked.bases,
        absent=asked.bases // 2 if asked.distractors is None else asked.distractors,
        seed=asked.seed,
        kept=kept / "base_frames",
    )
    chosen, missing = choose_systems(asked, gallery, kept)
    queries = query_set(asked.transforms, asked.seed)
    chosen[1:1] = [EarlierSystem(name.strip(), queries, kept / "answers") for name in asked.earlier]
    answers = ask(chosen, [*inside, *outside], queries, kept / "answers")
    swept = severity_set(asked.seed)
    few = inside[: asked.severities]
    sweepable = [system for system in chosen if not isinstance(system, EarlierSystem)]
    steps_of = dict(zip(sweepable, ask(sweepable, few, swept, kept / "answers"), strict=True)) if few else {}
    copies = align_copies(gallery, footage)
    results = [
        report.Result(
            system.name,
            mark(answered, list(queries.transforms), inside, outside, gallery, footage, copies),
            system.abstains,
            systems.described(system),
            mark(steps_of[system], list(swept.transforms), few, [], gallery, footage, copies)
            if system in steps_of
            else None,
        )
        for system, answered in zip(chosen, answers, strict=True)
    ]
    allowed = limits(inside, gallery, copies)
    setting = report.Setting(
        folder=asked.folder.resolve().name,
        transforms=queries.name,
        seed=asked.seed,
        indexed_videos=len(library.videos),
        absent_videos=tuple(file.name for file in library.absent),
        indexed_bases=len(inside),
        absent_bases=len(outside),
        frames=len(gallery),
        hours=gallery.hours,
        frames_an_hour=gallery.frames_an_hour(),
        frames_a_moving_hour=gallery.frames_an_hour(least=MOVING),
        frames_a_still_hour=gallery.frames_an_hour(most=STILL),
        absent_peers=tuple(missing),
        nearest_s=allowed.nearest_s,
        alike=allowed.alike,
        severity_steps=tuple((kind, step) for kind, steps in transforms.SEVERITIES.items() for step in steps),
    )
    folder = asked.report or kept / "report"
    told = report.write(results, setting, folder)
    plots.write_plots(results, setting.severity_steps if few else (), folder)
    if asked.mlflow:
        tracking.log_run(told, folder, settings)
    return folder / report.PAGE


def query_set(name: str, seed: int) -> QuerySet:
    """The 21 transforms, the benchmark's own (`other`) or those that the gate judges with (`gate`)."""
    module, chosen = (transforms, transforms.TRANSFORMS) if name == "other" else (distortions, distortions.DISTORTIONS)
    return QuerySet(name, dict(chosen), seed, fingerprint(name, seed, inspect.getsource(module)))


def severity_set(seed: int) -> QuerySet:
    """Every step of every kind of which the benchmark knows severities."""
    steps = {f"{kind} {step}": made for kind, them in transforms.SEVERITIES.items() for step, made in them.items()}
    return QuerySet("severities", steps, seed, fingerprint("severities", seed, inspect.getsource(transforms)))


def choose_systems(asked: argparse.Namespace, gallery: Gallery, kept: Path) -> tuple[list[System], list[str]]:
    """The systems to ask, framesearch first, and a sentence on each that can't be had.

    Raises:
        WrongChoice: a system was named that there is not.
    """
    codes = kept / "codes"

    def sscd(**how: object) -> System:
        if asked.sscd is None:
            raise CannotBeHad("SSCD: name its ONNX file with --sscd")
        return FlatSearch(descriptors.Sscd(asked.sscd, asked.sscd_side), gallery, codes, **how)  # type: ignore[arg-type]

    def pdq() -> System:
        try:
            return FlatSearch(descriptors.Pdq(), gallery, codes)
        except ModuleNotFoundError as error:
            raise CannotBeHad("PDQ: install the package pdqhash, which the benchmark does not bring") from error

    def trained(family: str) -> System:
        return FlatSearch(trained_peer(gallery.library.settings, family, asked.peer_minutes), gallery, codes)

    known: dict[str, Callable[[], System]] = {
        "framesearch": lambda: FramesearchSystem(gallery.library.settings, gallery, asked.label),
        **{name: partial(AblatedSystem, gallery.library.settings, gallery, name) for name in WITHOUT},
        "sscd": lambda: sscd(name="SSCD"),
        "sscd1": lambda: sscd(name="SSCD, one a second", apart_s=1.0),
        "thumbnail": lambda: FlatSearch(descriptors.Thumbnail(), gallery, codes),
        "phash": lambda: FlatSearch(descriptors.PHash(), gallery, codes),
        "pdq": pdq,
        "layout": lambda: FlatSearch(descriptors.ColourLayout(), gallery, codes),
        "autoencoder": lambda: trained("convolutional"),
        "vgg16": lambda: trained("vgg16"),
        "resnet50": lambda: trained("resnet50"),
    }
    usual = [name for name in known if name not in WITHOUT]
    wanted = asked.systems.replace("ablation", ",".join(WITHOUT)).split(",") if asked.systems else usual
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise WrongChoice(f"no system is called {', '.join(unknown)}: choose from {', '.join(known)}")
    made, missing = [], []
    for name in wanted:
        try:
            made.append(known[name]())
        except CannotBeHad as why:
            missing.append(str(why))
    if not made:
        raise WrongChoice(f"no system could be had: {'; '.join(missing)}")
    return made, missing
