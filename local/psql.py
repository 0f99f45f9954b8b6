"""`python -m local psql`: the wheel's own psql on the running database, as role postgres."""

import os
from pathlib import Path

from local.postgres import binaries, version_of
from local.running import require


def run(folder: Path, arguments: list[str]) -> None:
    """Becomes psql with these arguments; returns only by raising StackError."""
    running = require(folder)
    program = binaries(version_of(folder / "postgres") or 18) / "psql"
    os.execv(program, [str(program), running.postgres_url, *arguments])
