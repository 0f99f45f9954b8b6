"""The migrations on every Postgres of the wheel: hosted runs 17, between the oldest and the newest.

What is new in 17 or 18 fails on the oldest; what they removed fails on the newest.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from local.lint.finding import Finding
from local.lint.scratch import scratch_database
from local.migrations import MigrationError, migrate
from local.postgres import WHEEL_FOLDERS

VERSIONS = sorted(WHEEL_FOLDERS)


async def check(folder: Path, inspect: Callable[[str], Awaitable[list[Finding]]]) -> list[Finding]:
    """What each version refuses, and what `inspect` finds in the newest one's database."""
    findings: list[Finding] = []
    for version in VERSIONS:
        async with scratch_database(version) as postgres:
            try:
                await migrate(postgres.url(), folder)
            except MigrationError as error:
                findings.append(Finding(folder.name, 0, f"postgres-{version}", str(error)))
                continue
            if version == VERSIONS[-1]:
                findings += await inspect(postgres.url())
    return findings
