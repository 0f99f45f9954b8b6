"""`make dev` in a copy of the repository, the environment installed: from the command to the first
message on its screen, with fresh data and again with the data of the first start."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench.figures import Cell, Report, Table, Wall
from bench.machine import LoadMeter
from bench.options import Options
from bench.product import ROOT

MILESTONES = {
    "ready": r"Ready after",
    "first message processed": r" ingested after",
    "first message on screen": r" on screen after",
}
FOLDERS = ("functions", "local", "supabase")
GIVE_UP_SECONDS = 90.0


async def measure(options: Options) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="recado-bench-"))
    try:
        copy = _copy(folder / "recado")
        with LoadMeter() as meter:
            starts = {"fresh data": await _start(copy), "second start": await _start(copy)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows: list[list[Cell]] = [
        [name, *(round(seconds, 1) for seconds in start.values())] for name, start in starts.items()
    ]
    last = [start["first message processed"] for start in starts.values()]
    return Report(
        "dev",
        [Table("dev: seconds since `make dev`", ("start", *MILESTONES), rows)],
        [Wall("first processed message, s", max(last), 10)],
        meter.load,
    )


def _copy(copy: Path) -> Path:
    """What `make dev` needs, without anybody's data, and with the bytecode of earlier runs."""
    copy.mkdir(mode=0o755)
    copy.parent.chmod(0o755)  # Postgres may run as another user
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy2(ROOT / name, copy)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


async def _start(copy: Path) -> dict[str, float]:
    """Seconds to each milestone; the stack is stopped again."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "make",
        "dev",
        cwd=copy,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    assert process.stdout is not None
    reached: dict[str, float] = {}
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while len(reached) < len(MILESTONES):
                line = (await process.stdout.readline()).decode()
                if not line:
                    raise RuntimeError("`make dev` ended")
                for name, pattern in MILESTONES.items():
                    if re.search(pattern, line):
                        reached.setdefault(name, time.monotonic() - began)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        await process.communicate()
    return {name: reached[name] for name in MILESTONES}
