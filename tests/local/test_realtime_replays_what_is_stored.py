"""`broadcast.replay` of a join: which stored messages come again, how they look, and what is
refused."""

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from local.stack import Stack
from tests.local.realtime_rooms import create_policies, token, topic
from tests.realtime.phoenix import Phoenix, Received, dial

INVALID = "UnableToReplayMessages: Replay params are not valid"
PUBLIC = "UnableToReplayMessages: Replay is not allowed for public channels"
MINUTE = 60_000


@pytest.fixture(scope="module", autouse=True)
async def policies(migrator: asyncpg.Pool) -> None:
    await create_policies(migrator)


@pytest.fixture
async def client(league: Stack) -> AsyncIterator[Phoenix]:
    async with dial(league, league.keys.secret_key) as client:
        yield client


async def store(
    database: asyncpg.Pool, name: str, event: str, *, seconds_ago: int = 0, private: bool = True
) -> str:
    id: str = await database.fetchval(
        """
        insert into realtime.messages (topic, extension, event, payload, private, inserted_at)
        values ($1, 'broadcast', $2, '{"stored": true}', $4,
                now()::timestamp - make_interval(secs => $3))
        returning id::text
        """,
        name,
        event,
        seconds_ago,
        private,
    )
    return id


async def replayed(client: Phoenix, name: str, **replay: Any) -> list[Received]:
    """All that comes before the answer to a heartbeat."""
    await client.join(f"realtime:{name}", private=True, broadcast={"replay": replay})
    ref = await client.push("phoenix", "heartbeat", {})
    frames: list[Received] = []
    while (frame := await client.next()).ref != ref:
        frames.append(frame)
    return frames


def now() -> int:
    return int(time.time() * 1000)


async def test_the_newest_come_oldest_first_marked_and_with_their_ids(
    client: Phoenix, database: asyncpg.Pool
) -> None:
    name = topic("stored")
    await store(database, name, "old", seconds_ago=24 * 3600)
    second = await store(database, name, "second", seconds_ago=120)
    await store(database, name, "third", seconds_ago=180)
    first = await store(database, name, "first", seconds_ago=60)
    await store(database, name, "public", private=False)
    frames = await replayed(client, name, since=now() - 5 * MINUTE, limit=2)
    assert [frame.payload for frame in frames] == [
        {
            "type": "broadcast",
            "event": event,
            "payload": {"stored": True},
            "meta": {"id": id, "replayed": True},
        }
        for event, id in (("second", second), ("first", first))
    ]
    # The channel itself pushes them: text with its join_ref, also to version 2.
    assert {(type(frame.raw), frame.join_ref) for frame in frames} == {(str, client.join_ref)}


async def test_bytes_come_again_as_bytes_and_not_to_version_1(
    league: Stack, client: Phoenix, database: asyncpg.Pool
) -> None:
    name = topic("stored")
    await database.execute(r"select realtime.send_binary('\xca00fe'::bytea, 'b', $1)", name)
    id = await store(database, name, "json")
    frames = await replayed(client, name, since=0)
    assert isinstance(frames[0].raw, bytes)
    assert frames[0].payload["payload"] == b"\xca\x00\xfe"
    assert frames[0].payload["meta"]["replayed"] is True
    assert frames[1].payload["meta"]["id"] == id
    async with dial(league, league.keys.secret_key, "1.0.0") as older:
        heard = await replayed(older, name, since=0)
        assert [frame.payload["event"] for frame in heard] == ["json"]


async def test_messages_of_one_transaction_keep_their_order(
    client: Phoenix, database: asyncpg.Pool
) -> None:
    name = topic("stored")
    await database.execute(
        "select realtime.send('{}', n::text, $1) from generate_series(1, 40) n", name
    )
    frames = await replayed(client, name, since=0, limit=100)
    assert [frame.payload["event"] for frame in frames] == [str(n) for n in range(16, 41)]


@pytest.mark.parametrize(("limit", "count"), [(0, 1), (-5, 1), (3, 3), (1000, 5), (None, 5)])
async def test_the_limit_is_between_1_and_25(
    client: Phoenix, database: asyncpg.Pool, limit: int | None, count: int
) -> None:
    name = topic("stored")
    for number in range(5):
        await store(database, name, str(number))
    assert len(await replayed(client, name, since=0, limit=limit)) == count


@pytest.mark.parametrize(
    ("private", "replay", "reason"),
    [
        (True, {}, INVALID),
        (True, {"since": "yesterday"}, INVALID),
        (True, {"since": 1.5}, INVALID),
        (True, {"since": True}, INVALID),
        (True, {"since": 10**18}, INVALID),
        (True, {"since": 0, "limit": "many"}, INVALID),
        (False, {"since": 0}, PUBLIC),
        (False, None, PUBLIC),
        (False, 7, PUBLIC),
    ],
)
async def test_asking_wrongly_is_refused(
    client: Phoenix, private: bool, replay: Any, reason: str
) -> None:
    name = f"realtime:{topic('stored')}"
    answer = await client.ask_join(name, private=private, broadcast={"replay": replay})
    assert answer == {"status": "error", "response": {"reason": reason}}
    await client.push(name, "broadcast", {"event": "e", "payload": {}})
    assert (await client.next()).payload["response"] == {"reason": "unmatched topic"}


async def test_a_replay_that_is_no_object_is_none_where_it_would_be_allowed(
    client: Phoenix,
) -> None:
    for replay in (None, 7):
        name = f"realtime:{topic('stored')}"
        await client.join(name, private=True, broadcast={"replay": replay})
        await client.heartbeat()


async def test_whoever_may_only_read_presence_gets_nothing_stored(league: Stack) -> None:
    name = topic("presence")
    config = {"private": True, "presence": {"enabled": True}, "broadcast": {"replay": {"since": 0}}}
    async with dial(league, league.keys.publishable_key) as client:
        answer = await client.ask_join(f"realtime:{name}", token(league), **config)
        assert answer["response"]["reason"] == (
            f"Unauthorized: You do not have permissions to read from this Channel topic: {name}"
        )
