"""Broadcasts of the database arrive once each and in the order of their commits, whatever happens
to the connection they are read from."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from local.gateway.realtime import messages
from local.stack import Stack
from tests.conftest import POSTGRES_VERSION
from tests.fixtures import until
from tests.local.realtime_rooms import topic
from tests.realtime.phoenix import Phoenix, dial

READY = {"replication_ready": True}
LISTENING = "from pg_stat_activity where application_name = 'realtime_messages'"
SEND = "select realtime.send(jsonb_build_object('n', $1::int), 'e', $2)"


@pytest.fixture(scope="module")
async def own() -> AsyncIterator[Stack]:
    """A stack whose Postgres may be stopped."""
    with tempfile.TemporaryDirectory(
        prefix="recado-commits-", ignore_cleanup_errors=True
    ) as folder:
        version = POSTGRES_VERSION
        async with Stack(Path(folder), postgres_version=version, project=None) as stack:
            yield stack


async def joined(client: Phoenix, name: str) -> None:
    """Returns when the database is listened to."""
    await client.join(f"realtime:{name}", private=True, broadcast=READY)
    assert (await client.next()).payload["message"] == "Replication connection established"


async def numbers(client: Phoenix, count: int) -> list[int]:
    """The next `count` numbers, and that none follows."""
    heard = [(await client.next()).payload["payload"]["n"] for _ in range(count)]
    await client.heartbeat()
    return heard


async def test_transactions_arrive_whole_and_in_the_order_of_their_commits(
    league: Stack, database: asyncpg.Pool, migrator: asyncpg.Pool
) -> None:
    name, chance = topic("order"), random.Random(1)
    await migrator.execute("create table public.turns (n int); insert into public.turns values (0)")

    async def transact(connection: asyncpg.Connection) -> None:
        """Sends early, commits late; the counter tells which commit is the how many-th."""
        async with connection.transaction():
            await connection.execute(SEND, -1, name)
            await asyncio.sleep(chance.random() / 50)
            turn = await connection.fetchval("update public.turns set n = n + 1 returning n")
            await connection.execute(SEND, turn, name)

    async def work() -> None:
        connection = await asyncpg.connect(league.database_url)
        for _ in range(10):
            await transact(connection)
        await connection.close()

    async with dial(league, league.keys.secret_key) as client:
        await joined(client, name)
        await asyncio.gather(*(work() for _ in range(6)))
        heard = await numbers(client, 120)
    assert heard[0::2] == [-1] * 60
    assert heard[1::2] == list(range(1, 61))
    await migrator.execute("drop table public.turns")


async def test_a_commit_that_takes_long_is_not_overtaken(
    league: Stack, migrator: asyncpg.Pool
) -> None:
    """Between the trigger that logs a commit and its end there may be more to do."""
    name = topic("slow")
    await migrator.execute(
        """
        create table public.slow_commits (seconds float);
        create function public.take_long() returns trigger language plpgsql
        as 'begin perform pg_sleep(new.seconds); return null; end';
        create constraint trigger take_long after insert on public.slow_commits
          deferrable initially deferred for each row execute function public.take_long()
        """
    )

    async def commit(number: int) -> None:
        connection = await asyncpg.connect(league.database_url)
        async with connection.transaction():
            await connection.execute(SEND, number, name)
            seconds = 0.1 if number % 2 else 0.0
            await connection.execute("insert into public.slow_commits values ($1)", seconds)
        await connection.close()

    async with dial(league, league.keys.secret_key) as client:
        await joined(client, name)
        await asyncio.gather(*(commit(number) for number in range(12)))
        assert sorted(await numbers(client, 12)) == list(range(12))
    await migrator.execute("drop table public.slow_commits; drop function public.take_long")


async def test_nothing_is_missed_or_doubled_while_the_connection_is_cut_again_and_again(
    league: Stack, database: asyncpg.Pool
) -> None:
    name = topic("cut")
    async with dial(league, league.keys.secret_key) as client:
        await joined(client, name)
        for number in range(300):
            if number % 60 == 0:
                await until(lambda: database.fetchval(f"select count(*) {LISTENING}"))
            if number % 60 == 30:
                await database.execute(f"select pg_terminate_backend(pid) {LISTENING}")
            await database.execute(SEND, number, name)
        assert await numbers(client, 300) == list(range(300))


async def test_what_is_committed_around_a_restart_of_postgres_arrives_once(own: Stack) -> None:
    name, number = topic("restart"), 0
    async with dial(own, own.keys.secret_key) as client:
        await joined(client, name)
        for _ in range(2):
            number = await send(own, name, number)
            await own.postgres.stop()
            await own.postgres.__aenter__()
            # Long before the gateway listens again.
            number = await send(own, name, number)
        assert await numbers(client, number) == list(range(number))


async def send(stack: Stack, name: str, first: int) -> int:
    """Commits 20 numbers from `first` on; the number after them."""
    connection = await asyncpg.connect(stack.database_url)
    for number in range(first, first + 20):
        await connection.execute(SEND, number, name)
    await connection.close()
    return first + 20


async def test_a_join_that_waits_for_the_database_hears_when_it_is_back(own: Stack) -> None:
    async with dial(own, own.keys.secret_key) as client:
        await own.postgres.stop()
        try:
            answer = await client.ask_join("realtime:public", broadcast=READY)
            assert answer["status"] == "ok"
            refused = await client.ask_join("realtime:private", private=True)
            assert refused["response"]["reason"] == (
                "UnableToConnectToProject: Realtime was unable to connect to the project database"
            )
        finally:
            await own.postgres.__aenter__()
        assert (await client.next()).payload["message"] == "Replication connection established"


async def test_a_write_that_could_not_be_asked_for_is_asked_again(own: Stack) -> None:
    name = f"realtime:{topic('outage')}"
    message = {"event": "e", "payload": {}}
    async with dial(own, own.keys.secret_key) as client:
        await client.join(name, private=True, broadcast={"ack": True})
        await own.postgres.stop()
        await client.push(name, "broadcast", message)
        await client.heartbeat()
        await own.postgres.__aenter__()

        async def acknowledged() -> bool:
            ref = await client.push(name, "broadcast", message)
            await client.push("phoenix", "heartbeat", {})
            first = await client.next()
            if first.topic != "phoenix":
                assert first.ref == ref
                await client.next()
            return first.topic != "phoenix"

        await until(acknowledged, what="the policies can be asked again")


async def test_the_log_of_commits_is_swept_with_the_messages(database: asyncpg.Pool) -> None:
    name = topic("old")
    old = "now()::timestamp - interval '73 hours'"
    await database.execute(
        "insert into realtime.messages (topic, extension, event, payload, private, inserted_at)"
        f" values ('{name}', 'broadcast', 'e', '{{}}', true, {old})"
    )
    assert await messages.replay(database, name, 0, 25) != []
    await messages.sweep(database)
    assert await messages.replay(database, name, 0, 25) == []
    left = "select count(*) from realtime.gateway_log where inserted_at < " + old
    assert await database.fetchval(left) == 0


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role", "authenticator"])
async def test_the_log_of_commits_is_nobodys_business(database: asyncpg.Pool, role: str) -> None:
    may = "select has_table_privilege($1, 'realtime.gateway_log', 'select, insert, delete')"
    assert await database.fetchval(may, role) is False
