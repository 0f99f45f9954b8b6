"""realtime.send and its siblings: transactional, in commit order, never raising, replayable."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.realtime.phoenix import Phoenix, dial
from tests.realtime.probe import Member, Probe
from tests.realtime.server import Server

SEND = "select realtime.send($1, $2, $3, $4)"


@asynccontextmanager
async def listening(
    server: Server, probe: Probe, topic: str, version: str = "2.0.0", **config: Any
) -> AsyncIterator[Phoenix]:
    async with dial(server, probe.keys.secret_key, version) as client:
        await client.join(f"realtime:{topic}", **{"private": True, **config})
        yield client


async def send(
    connection: asyncpg.Connection, topic: str, payload: str, *, private: bool = True
) -> None:
    await connection.execute(SEND, payload, "e", topic, private)


async def test_the_receiver_gets_the_payload_and_the_rows_id(server: Server, probe: Probe) -> None:
    async with listening(server, probe, "t:one", "1.0.0") as client:
        await send(probe.pool, "t:one", '{"a": 1}')
        heard = (await client.next()).payload
        stored = await probe.pool.fetchval(
            "select id::text from realtime.messages where topic = 't:one'"
        )
        assert heard == {
            "type": "broadcast",
            "event": "e",
            "payload": {"a": 1, "id": stored},
            "meta": {"id": stored},
        }


async def test_an_id_of_the_payload_is_kept(server: Server, probe: Probe) -> None:
    async with listening(server, probe, "t:id") as client:
        await send(probe.pool, "t:id", '{"id": "mine"}')
        heard = (await client.next()).payload
        assert heard["payload"] == {"id": "mine"}
        assert heard["meta"]["id"] != "mine"


async def test_nothing_leaves_before_commit_and_nothing_after_rollback(
    server: Server, probe: Probe
) -> None:
    async with listening(server, probe, "t:tx") as client:
        async with probe.pool.acquire() as connection:
            rolled_back = connection.transaction()
            await rolled_back.start()
            await send(connection, "t:tx", '{"n": 1}')
            await rolled_back.rollback()
            committed = connection.transaction()
            await committed.start()
            await send(connection, "t:tx", '{"n": 2}')
            await client.heartbeat()
            await committed.commit()
        assert (await client.next()).payload["payload"]["n"] == 2


async def test_messages_arrive_in_commit_order(server: Server, probe: Probe) -> None:
    async with (
        listening(server, probe, "t:order") as client,
        probe.pool.acquire() as first,
        probe.pool.acquire() as second,
    ):
        early, late = first.transaction(), second.transaction()
        await early.start()
        await late.start()
        await send(first, "t:order", '{"n": 3}')
        await send(second, "t:order", '{"n": 1}')
        await send(second, "t:order", '{"n": 2}')
        await late.commit()
        await send(first, "t:order", '{"n": 4}')
        await early.commit()
        assert [(await client.next()).payload["payload"]["n"] for _ in range(4)] == [1, 2, 3, 4]


async def test_a_large_transaction_arrives_whole_and_in_order(server: Server, probe: Probe) -> None:
    async with listening(server, probe, "t:many") as client:
        await probe.pool.execute(
            """
            select realtime.send(jsonb_build_object('n', n), 'e', 't:many')
            from generate_series(1, 900) n
            """
        )
        numbers = [(await client.next()).payload["payload"]["n"] for _ in range(900)]
        assert numbers == list(range(1, 901))


async def test_private_messages_go_to_private_channels_and_public_ones_to_public(
    server: Server, probe: Probe
) -> None:
    async with (
        listening(server, probe, "t:both") as private,
        listening(server, probe, "t:both", private=False) as public,
    ):
        await send(probe.pool, "t:both", '{"private": true}')
        await send(probe.pool, "t:both", '{"private": false}', private=False)
        assert (await private.next()).payload["payload"]["private"] is True
        assert (await public.next()).payload["payload"]["private"] is False
        await private.heartbeat()
        await public.heartbeat()


async def test_bytes_from_the_database_reach_version_2_only(server: Server, probe: Probe) -> None:
    async with (
        listening(server, probe, "t:bytes") as newer,
        listening(server, probe, "t:bytes", "1.0.0") as older,
    ):
        await probe.pool.execute(r"select realtime.send_binary('\x00ff'::bytea, 'e', 't:bytes')")
        assert (await newer.next()).payload["payload"] == b"\x00\xff"
        await older.heartbeat()


@pytest.mark.parametrize("payload", ["[1]", '"text"', "1", "null"])
async def test_a_payload_that_is_no_object_is_lost_with_a_warning(
    probe: Probe, payload: str
) -> None:
    topic = f"t:{uuid4()}"
    warnings = await _warnings_of(probe, "select realtime.send($1, 'e', $2)", payload, topic)
    assert len(warnings) == 1
    assert warnings[0].startswith("WarnSendingBroadcastMessage: ")
    assert await _stored(probe, topic) == 0


async def test_a_user_without_an_insert_policy_sends_nothing_and_may_go_on(
    probe: Probe, member: Member
) -> None:
    warnings = await _warnings_of(
        probe, "select realtime.send('{}', 'e', $1)", member.scope, role="authenticated"
    )
    assert len(warnings) == 1
    assert "row-level security" in warnings[0]
    assert await _stored(probe, member.scope) == 0


@pytest.mark.parametrize("role", ["postgres", "service_role"])
async def test_the_backends_roles_may_send(probe: Probe, role: str) -> None:
    topic = f"t:{uuid4()}"
    statement = "select realtime.send('{}', 'e', $1)"
    assert await _warnings_of(probe, statement, topic, role=role) == []
    assert await _stored(probe, topic) == 1


async def test_broadcast_changes_ships_the_row_before_and_after(
    server: Server, probe: Probe
) -> None:
    async with listening(server, probe, "t:rows") as client, probe.pool.acquire() as connection:
        await connection.execute(
            """
            create temp table watched (a int);
            create function pg_temp.tell() returns trigger language plpgsql as $$
            begin
              perform realtime.broadcast_changes(
                't:rows', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
              return null;
            end $$;
            create trigger tell after insert or update or delete on watched
              for each row execute function pg_temp.tell();
            insert into watched values (1);
            update watched set a = 2;
            """
        )
        await client.next()
        heard = (await client.next()).payload
        assert heard["event"] == "UPDATE"
        assert (heard["payload"]["old_record"], heard["payload"]["record"]) == ({"a": 1}, {"a": 2})
        with pytest.raises(asyncpg.RaiseError, match="Failed to process the row"):
            await connection.execute(
                "select realtime.broadcast_changes('t', 'e', 'TRUNCATE', 't', 's', null, null)"
            )
        await connection.execute("drop table watched")


async def test_a_join_may_ask_to_hear_when_the_database_is_listened_to(
    server: Server, probe: Probe
) -> None:
    ready = {"replication_ready": True}
    async with listening(server, probe, "t:ready", broadcast=ready) as client:
        system = await client.next()
        assert system.payload == {
            "channel": "t:ready",
            "extension": "system",
            "message": "Replication connection established",
            "status": "ok",
        }


# Replay


async def test_replay_brings_the_newest_stored_messages_oldest_first(
    server: Server, probe: Probe
) -> None:
    since = int(time.time() * 1000)
    for number in range(30):
        await send(probe.pool, "t:replay", f'{{"n": {number}}}')
    async with dial(server, probe.keys.secret_key) as client:
        replay = {"since": since - 1000, "limit": 100}
        await client.join("realtime:t:replay", private=True, broadcast={"replay": replay})
        await send(probe.pool, "t:replay", '{"n": "live"}')
        heard = [await client.next() for _ in range(26)]
        assert [each.payload["payload"]["n"] for each in heard] == [*range(5, 30), "live"]
        assert all(each.payload["meta"].get("replayed") for each in heard[:25])
        assert "replayed" not in heard[25].payload["meta"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"private": False, "broadcast": {"replay": {"since": 1}}}, "public channels"),
        ({"private": True, "broadcast": {"replay": {"since": "x"}}}, "params are not valid"),
        ({"private": True, "broadcast": {"replay": {}}}, "params are not valid"),
    ],
)
async def test_replay_is_refused_where_hosted_refuses_it(
    server: Server, probe: Probe, config: dict[str, Any], reason: str
) -> None:
    async with dial(server, probe.keys.secret_key) as client:
        answer = await client.ask_join("realtime:t:replay", **config)
        assert answer["response"]["reason"].startswith("UnableToReplayMessages: ")
        assert reason in answer["response"]["reason"]


async def test_what_is_sent_during_a_replaying_join_is_heard_once(
    server: Server, probe: Probe
) -> None:
    since = int(time.time() * 1000) - 1000
    async with dial(server, probe.keys.secret_key) as client:
        sending = asyncio.gather(
            *(send(probe.pool, "t:racing", f'{{"n": {n}}}') for n in range(20))
        )
        replay = {"since": since}
        await client.join("realtime:t:racing", private=True, broadcast={"replay": replay})
        await sending
        heard = [(await client.next()).payload["payload"]["n"] for _ in range(20)]
        assert sorted(heard) == list(range(20))
        await client.heartbeat()


async def _stored(probe: Probe, topic: str) -> int:
    count: int = await probe.pool.fetchval(
        "select count(*) from realtime.messages where topic = $1", topic
    )
    return count


async def _warnings_of(
    probe: Probe, statement: str, *arguments: Any, role: str | None = None
) -> list[str]:
    """The warnings of a statement run under a role, in a transaction that goes on and commits."""
    warnings: list[str] = []
    connection = await asyncpg.connect(probe.database_url)
    try:
        connection.add_log_listener(lambda _, message: warnings.append(message.message))
        async with connection.transaction():
            if role:
                await connection.execute(f"set local role {role}")
            await connection.execute(statement, *arguments)
            assert await connection.fetchval("select 1") == 1
    finally:
        await connection.close()
    return warnings
