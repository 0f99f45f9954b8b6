"""Supabase's own database lints (splinter), which the CLI carries."""

import json
from collections.abc import Mapping
from pathlib import Path

from local.lint import supabase_cli
from local.lint.finding import Finding

ACCEPTED = {
    "unused_index": "a database made a second ago has used none",
    "rls_enabled_no_policy": "no policy is how a table stays the service role's",
}


async def check(
    executable: Path, database_url: str, places: Mapping[str, tuple[str, int]]
) -> list[Finding]:
    """Every advice about this database but the accepted ones; raises CommandFailed."""
    answer = json.loads(
        await supabase_cli.run(
            executable,
            *("db", "advisors", "--level", "info", "--fail-on", "none"),
            f"--remote={database_url}",
            *("--output-format", "json"),
            folder=Path(__file__).parents[2],
        )
    )
    findings = []
    for advice in answer["results"]:
        about = advice.get("metadata") or {}
        file, line = places.get(f"{about.get('schema')}.{about.get('name')}", ("database", 0))
        if advice["name"] not in ACCEPTED:
            rule = advice["name"].replace("_", "-")
            findings.append(Finding(file, line, rule, advice["detail"]))
    return sorted(findings)
