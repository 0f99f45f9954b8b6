"""A database whose time a test holds: every function of the queue asks now(), so now() is ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from local.lint.scratch import scratch_database
from local.migrations import migrate
from local.postgres import SUPERUSER

ROOT = Path(__file__).parents[2]
# Sixty-fourths of a second are exact in floating point, so that tokens and times can be compared.
STEP = timedelta(seconds=1) / 64
BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)

# Before the migrations, whose functions and defaults then mean these. clock_timestamp() measures
# how long a claim takes, nothing else: a slow one takes a second.
OUR_CLOCK = """
set allow_system_table_mods = on;
alter function pg_catalog.now() rename to real_now;
create function pg_catalog.now() returns timestamptz language sql stable parallel safe as $$
  select coalesce(nullif(current_setting('test.now', true), '')::timestamptz, pg_catalog.real_now())
$$;
alter function pg_catalog.clock_timestamp() rename to real_clock_timestamp;
create sequence public.readings;
grant usage on public.readings to public;
create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile as $$
  select now() + case when current_setting('test.slow', true) = 'on'
    then interval '1 second' * nextval('public.readings') else interval '0' end
$$;
"""


@asynccontextmanager
async def database_with_our_clock(version: int) -> AsyncIterator[str]:
    """The URL of a database with the migrations, for as long as it is needed."""
    async with scratch_database(version) as postgres:
        connection = await asyncpg.connect(postgres.url(SUPERUSER))
        await connection.execute(OUR_CLOCK)
        await connection.close()
        await migrate(postgres.url(), ROOT / "supabase" / "migrations")
        yield postgres.url(SUPERUSER)


@dataclass(slots=True)
class Clocked:
    """A connection as service_role, for tests that do not wait themselves."""

    url: str
    runner: asyncio.Runner
    now: datetime = BEGINNING
    _connection: asyncpg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = self.runner.run(asyncpg.connect(self.url))
        self.execute("set role service_role")
        self.advance(timedelta())

    def close(self) -> None:
        self.runner.run(self._connection.close())

    def execute(self, query: str) -> None:
        self.runner.run(self._connection.execute(query))

    def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = self.runner.run(self._connection.fetch(query, *arguments))
        return found

    def call(self, query: str, *arguments: Any) -> Any:
        """The JSON that a function answers; lists and objects go in as JSON."""
        given = [json.dumps(a) if isinstance(a, dict | list) else a for a in arguments]
        answer = self.runner.run(self._connection.fetchval(f"select public.{query}", *given))
        return json.loads(answer)

    def advance(self, time: timedelta) -> None:
        """All that time does."""
        self.now += time
        self.rows("select set_config('test.now', $1, false)", self.now.isoformat())

    def set_slow(self, slow: bool) -> None:
        self.rows("select set_config('test.slow', $1, false)", "on" if slow else "off")
