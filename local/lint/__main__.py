"""`python -m local.lint`: everything this package knows about supabase/migrations.

Without --database-url the migrations are applied to embedded databases that are removed again.
Exit code 1 when there is a finding.
"""

import argparse
import asyncio
import sys
from itertools import chain
from pathlib import Path

from local.lint import (
    advisors,
    catalog,
    declarations,
    migration,
    statements,
    supabase_cli,
    versions,
    writes,
)
from local.lint.finding import Finding
from local.lint.migration import Migration
from local.npm import NodeUnavailable

FOLDER = Path(__file__).parents[2] / migration.FOLDER
TEXT_RULES = (*statements.RULES, *writes.RULES, *declarations.RULES)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.lint", description=__doc__)
    parser.add_argument("--database-url", help="a migrated database, as role postgres")
    arguments = parser.parse_args()
    migrations = migration.read(FOLDER)
    findings = asyncio.run(_all_findings(migrations, arguments.database_url))
    for finding in findings:
        print(finding)
    if not findings:
        print(f"{len(migrations)} migrations, no findings")
    return 1 if findings else 0


async def _all_findings(migrations: list[Migration], database_url: str | None) -> list[Finding]:
    """The text first: a migration that breaks its rules may not even apply."""
    in_text = migration.unwaived(
        migrations, chain.from_iterable(rule(migrations) for rule in TEXT_RULES)
    )
    if in_text:
        return in_text
    places = declarations.places(migrations)

    async def inspect(url: str) -> list[Finding]:
        return await _database_findings(url, places)

    if database_url is not None:
        return migration.unwaived(migrations, iter(await inspect(database_url)))
    return migration.unwaived(migrations, iter(await versions.check(FOLDER, inspect)))


async def _database_findings(url: str, places: dict[str, tuple[str, int]]) -> list[Finding]:
    findings = await catalog.check(url, places)
    try:
        executable = await supabase_cli.install()
    except NodeUnavailable as reason:
        print(f"skipped the advisors of Supabase: {reason}", file=sys.stderr)
        return findings
    return findings + await advisors.check(executable, url, places)


if __name__ == "__main__":
    sys.exit(main())
