"""Reads of realtime.messages, and its retention."""

import asyncpg

from local.gateway.realtime.frames import Broadcast
from local.gateway.realtime.tokens import Refused

REPLAY_LIMIT = 25  # messages; hosted never replays more
RETENTION = "72 hours"

_REPLAY = """
select id::text, event, payload::text, binary_payload
from realtime.messages
where topic = $1 and private and extension = 'broadcast'
  and inserted_at >= to_timestamp($2::float8 / 1000)::timestamp
order by inserted_at desc
limit $3
"""

Address = tuple[str, bool]  # topic without the `realtime:` prefix, and whether it is private


async def read(pool: asyncpg.Pool, ids: list[str]) -> list[tuple[Address, Broadcast]]:
    """The stored broadcasts of these ids, in the order of the ids."""
    rows = await pool.fetch(
        """
        select m.id::text, m.topic, m.private, m.event, m.payload::text, m.binary_payload
        from unnest($1::uuid[]) with ordinality as wanted(id, place)
        join realtime.messages m using (id)
        order by wanted.place
        """,
        ids,
    )
    return [((row["topic"], bool(row["private"])), _broadcast(row)) for row in rows]


async def replay(pool: asyncpg.Pool, topic: str, since_ms: int, limit: int) -> list[Broadcast]:
    """The newest stored private broadcasts of a topic since then, oldest first. Raises Refused."""
    try:
        rows = await pool.fetch(_REPLAY, topic, float(since_ms), max(1, min(limit, REPLAY_LIMIT)))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused("UnableToReplayMessages", "Realtime was unable to replay messages") from error
    return [_broadcast(row, replayed=True) for row in reversed(rows)]


async def sweep(pool: asyncpg.Pool) -> None:
    """Forget what is older than the retention."""
    await pool.execute(
        f"""
        delete from realtime.messages
        where inserted_at < now()::timestamp - interval '{RETENTION}'
        """
    )


def _broadcast(row: asyncpg.Record, *, replayed: bool = False) -> Broadcast:
    binary = row["binary_payload"]
    payload = binary if binary is not None else (row["payload"] or "{}").encode()
    return Broadcast(row["event"] or "", payload, binary is not None, row["id"], replayed)
