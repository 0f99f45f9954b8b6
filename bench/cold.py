"""Cold start: importing functions.index in a fresh interpreter, with bytecode and without.

"Without" is what hosts ship that do not compile: the standard library has bytecode, the packages
and our code have none and keep none.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

import orjson

from bench.figures import Cell, Report, Table, Wall, median
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import ROOT

# click comes with uvicorn; where it is installed, httpx loads its command line and rich as well.
IMPORT = """
import sys, time
sys.modules["click"] = None
wall, cpu = time.perf_counter(), time.process_time()
import functions.index
"""
TIMED = f"""{IMPORT}
print([time.perf_counter() - wall, time.process_time() - cpu, len(sys.modules)])
"""
DEAREST = 5


async def measure(options: Options) -> Report:
    return await asyncio.to_thread(_measure, options)


def _measure(options: Options) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="recado-bench-"))
    try:
        compiled, bare = folder / "compiled", folder / "bare"
        _import(compiled, writes=True)
        shutil.copytree(compiled, bare)
        for place in (sysconfig.get_path("purelib"), str(ROOT)):
            shutil.rmtree(bare / place.lstrip("/"), ignore_errors=True)
        runs: dict[str, list[list[float]]] = {"with bytecode": [], "without": []}
        with LoadMeter() as meter:
            for _ in range(options.repeats):
                for name, cache in (("with bytecode", compiled), ("without", bare)):
                    runs[name].append(_import(cache))
        dearest = _dearest(compiled)
    finally:
        shutil.rmtree(folder)
    rows: list[list[Cell]] = [
        [name, *(round(median(list(part)) * 1000) for part in zip(*each, strict=True))]
        for name, each in runs.items()
    ]
    for row in rows:
        row[-1] = int(runs["without"][0][2])
    columns = ("packages and code", "wall ms", "CPU ms", "modules")
    title = f"cold: import functions.index, median of {options.repeats}"
    return Report(
        "cold",
        [
            Table(title, columns, rows),
            Table("cold: where the import goes, with bytecode", ("package", "ms"), dearest),
        ],
        [Wall("import with bytecode, wall ms", float(rows[0][1] or 0), 300)],
        meter.load,
    )


def _python(cache: Path, *arguments: str, writes: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(cache),
    }
    if not writes:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def _import(cache: Path, *, writes: bool = False) -> list[float]:
    """Wall seconds, CPU seconds, modules."""
    figures: list[float] = orjson.loads(_python(cache, "-c", TIMED, writes=writes).stdout)
    return figures


def _dearest(cache: Path) -> list[tuple[str, float]]:
    """The packages whose own modules take longest, in milliseconds."""
    listing = _python(cache, "-X", "importtime", "-c", IMPORT).stderr
    spent: Counter[str] = Counter()
    for line in listing.splitlines()[1:]:
        own, _, module = line.removeprefix("import time:").split("|")
        spent[module.strip().partition(".")[0]] += int(own)
    return [(package, round(micro / 1000, 1)) for package, micro in spent.most_common(DEAREST)]
