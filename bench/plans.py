"""What a call of a signed-in user costs the database: blocks, and which indexes it scans."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg

BLOCK = 8192
# What this session has counted and not yet published; `nested` statements of functions are in it.
COUNTS = """
  select relname as name, pg_stat_get_xact_numscans(oid) as scans,
    pg_stat_get_xact_tuples_returned(oid) as rows, relkind = 'r' as is_table
  from pg_class where relkind in ('r', 'i') and relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """`blocks` of 8 kB, in memory or not; `read` of them from outside shared buffers. `indexes`
    are those scanned, by their entries read; `walked` the tables read from end to end."""

    blocks: int
    read: int
    milliseconds: float
    indexes: dict[str, int]
    walked: list[str]


async def cost(database: asyncpg.Connection, user_id: str | None, call: str) -> Cost:
    """Runs `select <call>` twice as this user, or as the connection's own, and undoes it. The
    second run counts: the first of a session also reads the catalog."""
    role = "authenticated" if user_id else "none"
    claims = {"sub": user_id, "role": role} if user_id else {}
    transaction = database.transaction()
    await transaction.start()
    try:
        await database.execute(
            "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
            role,
            json.dumps(claims),
        )
        explain = f"explain (analyze, buffers, format json) select {call}"
        await database.fetchval(explain)
        before = {row["name"]: row for row in await database.fetch(COUNTS)}
        plan: dict[str, Any] = json.loads(await database.fetchval(explain))[0]
        after = await database.fetch(COUNTS)
    finally:
        await transaction.rollback()
    used = [row for row in after if row["scans"] > before[row["name"]]["scans"]]
    top, planning = plan["Plan"], plan.get("Planning", {})
    read = top["Shared Read Blocks"] + planning.get("Shared Read Blocks", 0)
    return Cost(
        blocks=top["Shared Hit Blocks"] + top["Shared Read Blocks"],
        read=read,
        milliseconds=plan["Execution Time"],
        indexes={
            row["name"]: row["rows"] - before[row["name"]]["rows"]
            for row in used
            if not row["is_table"]
        },
        walked=[row["name"] for row in used if row["is_table"]],
    )
