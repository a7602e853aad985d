"""A run as those who watch it see it: bars on a console, lines with the time in a file or a pipe."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from framesearch.cli.terminal import printable
from framesearch.jobs.run_all import Step

_NOTE_WIDTH = 60  # columns of what a bar says beside itself


class RunDisplay:
    """Shows the steps of a run wherever somebody may read them.

    Bars are drawn on `err` where that is a terminal. As soon as one of the two is none (`framesearch run > log`, cron,
    a pipe), `out` gets a line for every step and for everything that is done in it, as it happens.
    """

    def __init__(self, out: Console, err: Console) -> None:
        self._bars = _Bars(err) if err.is_terminal else None
        self._lines = None if out.is_terminal and err.is_terminal else _Lines(out)

    def __enter__(self) -> "RunDisplay":
        if self._bars:
            self._bars.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.progress.stop()

    @contextmanager
    def step(self, name: str, total: int | None) -> Iterator[Step]:
        """Shows a step of the line from its beginning to its end; see `jobs.run_all.StartStep`."""
        with ExitStack() as shown:
            yield _Several([shown.enter_context(each.step(name, total)) for each in (self._bars, self._lines) if each])

    def paused(self) -> AbstractContextManager[None]:
        """The console without bars, for a question."""
        return self._bars.paused() if self._bars else nullcontext()


class _Several:
    """A step that is shown in several places."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    def advance(self, note: str = "") -> None:
        for step in self._steps:
            step.advance(note)

    def say(self, note: str) -> None:
        for step in self._steps:
            step.say(note)


class _Bars:
    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            # braille dots and block bars only where the console can show them
            SpinnerColumn("line" if console.options.ascii_only else "dots"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
        )

    @contextmanager
    def step(self, name: str, total: int | None) -> Iterator[Step]:
        task = self.progress.add_task(name, total=total, note="")
        yield _Bar(self.progress, task)
        done = self.progress.tasks[self.progress.task_ids.index(task)].completed
        self.progress.update(task, total=total if total is not None else 1, completed=done if total else 1, note="")

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.progress.stop()
        try:
            yield
        finally:
            self.progress.start()


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, note: str = "") -> None:
        self._progress.update(self._task, advance=1, note=_short(note))

    def say(self, note: str) -> None:
        self._progress.update(self._task, note=_short(note))


def _short(text: str) -> str:
    return escape(printable(text)[:_NOTE_WIDTH])


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, name: str, total: int | None) -> Iterator[Step]:
        began = time.monotonic()
        line = _Line(self, name, total)
        if total is None:
            self.write(name)
        try:
            yield line
        except BaseException:
            self.write(f"{name}: stopped after {time.monotonic() - began:.0f} s")
            raise
        count = {None: "done", 0: "nothing to do"}.get(total, f"{line.done} of {total} done")
        self.write(f"{name}: {count}" + (f" in {time.monotonic() - began:.0f} s" if total != 0 else ""))

    def write(self, text: str) -> None:
        self._console.print(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {escape(printable(text))}")


class _Line:
    def __init__(self, lines: _Lines, name: str, total: int | None) -> None:
        self._lines, self._name, self._total = lines, name, total
        self.done = 0

    def advance(self, note: str = "") -> None:
        self.done += 1
        if note:
            self._lines.write(f"{self._name} {self.done}/{self._total}: {note}")

    def say(self, note: str) -> None:
        if note.strip():
            self._lines.write(f"{self._name}: {note}")
