"""Fills companies with the history of three years; what of, says bench/filling.sql.

Without triggers, which would tell everybody of each row. A large set is loaded in haste: its
indexes are built at the end, and nothing is synced to disk meanwhile, as a set that a crash
destroys is made again.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.tenants import Tenant

STATEMENTS = Path(__file__).with_name("filling.sql")
TABLES = [
    f"public.{name}"
    for name in ("contacts", "contact_identities", "conversations", "versions", "messages")
]
HASTE = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
}
# An index that is not ready is not written to; `reindex` makes it whole and ready.
NOT_READY = """
  update pg_index set indisready = false, indisvalid = false
  where indrelid = any ($1::text[]::regclass[])
    and (not indisprimary or indrelid = 'public.messages'::regclass)
"""
INDEXES = """
  select indexrelid::regclass::text from pg_index
  where indrelid = any ($1::text[]::regclass[]) and not indisready order by indrelid, indexrelid
"""


async def fill(
    database: asyncpg.Connection, shops: Sequence[tuple[Tenant, int]], messages: int
) -> None:
    """Gives each tenant so many conversations of about so many messages. `database` is the
    superuser's."""
    await database.execute(
        """create temporary table shops (
             company_id uuid, instance_ids uuid[], agents uuid[], conversations int, messages int
           )"""
    )
    for tenant, conversations in shops:
        await database.execute(
            "insert into shops values ($1, $2, $3, $4, $5)",
            tenant.company_id,
            [number.instance_id for number in tenant.numbers],
            [tenant.people[role].id for role in ("agent", "admin", "owner")],
            conversations,
            messages,
        )
    await database.execute("set session_replication_role = replica")
    try:
        await database.execute(STATEMENTS.read_text())
    finally:
        await database.execute("set session_replication_role = origin")
    await database.execute("drop table shops")


async def settle(database: asyncpg.Connection) -> None:
    """As autovacuum leaves the tables."""
    for table in TABLES:
        await database.execute(f"vacuum analyze {table}")


@asynccontextmanager
async def haste(database: asyncpg.Connection) -> AsyncIterator[None]:
    """Around a `fill` of millions of rows, on a server of its own."""
    for name, value in HASTE.items():
        await database.execute(f"alter system set {name} = '{value}'")
    await database.execute("select pg_reload_conf()")
    await database.execute("set work_mem = '1GB'; set maintenance_work_mem = '1GB'")
    await database.execute(NOT_READY, TABLES)
    yield
    for (index,) in await database.fetch(INDEXES, TABLES):
        await database.execute(f"reindex index {index}")
    for name in HASTE:
        await database.execute(f"alter system reset {name}")
    await database.execute("select pg_reload_conf()")
    await database.execute("reset work_mem; reset maintenance_work_mem; checkpoint")
