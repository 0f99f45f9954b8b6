"""A database with the probe schema, seen as its clients see it: tokens, writes, syncs."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from functions.realtime.subscriber import Rpc
from local.keys import Keys


@dataclass(frozen=True, slots=True)
class Probe:
    """`pool` is the superuser's; `database_url` too."""

    keys: Keys
    database_url: str
    pool: asyncpg.Pool

    def token(self, user_id: UUID, *, seconds: float = 3600, **claims: Any) -> str:
        expires = int(time.time() + seconds)
        return self.keys.sign_user_token(
            {"sub": str(user_id), "role": "authenticated", "exp": expires, **claims}
        )

    async def member(self, prefix: str = "conversation") -> "Member":
        """A fresh company with one member and one scope."""
        member = Member(self, uuid4(), uuid4(), f"{prefix}:{uuid4()}")
        await self.pool.execute(
            "insert into probe.members values ($1, $2)", member.company, member.user
        )
        await self.pool.execute(
            "insert into probe.scopes (scope, company_id) values ($1, $2)",
            member.scope,
            member.company,
        )
        return member


@dataclass(frozen=True, slots=True)
class Member:
    probe: Probe
    company: UUID
    user: UUID
    scope: str

    def token(self, **options: Any) -> str:
        return self.probe.token(self.user, **options)

    async def bearer(self) -> str:
        return self.token()

    async def write(self, *rows: dict[str, Any], silent: bool = False) -> int:
        """The new version. `silent` writes are never broadcast, as if the broadcast was lost."""
        version: int = await self.probe.pool.fetchval(
            "select probe.write($1, $2, $3)", self.scope, orjson.dumps(rows).decode(), silent
        )
        return version

    async def say(self, body: str, **options: Any) -> int:
        return await self.write({"body": body}, **options)

    async def restore(self) -> None:
        await self.probe.pool.execute("select probe.restore($1)", self.scope)

    async def rows(self) -> dict[str, str]:
        """The truth: id -> body of the rows that are not deleted."""
        rows = await self.probe.pool.fetch(
            "select id::text, body from probe.rows where scope = $1 and deleted_at is null",
            self.scope,
        )
        return {row["id"]: row["body"] for row in rows}

    @property
    def rpc(self) -> Rpc:
        """The SQL functions of the protocol, called as this member's user."""

        async def call(name: str, params: dict[str, Any]) -> Any:
            async with self.probe.pool.acquire() as connection, connection.transaction():
                claims = {"sub": str(self.user), "role": "authenticated"}
                await connection.execute("set local role authenticated")
                await connection.execute(
                    "select set_config('request.jwt.claims', $1, true)",
                    orjson.dumps(claims).decode(),
                )
                if name == "sync_heads":
                    scopes = orjson.dumps(params["p_scopes"]).decode()
                    answer = await connection.fetchval("select probe.heads($1)", scopes)
                else:
                    answer = await connection.fetchval(
                        "select probe.sync($1, $2, $3, $4)",
                        f"{name.removeprefix('sync_')}:{params['p_id']}",
                        params["p_after"],
                        params["p_epoch"],
                        params["p_limit"],
                    )
                return orjson.loads(answer)

        return call
