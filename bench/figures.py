"""What a benchmark hands over: tables for people, walls to compare with, all of it as JSON."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.machine import Load

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of figures under named columns; the units stand in the names."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Wall:
    """A figure that must stay below (or, with `at_least`, above) a limit."""

    what: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's outcome, with the load that the machine was under meanwhile."""

    name: str
    tables: Sequence[Table]
    walls: Sequence[Wall] = ()
    load: Load | None = None


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of all lie (nearest rank); NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def milliseconds(seconds: Sequence[float]) -> list[Cell]:
    """p50, p95, p99 and maximum, in milliseconds: the cells of `MILLISECONDS`."""
    shares = [percentile(seconds, share) for share in (0.5, 0.95, 0.99, 1.0)]
    return [round(value * 1000, 1) for value in shares]


MILLISECONDS = ("p50 ms", "p95 ms", "p99 ms", "max ms")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
