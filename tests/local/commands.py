"""`python -m local` as somebody types it, for the tests of its commands."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.stack import ROOT
from tests.conftest import POSTGRES_VERSION

Variables = dict[str, str]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "local", *map(str, arguments)]


async def local(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Runs one command to its end."""
    return await asyncio.to_thread(
        subprocess.run,
        command(*arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@asynccontextmanager
async def running_stack(
    folder: Path, *options: object, end: signal.Signals = signal.SIGTERM
) -> AsyncIterator[Variables]:
    """`local stack` on the folder, and what it prints; ends with this signal."""
    where = ["--folder", folder, "--project", folder / "project"]
    arguments = command("stack", *where, "--postgres", POSTGRES_VERSION, *options)
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        found: Variables = {}
        while "DATABASE_URL" not in found:
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, process.stderr.read()
            name, _, value = line.rstrip().partition("=")
            found[name] = value
        try:
            yield found
        finally:
            os.kill(process.pid, end)
            await asyncio.to_thread(process.wait)


def make_project(folder: Path) -> None:
    """A project with one table and one row of seed in `folder`/project."""
    (folder / "project" / "migrations").mkdir(parents=True)
    (folder / "project" / "migrations" / "20260101000000_notes.sql").write_text(
        "create table public.notes (body text);\ngrant all on public.notes to service_role;"
    )
    (folder / "project" / "seed.sql").write_text("insert into public.notes values ('seeded');")
