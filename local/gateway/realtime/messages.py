"""Reads of realtime.messages and of the log of their commits, and their retention."""

import asyncpg

from local.gateway.realtime.frames import Broadcast
from local.gateway.realtime.hub import Address
from local.gateway.realtime.limits import MAX_PAYLOAD_BYTES
from local.gateway.realtime.outage import UNREACHABLE
from local.gateway.realtime.tokens import Refused

BATCH = 500  # rows read at once
REPLAY_LIMIT = 25  # messages; hosted never replays more
RETENTION = "72 hours"
NEWEST_TIME_MS = 253_402_300_799_999  # the last millisecond of the year 9999

_COMMITTED = """
select log.position, m.id::text, m.topic, m.private, m.event, m.payload::text, m.binary_payload
from realtime.gateway_log log
left join realtime.messages m on m.id = log.message_id and m.inserted_at = log.inserted_at
where log.position > $1
order by log.position
limit $2
"""

_REPLAY = """
select m.id::text, m.event, m.payload::text, m.binary_payload
from realtime.messages m
left join realtime.gateway_log log
  on m.id = log.message_id and m.inserted_at = log.inserted_at
where m.topic = $1 and m.private and m.extension = 'broadcast'
  and m.inserted_at >= to_timestamp($2::float8 / 1000)::timestamp
  and m.inserted_at < now()::timestamp + interval '1 minute'
order by m.inserted_at desc, log.position desc
limit $3
"""

# A place in the log, and what it delivers: nothing for a row that is no broadcast (any more).
Entry = tuple[int, Address | None, Broadcast | None]


async def last_position(connection: asyncpg.Connection) -> int:
    """The place of the newest commit; 0 when there was none."""
    position = await connection.fetchval("select max(position) from realtime.gateway_log")
    return int(position or 0)


async def committed_after(connection: asyncpg.Connection, position: int) -> list[Entry]:
    """The next rows in the order of their commits, at most BATCH; empty when there are no more."""
    return [_entry(row) for row in await connection.fetch(_COMMITTED, position, BATCH)]


async def replay(pool: asyncpg.Pool, topic: str, since_ms: int, limit: int) -> list[Broadcast]:
    """The newest stored private broadcasts of a topic since then, oldest first. Raises Refused."""
    if abs(since_ms) > NEWEST_TIME_MS:
        raise Refused("UnableToReplayMessages", "Replay params are not valid")
    try:
        rows = await pool.fetch(_REPLAY, topic, float(since_ms), max(1, min(limit, REPLAY_LIMIT)))
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        raise Refused("UnableToReplayMessages", "Realtime was unable to replay messages") from error
    return [_broadcast(row, replayed=True) for row in reversed(rows)]


async def sweep(pool: asyncpg.Pool) -> None:
    """Forget what is older than the retention."""
    for table in ("messages", "gateway_log"):
        await pool.execute(
            f"""
            delete from realtime.{table}
            where inserted_at < now()::timestamp - interval '{RETENTION}'
            """
        )


def _entry(row: asyncpg.Record) -> Entry:
    complete = row["event"] is not None and row["private"] is not None
    if not complete or (row["payload"] is None and row["binary_payload"] is None):
        return row["position"], None, None
    broadcast = _broadcast(row)
    if len(broadcast.payload) > MAX_PAYLOAD_BYTES:
        return row["position"], None, None
    return row["position"], (row["topic"], row["private"]), broadcast


def _broadcast(row: asyncpg.Record, *, replayed: bool = False) -> Broadcast:
    binary = row["binary_payload"]
    payload = binary if binary is not None else (row["payload"] or "null").encode()
    meta = {"id": row["id"]} | ({"replayed": True} if replayed else {})
    return Broadcast(row["event"] or "", payload, binary is not None, meta)
