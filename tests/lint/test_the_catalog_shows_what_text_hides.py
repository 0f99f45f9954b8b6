"""Rules over the migrated database: one database with one fault per rule, and a clean neighbour."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from local.lint import advisors, catalog, supabase_cli
from local.lint.scratch import scratch_database
from local.npm import NodeUnavailable
from local.postgres import Postgres

CLEAN = """
alter default privileges revoke execute on functions from public;
create schema private;
create table public.good (id uuid primary key);
comment on table public.good is 'A table as it should be.';
alter table public.good enable row level security;
grant select on public.good to authenticated;
create function public.good_call() returns int language sql set search_path = '' as 'select 1';
comment on function public.good_call is 'A function as it should be.';
grant execute on function public.good_call to authenticated;
create function private.good_check() returns int language sql security definer
set search_path = '' as 'select 1';
comment on function private.good_check is 'Runs as its owner, for members only.';
grant execute on function private.good_check to authenticated;
"""

FAULTS = {
    "row-security": ("private.open", "create table private.open (id int)"),
    "table-grant": ("public.closed", "create table public.closed (id int)"),
    "table-open-to-all": (
        "public.shared",
        "create table public.shared (id int); grant select on public.shared to public",
    ),
    "table-comment": ("public.mute", "create view public.mute as select 1 as one"),
    "search-path": (
        "private.loose",
        "create function private.loose() returns int language sql as 'select 1'",
    ),
    "function-open-to-all": (
        "private.listed",
        "create function private.listed() returns int language sql as 'select 1';"
        "grant execute on function private.listed to public",
    ),
    "function-grant": (
        "public.unreachable",
        "create function public.unreachable() returns int language sql as 'select 1'",
    ),
    "definer-for-anon": (
        "public.backdoor",
        "create function public.backdoor() returns int language sql security definer"
        " as 'select 1'; grant execute on function public.backdoor to anon",
    ),
    "function-comment": (
        "private.mute_call",
        "create function private.mute_call() returns int language sql as 'select 1'",
    ),
    "overload": (
        "public.twice",
        "create function public.twice(a int) returns int language sql as 'select 1';"
        "create function public.twice(b text) returns int language sql as 'select 1'",
    ),
}


@pytest.fixture(scope="module")
async def faulty_database() -> AsyncIterator[Postgres]:
    async with scratch_database() as postgres:
        connection = await asyncpg.connect(postgres.url())
        await connection.execute(CLEAN)
        for _, plant in FAULTS.values():
            await connection.execute(plant)
        await connection.close()
        yield postgres


@pytest.mark.parametrize("rule", FAULTS)
async def test_a_planted_fault_is_reported(faulty_database: Postgres, rule: str) -> None:
    name, _ = FAULTS[rule]
    found = await catalog.check(faulty_database.url(), {name: ("jobs.sql", 7)})
    assert (rule, "jobs.sql", 7) in [(f.rule, f.file, f.line) for f in found]


async def test_every_rule_has_its_fault_and_spares_the_rest(faulty_database: Postgres) -> None:
    assert set(FAULTS) == set(catalog.RULES)
    found = await catalog.check(faulty_database.url(), {})
    assert [str(finding) for finding in found if "good" in finding.text] == []


async def test_the_advice_of_supabase_names_our_file(faulty_database: Postgres) -> None:
    try:
        executable = await supabase_cli.install()
    except NodeUnavailable as reason:
        pytest.skip(str(reason))
    places = {"public.shared": ("jobs.sql", 3)}
    found = await advisors.check(executable, faulty_database.url(), places)
    assert ("rls-disabled-in-public", "jobs.sql", 3) in [(f.rule, f.file, f.line) for f in found]
    assert not {f.rule for f in found} & {"unused-index", "rls-enabled-no-policy"}
