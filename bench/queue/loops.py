"""Loops of SQL and nothing around them: what pgmq offers, and the fastest queue tables known.

pgmq.sql is pgmq's SQL, rewritten from its documentation: no package of ours ships the original.
raw.sql holds two tables that do nothing but lease and settle: the floor under any feature.
"""

from pathlib import Path
from typing import Any

import asyncpg
import orjson

from bench.queue.worker import Data

# Longer than any run.
LEASE_SECONDS = 60


class Loop:
    """One connection. `claim` answers rows whose first column is the id; takes size and seconds."""

    schema: str
    """A file beside this one."""
    add: str
    claim: str
    settle: str

    def __init__(self, url: str) -> None:
        self._url = url

    async def install(self) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute(Path(__file__).with_name(self.schema).read_text())
        await connection.close()

    async def open(self) -> None:
        self._connection: Any = await asyncpg.connect(self._url)
        self._claim = await self._connection.prepare(self.claim)
        self._settle = await self._connection.prepare(self.settle)

    async def enqueue(self, jobs: list[Data]) -> None:
        await self._connection.execute(self.add, [orjson.dumps(job).decode() for job in jobs])

    async def drain(self, size: int) -> int:
        done = 0
        while jobs := await self._claim.fetch(size, LEASE_SECONDS):
            await self._settle.fetch([job[0] for job in jobs])
            done += len(jobs)
        return done


class PgmqArchive(Loop):
    """pgmq: read, then archive."""

    schema = "pgmq.sql"
    add = "select pgmq.send_batch($1)"
    claim = "select msg_id, read_ct, enqueued_at, vt, message, headers from pgmq.read($2, $1)"
    settle = "select pgmq.archive($1)"


class PgmqDelete(PgmqArchive):
    """pgmq: read, then delete; no history."""

    settle = "select pgmq.delete($1)"


class Raw(Loop):
    """One table, the lease in no index, finished in place; one call settles and claims."""

    schema = "raw.sql"
    add = "insert into raw.jobs (payload) select unnest($1::jsonb[])"
    claim = "select id, attempts, payload from raw.exchange($3, $1, $2)"
    settle = "select raw.exchange($1, 0, 0)"

    async def drain(self, size: int) -> int:
        done = 0
        ids: list[int] = []
        while jobs := await self._claim.fetch(size, LEASE_SECONDS, ids):
            ids = [job[0] for job in jobs]
            done += len(ids)
        return done


class RawDelete(Raw):
    """The same, but settled jobs are deleted; no history."""

    claim = "select id, attempts, payload from raw.exchange_deleting($3, $1, $2)"
    settle = "select raw.exchange_deleting($1, 0, 0)"
