"""storage.objects: finding and writing rows under the caller's rights, and their JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage.caller import SERVICE, Caller
from local.gateway.storage.database import act_as, transaction
from local.gateway.storage.errors import already_exists, no_such_key

FIND = "select * from storage.objects where bucket_id = $1 and name = $2"
# Writers of one object take turns, also while it has no row yet.
LOCK = "select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))"
INSERT = """
insert into storage.objects
  (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# RETURNING makes Postgres ask for the right to read the row too, as hosted projects do: replacing
# takes policies for insert, select and update.
UPSERT = f"""{INSERT}
on conflict (bucket_id, name) do update set
  owner = coalesce(excluded.owner, objects.owner),
  owner_id = coalesce(excluded.owner_id, objects.owner_id),
  version = excluded.version,
  metadata = excluded.metadata,
  user_metadata = excluded.user_metadata
returning id
"""


@dataclass(frozen=True, slots=True)
class NewObject:
    """A row to be. `metadata` is of the file, `user_metadata` whatever the user wants."""

    bucket_id: str
    name: str
    owner: str | None
    metadata: dict[str, Any]
    user_metadata: dict[str, Any] | None
    version: str = field(default_factory=lambda: str(uuid4()))

    def values(self) -> tuple[Any, ...]:
        """In the order of INSERT."""
        return (
            uuid4(),
            self.bucket_id,
            self.name,
            uuid_or_none(self.owner),
            self.owner,
            self.version,
            orjson.dumps(self.metadata).decode(),
            None if self.user_metadata is None else orjson.dumps(self.user_metadata).decode(),
        )


async def find(connection: Any, bucket_id: str, name: str) -> Any:
    """The row. Raises: 404 when there is none that the caller may see."""
    row = await connection.fetchrow(FIND, bucket_id, name)
    if row is None:
        raise no_such_key()
    return row


async def insert(connection: Any, new: NewObject) -> UUID:
    """The new row's id. Raises: 409 when the name is taken, 403 when a policy says no."""
    values = new.values()
    try:
        await connection.execute(INSERT, *values)
    except asyncpg.UniqueViolationError as error:
        raise already_exists("KeyAlreadyExists") from error
    row_id: UUID = values[0]
    return row_id


async def upsert(connection: Any, new: NewObject) -> UUID:
    """The id of the new or the replaced row. Raises: 403 when a policy says no."""
    row_id: UUID = await connection.fetchval(UPSERT, *new.values())
    return row_id


async def write(
    request: Request, caller: Caller, new: NewObject, *, replace: bool
) -> tuple[UUID, str | None]:
    """Commits the row; its id, and the version it has replaced, whose file is no longer needed."""
    async with transaction(request, SERVICE) as connection:
        await connection.execute(LOCK, new.bucket_id, new.name)
        old = await connection.fetchrow(FIND, new.bucket_id, new.name)
        await act_as(connection, request, caller)
        if not replace:
            return await insert(connection, new), None
        return await upsert(connection, new), old and old["version"]


def to_json(row: Any) -> dict[str, Any]:
    """A row as clients see it: no nulls where they expect text."""
    shown = {name: row[name] for name in ("name", "bucket_id", "id", "version")}
    shown["version"] = shown["version"] or ""
    shown["owner"] = str(row["owner"] or "")
    shown["owner_id"] = row["owner_id"] or ""
    for name in ("updated_at", "created_at", "last_accessed_at"):
        shown[name] = row[name]
    for name in ("metadata", "user_metadata"):
        shown[name] = parsed(row[name])
    return shown


def parsed(json: str | None) -> Any:
    """A jsonb column's value."""
    return None if json is None else orjson.loads(json)


def instant(value: datetime) -> str:
    """2021-02-17T04:43:32.770Z, as JavaScript writes it."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_response(content: Any, status: int = 200) -> Response:
    """`content` as JSON, points in time in the form above."""
    body = orjson.dumps(content, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(body, status, media_type="application/json; charset=utf-8")


def _plain(value: Any) -> str:
    return instant(value) if isinstance(value, datetime) else str(value)  # a UUID of asyncpg's


def uuid_or_none(text: str | None) -> UUID | None:
    """The column `owner` holds uuids only; `owner_id` any subject of a token."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
