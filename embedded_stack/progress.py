"""What a waiting person sees: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_REPEAT_S = 15.0  # without a terminal, a line that only its note changed is told this often


@dataclass(frozen=True)
class Row:
    """Where one DAG run stands.

    Attributes:
        step: the tasks that run, in words.
        done, total: of the mapped tasks of that step (videos, playlists); total 0 where there are none.
        note: the last thing that the step said.
    """

    dag_id: str
    state: str
    step: str
    done: int
    total: int
    elapsed_s: float
    note: str = ""

    @property
    def count(self) -> str:
        """ "3 of 12", or nothing."""
        return f"{self.done} of {self.total}" if self.total else ""


class Progress:
    """Shows rows as they change, and lines in between. To be used as a context."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = time.monotonic()
        self._live: Live | None = None
        self._told: dict[str, tuple[Row, float]] = {}

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.__exit__(None, None, None)
            self._live = None

    def tell(self, line: str) -> None:
        """One line that stays."""
        self.console.print(Text(f"[{clock(time.monotonic() - self._started)}] {line}"), soft_wrap=True)

    def show(self, rows: Sequence[Row]) -> None:
        """The DAG runs as they stand now."""
        if self._live:
            self._live.update(self._table(rows))
            return
        for row in rows:
            before, when = self._told.get(row.dag_id, (row, 0.0))
            same = (before.state, before.step, before.count) == (row.state, row.step, row.count)
            recent = time.monotonic() - when < _REPEAT_S
            if row.dag_id in self._told and same and (before.note == row.note or recent):
                continue
            self._told[row.dag_id] = (row, time.monotonic())
            self.tell(": ".join(filter(None, [row.dag_id, " ".join(filter(None, [row.step, row.count])), row.note])))

    def _table(self, rows: Sequence[Row]) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
        for name in ("DAG", "step", "done", "elapsed"):
            table.add_column(name, no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", style="dim", ratio=1)  # gives way to the others
        for row in rows:
            table.add_row(row.dag_id, Text(row.step), row.count, clock(row.elapsed_s), Text(row.note))
        return table


def clock(seconds: float) -> str:
    """1:05, or 1:02:05."""
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}" if minutes >= 60 else f"{minutes}:{left:02}"
