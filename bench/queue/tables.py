"""What the rounds measured, as tables with ratios, and the walls."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import Cell, Report, Table, Wall, median
from bench.machine import Load
from bench.options import Options
from bench.queue.contestants import (
    BARE,
    BATCHED,
    RAW,
    RAW_DELETE,
    REFERENCE_SIZE,
    RUNNER,
    RUNTIME,
    SQL,
    Contestant,
)

# Of the best raw design: what the features may cost.
RAW_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Case:
    """A contestant with a number of jobs at a time and a number of processes."""

    name: str
    group: str
    size: int
    workers: int


@dataclass(frozen=True, slots=True)
class Run:
    """Jobs done, jobs a second, and CPU microseconds per job by part."""

    jobs: int
    rate: float
    spent: dict[str, float]


@dataclass(slots=True)
class Results:
    """Of all rounds."""

    drains: dict[Case, list[Run]] = field(default_factory=lambda: defaultdict(list))
    enqueues: dict[tuple[str, int], list[Run]] = field(default_factory=lambda: defaultdict(list))
    """By contestant and jobs per call."""

    def drain_rate(self, name: str, size: int, workers: int) -> float | None:
        """The median; None where it was not measured."""
        for case, runs in self.drains.items():
            if (case.name, case.size, case.workers) == (name, size, workers):
                return _rate(runs)
        return None


def report(
    results: Results,
    present: Sequence[Contestant],
    absent: Sequence[str],
    options: Options,
    load: Load | None,
) -> Report:
    title = f"median of {options.rounds} rounds; CPU per job"
    return Report(
        "queue",
        [
            _drains(results, RUNTIME, f"queue: drain with a job runtime, {title}"),
            _drains(results, SQL, f"queue: drain by a loop of SQL, {title}"),
            _enqueues(results),
            _settings(present, absent),
        ],
        _walls(results),
        load,
    )


def _drains(results: Results, group: str, title: str) -> Table:
    rows: list[list[Cell]] = []
    for case, runs in results.drains.items():
        if case.group != group:
            continue
        rate, rates = _rate(runs), [run.rate for run in runs]
        own = results.drain_rate(*_reference(case))
        spent = [round(median([run.spent[part] for run in runs])) for part in runs[0].spent]
        rows.append(
            [
                case.name,
                case.size,
                case.workers,
                round(rate),
                f"{min(rates) / 1000:.1f}-{max(rates) / 1000:.1f}k",
                round(rate / own, 2) if own else None,
                *spent,
            ]
        )
    return Table(title, COLUMNS, rows)


COLUMNS = (
    "contestant",
    "batch",
    "workers",
    "jobs/s",
    "spread",
    "of ours",
    "worker µs",
    "gateway µs",
    "Postgres µs",
)


def _rate(runs: Sequence[Run]) -> float:
    return median([run.rate for run in runs])


def _reference(case: Case) -> tuple[str, int, int]:
    """Ours, of which another is a multiple: the Runner at its usual size, or the same loop."""
    if case.group == RUNTIME:
        return RUNNER.name, REFERENCE_SIZE, case.workers
    return BARE.name, case.size, case.workers


def _enqueues(results: Results) -> Table:
    names = dict.fromkeys(name for name, _ in results.enqueues)
    sizes = sorted({size for _, size in results.enqueues})
    rows: list[list[Cell]] = [
        [name, *(round(_rate(results.enqueues[name, size])) for size in sizes)] for name in names
    ]
    columns = ("contestant", *(f"{size} per call, jobs/s" for size in sizes))
    return Table("queue: enqueue, one client", columns, rows)


def _settings(present: Sequence[Contestant], absent: Sequence[str]) -> Table:
    rows = [(contestant.name, contestant.settings) for contestant in present]
    rows += [(reason, "not measured") for reason in absent]
    return Table("queue: who took part", ("contestant", "settings"), rows)


def _walls(results: Results) -> list[Wall]:
    rates = {case: _rate(runs) for case, runs in results.drains.items() if case.group == RUNTIME}
    ours = max(rate for case, rate in rates.items() if case.name == RUNNER.name)
    rivals = [rate for case, rate in rates.items() if case.name not in (RUNNER.name, BATCHED.name)]
    walls = []
    if rivals:
        what = "the Runner over HTTP, of the best peer with a runtime"
        walls.append(Wall(what, ours / max(rivals), 1, at_least=True))
    for workers in (1, 2):
        raw = max(
            results.drain_rate(each.name, REFERENCE_SIZE, workers) or 0.0
            for each in (RAW, RAW_DELETE)
        )
        bare = results.drain_rate(BARE.name, REFERENCE_SIZE, workers) or 0.0
        what = f"our SQL, of the best raw design, {workers} worker(s)"
        walls.append(Wall(what, bare / raw, RAW_SHARE, at_least=True))
    return walls
