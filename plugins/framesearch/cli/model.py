"""`framesearch model`: encoders of one's own or from outside, judged and promoted by hand.

What the DAG retrain_encoder does weekly by itself; everything here sits the same exam.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framesearch.cli.terminal import err, out, sentences, shown, write_line
from framesearch.errors import InvalidSetting

if TYPE_CHECKING:
    from framesearch.models.training_process import TrainingOutcome
    from framesearch.models.versions import ModelVersion

app = typer.Typer(help="List, import, train, judge and promote encoders.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]


@app.command("list")
def list_versions(as_json: AsJson = False) -> None:
    """List all model versions, newest first: what they are, how they were judged, which one is champion."""
    with sentences():
        from framesearch.models.registry import Registry
        from framesearch.settings import settings

        versions = Registry(settings()).versions()
        for version in versions:
            if as_json:
                write_line(_facts(version))
            else:
                _tell(version)
        if not versions and not as_json:
            out.print("no model yet: `framesearch run PLAYLIST` trains one, `framesearch model import` imports one")


def _facts(version: "ModelVersion") -> dict[str, Any]:
    return {
        "version": version.version,
        "family": version.family,
        "champion": version.champion,
        "verdict": version.verdict or None,
        "reason": version.reason,
        "judged_against": version.judged_against,
        "imported": version.imported,
        "source": version.source or None,
        "licence": version.licence or None,
        "preprocessing": version.preprocessing or None,
        "metrics": {name: value for name, value in version.metrics.items() if math.isfinite(value)},
        "run_id": version.run_id,
        "run_url": version.run_url,
        "created_at": version.created_at.isoformat(timespec="seconds"),
    }


def _tell(version: "ModelVersion") -> None:
    r1 = version.metrics.get("r1")
    mark = "  [green]champion[/]" if version.champion else ""
    found = f"R1 {r1:.3f}" if r1 is not None else "not judged"
    origin = "imported" if version.imported else "trained"
    out.print(
        f"v{version.version}  {shown(version.family)}  {found}  [dim]{origin} {version.created_at:%Y-%m-%d}[/]{mark}"
    )
    if version.imported:
        said = f"licence {version.licence}, source {version.source}, preprocessing {version.preprocessing}"
        out.print(f"    [dim]{shown(said)}[/]")
    if version.reason:
        word = {"better": "better", "not_better": "not better"}.get(version.verdict, "no verdict")
        out.print(f"    {word}: {shown(version.reason)}")


@app.command("import")
def import_encoder(
    file: Annotated[Path, typer.Argument(metavar="FILE.onnx", help="An image encoder as a single ONNX file.")],
    name: Annotated[str | None, typer.Option(help="Name of the model; defaults to the file name.")] = None,
    preprocessing: Annotated[
        str | None,
        typer.Option(
            help="imagenet, unit (0 to 1), signed (-1 to 1) or none. Default: imagenet, or none for uint8 inputs."
        ),
    ] = None,
    mean: Annotated[
        str | None, typer.Option(metavar="R,G,B", help="Per-channel mean (0 to 1); overrides --preprocessing.")
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(metavar="R,G,B", help="Per-channel standard deviation (0 to 1); overrides --preprocessing."),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Input size, if the model's is dynamic.")] = None,
    layout: Annotated[str | None, typer.Option(help="nchw or nhwc, if the shape leaves it open.")] = None,
    channels: Annotated[str, typer.Option(help="Channel order the model was trained with: rgb or bgr.")] = "rgb",
    output: Annotated[str | None, typer.Option(help="Name of the output to use, if there are several.")] = None,
    pool: Annotated[
        str | None,
        typer.Option(help="How to pool a feature map or tokens into one vector: average, max, gem or token."),
    ] = None,
    source: Annotated[str, typer.Option(help="Where the model is from: a URL or a paper.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "",
    description: Annotated[str, typer.Option(help="Description for the model's page.")] = "",
    as_json: AsJson = False,
) -> None:
    """Register an external encoder (SSCD, DINO, ...) as a challenger, and judge it against the champion."""
    with sentences():
        from framesearch.models import training_process
        from framesearch.settings import settings

        reading = {
            "preprocessing": preprocessing,
            "mean": _three("--mean", mean),
            "std": _three("--std", std),
            "size": _size(size),
            "layout": layout,
            "channels": channels,
            "output": output,
            "pool": pool,
        }
        origin = {
            "name": name or re.sub(r"[^a-z0-9_.-]+", "-", file.stem.lower()).strip("-._"),
            "source": source,
            "licence": licence,
            "description": description,
        }
        with _heard() as say:
            outcome = training_process.import_encoder(settings(), file, origin=origin, reading=reading, on_line=say)
        _tell_outcome(outcome, "imported", as_json)


@app.command()
def train(
    family: Annotated[str | None, typer.Option(help="Default: FRAMESEARCH_ENCODER_FAMILY.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Default: FRAMESEARCH_TRAINING_MINUTES.")] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version to distil from. Default: FRAMESEARCH_TEACHER.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a challenger on all stored frames, and judge it against the champion."""
    with sentences():
        from framesearch.models import training_process
        from framesearch.settings import ENCODER_FAMILIES, settings
        from framesearch.system import locks

        if family and family not in ENCODER_FAMILIES:
            raise InvalidSetting(f"no family is called {family!r}: choose from {', '.join(ENCODER_FAMILIES)}")
        chosen = settings()
        with _heard() as say, locks.held(locks.TRAINING, chosen, "framesearch model train", say or err.print) as lock:
            outcome = training_process.train(
                chosen, family=family, minutes=minutes, teacher=teacher, force=True, on_line=say, lock=lock
            )
        _tell_outcome(outcome, "trained", as_json)


@app.command()
def judge(
    version: Annotated[str, typer.Argument(help="A version from `framesearch model list`.")],
    as_json: AsJson = False,
) -> None:
    """Judge a version against the current champion on the current frames. Promotes nothing."""
    with sentences():
        from framesearch.models import training_process
        from framesearch.settings import settings

        with _heard() as say:
            outcome = training_process.judge(settings(), _version(version), on_line=say)
        _tell_outcome(outcome, "judged", as_json)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version from `framesearch model list`.")],
    force: Annotated[
        bool, typer.Option("--force", help="Promote it even if it was not judged better than today's champion.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Reason to record on the version. Default: the verdict's.")] = None,
) -> None:
    """Make a version the champion if it was judged better than the current one. The next rebuild uses it."""
    with sentences():
        from framesearch.models.registry import Registry
        from framesearch.settings import settings

        registry = Registry(settings())
        known = registry.version(_version(version))
        if known.champion:
            out.print(f"v{known.version} is champion already")
            return
        registry.encoder_file(known.version)  # a version that can't be fetched would leave no encoder to index with
        because = reason or (f"forced by hand; {known.reason}" if force else known.reason) or "by hand"
        registry.promote(known.version, because, force=force)
        out.print(
            f"v{known.version} {shown(known.family)} is champion now: `framesearch run`, or the DAG "
            "rebuild_index, embeds all frames with it and publishes a new index"
        )


def _version(told: str) -> str:
    return told.removeprefix("v")


def _three(option: str, told: str | None) -> list[float] | None:
    if told is None:
        return None
    try:
        values = [float(number) for number in re.split(r"[,\s]+", told.strip())]
    except ValueError:
        values = []
    if len(values) != 3:
        raise InvalidSetting(f"{option} {told}: three numbers are needed, such as 0.485,0.456,0.406")
    return values


def _size(told: str | None) -> list[int] | None:
    if told is None:
        return None
    sides = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", told.strip().lower())
    if not sides:
        raise InvalidSetting(f"--size {told}: height and width are needed, such as 224x224")
    return [int(sides[1]), int(sides[2] or sides[1])]


@contextmanager
def _heard() -> Iterator[Any]:
    """Shows what a process says that may take minutes: its last line where somebody watches, else the log has it."""
    if not err.is_terminal:
        yield None
        return
    with err.status("starting") as status:
        yield lambda line: status.update(shown(line)[:160])


def _tell_outcome(outcome: "TrainingOutcome", done: str, as_json: bool) -> None:
    if as_json:
        write_line(
            {
                "version": outcome.model_version,
                "better": outcome.better,
                "reason": outcome.reason,
                "run_id": outcome.run_id,
                "run_url": outcome.run_url,
                "metrics": dict(outcome.metrics),
            }
        )
        return
    out.print(f"v{outcome.model_version} {done}: {shown(outcome.reason)}")
    if outcome.run_url:
        out.print(f"  [dim]{shown(outcome.run_url)}[/]")
    if outcome.better:
        out.print(f"  `framesearch model promote {outcome.model_version}` makes it champion")
