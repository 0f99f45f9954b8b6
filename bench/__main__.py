"""python -m bench [name ...] [--rate 200 --seconds 20 ...]: measures, prints, keeps the figures.

Each benchmark's figures go to bench/results/<time>-<name>.json, with the machine they are of.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table as Grid

from bench import cold, dev, flat, gateway, inbound, live, machine, reads, volume
from bench.figures import Report
from bench.options import Options
from bench.queue import contest

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[Options], Coroutine[Any, Any, Report]]] = {
    "inbound": inbound.measure,
    "live": live.measure,
    "reads": reads.measure,
    "gateway": gateway.measure,
    "cold": cold.measure,
    "dev": dev.measure,
    "queue": contest.measure,
    "flat": flat.measure,
    "volume": volume.measure,
}
# Of a report that no terminal bounds.
WIDTH = 110
# These take minutes, and one installs other people's queues: only when asked for by name.
BY_NAME = {"queue", "flat", "volume"}


def main() -> int:
    """Exit code 1 when a wall does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    for option in fields(Options):
        if isinstance(option.default, bool):
            parser.add_argument(f"--{option.name}", action="store_true")
            continue
        kind = type(option.default)
        parser.add_argument(f"--{option.name}", type=kind, default=option.default, metavar="N")
    given = vars(parser.parse_args())
    names = given.pop("names") or [name for name in BENCHMARKS if name not in BY_NAME]
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    held = True
    for name in names:
        report = asyncio.run(BENCHMARKS[name](Options(**given)))
        show(console, report)
        console.print(f"[dim]{keep(report, Options(**given))}[/dim]\n")
        held = held and all(wall.holds for wall in report.walls)
    return 0 if held else 1


def show(console: Console, report: Report) -> None:
    """Prints the report as tables."""
    for table in report.tables:
        grid = Grid(title=table.title, title_justify="left", title_style="bold", box=None)
        for place, column in enumerate(table.columns):
            grid.add_column(column, justify="right" if place else "left", no_wrap=True)
        for row in table.rows:
            grid.add_row(*("-" if cell is None else f"{cell}" for cell in row))
        console.print(grid, "")
    for wall in report.walls:
        mark = "[green]holds[/green]" if wall.holds else "[red]broken[/red]"
        than = ">=" if wall.at_least else "<="
        console.print(f"{mark}  {wall.what}: {wall.measured:.1f} {than} {wall.limit:g}")
    if report.load:
        load = report.load
        console.print(
            f"[dim]machine: {load.busy:.1f} cores busy, {load.others:.1f} of them with other work,"
            f" load average {load.load_average}[/dim]"
        )


def keep(report: Report, options: Options) -> Path:
    """Writes the report with all that is needed to read it later; the file."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now().astimezone()
    content = {"at": now, "machine": machine.facts(), "options": options, "report": report}
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}-{report.name}.json"
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path


if __name__ == "__main__":
    sys.exit(main())
