"""supabase/snippets/wake_up.sql, on stand-ins: there is no pg_cron, pg_net or Vault here.

The stand-ins have the parameters that the projects document, so a call with others fails:
https://github.com/citusdata/pg_cron, https://supabase.github.io/pg_net/api/ and
https://supabase.com/docs/guides/database/vault.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.stack import Stack

SNIPPET = Path(__file__).parents[2] / "supabase" / "snippets" / "wake_up.sql"
STAND_INS = """
    create schema if not exists cron;
    create schema if not exists net;
    create schema if not exists vault;
    create table cron.job (jobname text primary key, schedule text, command text);
    create table cron.job_run_details (end_time timestamptz);
    create function cron.schedule(job_name text, schedule text, command text) returns bigint
    language sql as $$
      insert into cron.job values ($1, $2, $3)
      on conflict (jobname) do update set schedule = excluded.schedule, command = excluded.command
      returning 1::bigint
    $$;
    create function cron.unschedule(job_name text) returns boolean language sql as $$
      delete from cron.job where jobname = $1 returning true
    $$;
    create table net.request (url text, headers jsonb, timeout_milliseconds integer);
    create function net.http_post(
      url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}',
      timeout_milliseconds integer default 5000
    ) returns bigint language sql as $$
      insert into net.request values (url, headers, timeout_milliseconds) returning 1::bigint
    $$;
    create table vault.decrypted_secrets (name text, decrypted_secret text);
"""
SECRETS = """
    insert into vault.decrypted_secrets values
      ('recado_url', 'https://recado.test'), ('recado_cron_secret', 'the secret')
"""


@pytest.fixture
async def hosted(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """A database with the stand-ins, all of which are gone afterwards."""
    connection = await asyncpg.connect(stack.database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(STAND_INS)
    yield connection
    await transaction.rollback()
    await connection.close()


def snippet(optional: bool = False) -> str:
    """Without its extensions; `optional` takes the dashes off the commented statement."""
    text = re.sub(r"^create extension .*$", "", SNIPPET.read_text(), flags=re.MULTILINE)
    if optional:
        at = text.index("-- select cron.schedule('recado_wake'")
        text = text[:at] + re.sub(r"^-- ?", "", text[at:], flags=re.MULTILINE)
    return text


async def run(hosted: asyncpg.Connection, name: str) -> None:
    await hosted.execute(
        await hosted.fetchval("select command from cron.job where jobname = $1", name)
    )


async def test_it_says_what_vault_lacks(hosted: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.RaiseError, match="see step 1"):
        await hosted.execute(snippet())


async def test_run_twice_it_calls_the_tick_once_a_minute(hosted: asyncpg.Connection) -> None:
    await hosted.execute(SECRETS)
    for _ in range(2):
        await hosted.execute(snippet())
    jobs = await hosted.fetch("select jobname, schedule from cron.job order by jobname")
    assert [tuple(job) for job in jobs] == [
        ("recado_tick", "* * * * *"),
        ("recado_tick_history", "17 3 * * *"),
    ]
    await run(hosted, "recado_tick")
    await run(hosted, "recado_tick_history")
    (request,) = await hosted.fetch("select url, headers::text as headers from net.request")
    assert request["url"] == "https://recado.test/api/queue/process"
    assert request["headers"] == '{"authorization": "Bearer the secret"}'


async def test_the_quick_one_calls_only_when_there_is_something_to_start(
    hosted: asyncpg.Connection,
) -> None:
    await hosted.execute(SECRETS)
    await hosted.execute(snippet(optional=True))
    calls = "select count(*) from net.request"
    await hosted.execute("update private.queue_lanes set turn_at = 'infinity' where true")
    await run(hosted, "recado_wake")
    assert await hosted.fetchval(calls) == 0
    await hosted.execute("""select public.enqueue_jobs('[{"type": "test"}]')""")
    await run(hosted, "recado_wake")
    assert await hosted.fetchval(calls) == 1
    await hosted.execute("select public.begin_tick(gen_random_uuid(), 1, 60)")
    await run(hosted, "recado_wake")
    assert await hosted.fetchval(calls) == 1


async def test_it_goes_away_as_it_says(hosted: asyncpg.Connection) -> None:
    await hosted.execute(SECRETS)
    await hosted.execute(snippet())
    (removal,) = re.findall(r"^--\s+(select cron\.unschedule.*);$", SNIPPET.read_text(), re.M)
    await hosted.execute(removal)
    assert await hosted.fetchval("select count(*) from cron.job") == 0
