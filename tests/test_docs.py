"""The documentation runs: its SQL, its commands, its tables and links."""

import itertools
import re
from dataclasses import fields
from pathlib import Path

import asyncpg
import pytest

from functions.core.settings import Settings
from local.stack import Stack
from tests.tenants import Tenant

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("[a-z]*/README.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_named_file_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:functions|supabase|local|tests|bench|docs)/[\w./*-]+)`", page.read_text()
    )
    missing = [name for name in named if not list(ROOT.glob(name.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_command_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


def test_the_settings_table_is_complete() -> None:
    table = re.findall(
        r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE
    )
    renamed = {"SECRET_KEY": "SUPABASE_SECRET_KEY", "PUBLISHABLE_KEY": "SUPABASE_PUBLISHABLE_KEY"}
    in_code = [field.name.upper() for field in fields(Settings)]
    assert set(table) == {renamed.get(name, name) for name in in_code}


async def test_the_sql_of_the_pages_runs(stack: Stack, tenant: Tenant) -> None:
    """Each block in a transaction of its own that is rolled back; placeholders get values."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        ran, number = 0, itertools.count()
        for page in PAGES:
            for block in blocks(page, "sql"):
                sql = block.replace("<company id>", tenant.company_id)
                for place in re.findall(r"<[^>]+>", sql):
                    sql = sql.replace(place, f"value-{next(number)}", 1)
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("set local role postgres")
                await connection.execute(sql)
                await transaction.rollback()
                ran += 1
        assert ran >= 4
    finally:
        await connection.close()
