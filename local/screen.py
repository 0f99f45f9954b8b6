"""What `make dev` shows: addresses and keys once, then messages as a table that updates in place.

On a terminal the table is drawn again with every change; elsewhere (a pipe, CI) each step is a
line of its own, without colours.
"""

import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

# The way of a message in each direction, in the order in which it is walked.
INCOMING = ("posted", "stored", "ingested", "on screen")
OUTGOING = ("queued", "sending", "accepted", "sent", "delivered", "read")
ROWS_SHOWN = 12
# From this width on there is room for the time of every step; for the names of all steps.
WIDTH_OF_TIMES = 140
WIDTH_OF_STEPS = 112


@dataclass(slots=True)
class Row:
    """A message on its way: the steps it has reached, in milliseconds since it began."""

    direction: str
    who: str
    text: str
    began_at: float
    steps: dict[str, int] = field(default_factory=dict)
    failure: str | None = None

    @property
    def way(self) -> tuple[str, ...]:
        return INCOMING if self.direction == "in" else OUTGOING


class Screen:
    """Use as `with Screen() as screen`; `step` may be told the same thing twice."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._rows: dict[str, Row] = {}
        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str = "") -> None:
        """A line above the table."""
        self.console.print(text, soft_wrap=True)

    def facts(self, pairs: dict[str, str]) -> None:
        """Names and values, one per line, ready to be copied."""
        for name, value in pairs.items():
            self.console.print(f"  [dim]{name:<16}[/dim] {escape(value)}", soft_wrap=True)

    def message(
        self, key: str, *, direction: str, who: str, text: str, began_at: float | None = None
    ) -> None:
        """A message has appeared; harmless when it is there already."""
        if key not in self._rows:
            self._rows[key] = Row(direction, who, text, began_at or time.time())
            if len(self._rows) > ROWS_SHOWN:
                del self._rows[next(iter(self._rows))]

    def step(self, key: str, step: str, at: float | None = None) -> None:
        """A message has reached a step of its way, at this epoch time."""
        row = self._rows.get(key)
        if row is None or step in row.steps:
            return
        row.steps[step] = max(0, round(((at or time.time()) - row.began_at) * 1000))
        if step not in row.way:
            row.failure = step
        if self.console.is_terminal:
            self._live.start()
            self._live.update(self._table(), refresh=True)
        else:
            arrow = "<-" if row.direction == "in" else "->"
            self.console.print(
                f"{arrow} {row.who}: {row.text!r} {step} after {row.steps[step]} ms", markup=False
            )

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for row in self._rows.values():
            arrow = "[cyan]←[/cyan]" if row.direction == "in" else "[green]→[/green]"
            progress = _progress(row, self.console.width)
            table.add_row(arrow, escape(shorten(row.who, 14)), escape(row.text), progress)
        return table


def _progress(row: Row, width: int) -> str:
    if row.failure:
        return f"[red]{escape(row.failure)}[/red]"
    reached = [step for step in row.way if step in row.steps]
    timed = reached if width >= WIDTH_OF_TIMES else reached[-1:]
    shown = row.way if width >= WIDTH_OF_STEPS else timed
    times = {step: f"{step} [dim]{row.steps[step]} ms[/dim]" for step in timed}
    untimed = {step: step if step in reached else f"[dim]{step}[/dim]" for step in row.way}
    return " · ".join(times.get(step, untimed[step]) for step in shown)


def shorten(text: str | None, length: int = 34) -> str:
    """At most `length` characters of a message."""
    text = text or ""
    return text if len(text) <= length else text[: length - 1] + "…"
