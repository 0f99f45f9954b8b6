"""Migrations are applied to the oldest and the newest Postgres; squawk reads each file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from local.lint import versions
from local.lint.finding import Finding
from local.stack import ROOT


async def nothing(database_url: str) -> list[Finding]:
    return []


def planted(folder: Path, sql: str) -> Path:
    (folder / "20260101000000_jobs.sql").write_text(sql)
    return folder


@pytest.mark.parametrize(
    ("sql", "refused_by"),
    [
        ("create table t (id uuid default uuidv7());", ["postgres-16"]),
        ("select * from json_table('[1]', '$[*]' columns (a int path '$'));", ["postgres-16"]),
        ("create table t (id nonsense);", ["postgres-16", "postgres-18"]),
    ],
)
async def test_syntax_that_one_version_lacks_is_reported(
    tmp_path: Path, sql: str, refused_by: list[str]
) -> None:
    found = await versions.check(planted(tmp_path, sql), nothing)
    assert [finding.rule for finding in found] == refused_by
    for finding in found:
        assert "20260101000000_jobs.sql:1: " in finding.text


async def test_the_newest_database_is_inspected(tmp_path: Path) -> None:
    async def inspect(database_url: str) -> list[Finding]:
        return [Finding("jobs.sql", 1, "rule", database_url)]

    (found,) = await versions.check(planted(tmp_path, "select 1;"), inspect)
    assert found.text.startswith("postgresql://postgres@127.0.0.1:")


@pytest.mark.parametrize(
    ("rule", "sql"),
    [
        ("changing-column-type", "alter table public.jobs alter column id type bigint;"),
        ("adding-required-field", "alter table public.jobs add column note text not null;"),
        ("ban-drop-column", "alter table public.jobs drop column note;"),
        ("constraint-missing-not-valid",
         "alter table public.jobs add constraint c check (attempts > 0);"),
        ("require-lock-timeout", "alter table public.jobs rename to tasks;"),
    ],
)  # fmt: skip
def test_squawk_reports_what_blocks_or_breaks_a_running_database(
    tmp_path: Path, rule: str, sql: str
) -> None:
    file = planted(tmp_path, sql) / "20260101000000_jobs.sql"
    command = [_squawk(), "--config", str(ROOT / ".squawk.toml"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert rule in done.stdout


def test_make_check_asks_all_of_them() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    for command in ("ruff check", "mypy", "bin/squawk --config .squawk.toml", "-m local.lint"):
        assert command in recipe


def _squawk() -> str:
    found = shutil.which("squawk", path=str(ROOT / ".venv" / "bin")) or shutil.which("squawk")
    if found is None:
        pytest.skip("squawk is not installed")
    return found
