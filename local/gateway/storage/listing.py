"""Listing a bucket: one folder at a time with offsets (v1), or any prefix with cursors (v2).

A folder is no row: it is what names have in common up to their next slash. Both queries read all
names below the prefix, which suits development; hosted projects skip from folder to folder.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage import rules
from local.gateway.storage.bodies import List, ListV2, body_of
from local.gateway.storage.caller import caller_of
from local.gateway.storage.database import transaction
from local.gateway.storage.errors import invalid_parameter
from local.gateway.storage.rows import json_response, parsed

# Rows in one answer, whatever is asked for.
V1_LIMIT, V2_LIMIT = 1500, 1000

# $1 bucket, $2 folder, $3 start of the name; case does not count. Folders come as names without
# an id. Names are relative to the folder.
ENTRIES_V1 = """
with found as (
  select *, storage.get_common_prefix(name, $2 || $3, '/') as folder from storage.objects
  where bucket_id = $1 and starts_with(lower(name), lower($2 || $3))
), entries as (
  select folder as path, null::uuid as id, null::timestamptz as updated_at,
    null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
  from found where folder is not null group by folder
  union all
  select name, id, updated_at, created_at, last_accessed_at, metadata
  from found where folder is null
)
select substr(rtrim(path, '/'), length($2) + 1) as name,
  id, updated_at, created_at, last_accessed_at, metadata
from entries
"""

# $1 bucket, $2 prefix, $3 whether to fold folders, $4 $5 the sort key and path to start after.
# {sorted} is the column that sorts before the name; folders are as old as their oldest object.
ENTRIES_V2 = """
with found as (
  select *, case when $3 then storage.get_common_prefix(name, $2, '/') end as folder
  from storage.objects where bucket_id = $1 and starts_with(name, $2)
), entries as (
  select folder as path, null::uuid as id, min(created_at) as updated_at,
    min(created_at) as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
  from found where folder is not null group by folder
  union all
  select name, id, updated_at, created_at, last_accessed_at, metadata
  from found where folder is null
), keyed as (
  select *, {sorted} as sort_key from entries
)
select *, sort_key::text as cursor_key from keyed
where $5 = '' or (sort_key, path collate "C") {past} ($4::text::timestamptz, $5)
order by sort_key {order}, path collate "C" {order}
limit $6
"""


async def list_v1(request: Request) -> Response:
    """POST /object/list/{bucket}: the entries of one folder."""
    body = await body_of(request, List)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    folder = f"{body.prefix}/" if body.prefix and not body.prefix.endswith("/") else body.prefix
    column, order = body.sortBy.column, body.sortBy.order
    by_name = f'lower(path) collate "C" {order}'
    # By anything but the name, folders come first.
    sorting = by_name if column == "name" else f"id is not null, {column} {order}, {by_name}"
    async with transaction(request, caller) as connection:
        found = await connection.fetch(
            f"{ENTRIES_V1} order by {sorting} limit $4 offset $5",
            bucket_id,
            folder,
            body.search,
            min(body.limit, V1_LIMIT),
            body.offset,
        )
    return json_response([{**row, "metadata": parsed(row["metadata"])} for row in found])


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page starts, and how the pages are sorted."""

    path: str = ""
    key: str = "epoch"
    column: str = "name"
    order: str = "asc"

    def encode(self) -> str:
        """Opaque text for the client."""
        content = orjson.dumps([self.path, self.key, self.column, self.order])
        return base64.b64encode(content).decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises: 400 for what `encode` did not make."""
        try:
            path, key, column, order = orjson.loads(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError, TypeError):
            raise invalid_parameter("continuation token") from None
        if column not in ("name", "created_at", "updated_at") or order not in ("asc", "desc"):
            raise invalid_parameter("continuation token")
        return cls(str(path), str(key), column, order)


async def list_v2(request: Request) -> Response:
    """POST /object/list-v2/{bucket}: {hasNext, nextCursor, folders, objects}."""
    body = await body_of(request, ListV2)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    start = Cursor(column=body.sortBy.column, order=body.sortBy.order)
    start = Cursor.decode(body.cursor) if body.cursor else start
    limit = min(body.limit, V2_LIMIT)
    query = ENTRIES_V2.format(
        sorted="'epoch'::timestamptz" if start.column == "name" else start.column,
        past=">" if start.order == "asc" else "<",
        order=start.order,
    )
    async with transaction(request, caller) as connection:
        found = await connection.fetch(
            query, bucket_id, body.prefix, body.with_delimiter, start.key, start.path, limit + 1
        )
    page = found[:limit]
    entries = [_entry(row, body) for row in page]
    answer: dict[str, Any] = {
        "hasNext": len(found) > limit,
        "folders": [entry for entry in entries if entry["id"] is None],
        "objects": [entry for entry in entries if entry["id"] is not None],
    }
    if answer["hasNext"]:
        last = page[-1]
        cursor = Cursor(last["path"], last["cursor_key"], start.column, start.order)
        answer["nextCursor"] = cursor.encode()
    return json_response(answer)


def _entry(row: Any, body: ListV2) -> dict[str, Any]:
    """`name` is the whole key; `key`, only with folders, its part at the level listed."""
    shown = {
        "name": row["path"],
        "id": row["id"],
        "updated_at": row["updated_at"],
        "created_at": row["created_at"],
        "last_accessed_at": row["last_accessed_at"],
        "metadata": parsed(row["metadata"]),
    }
    if not body.with_delimiter:
        return shown
    return {"key": row["path"].split("/")[body.prefix.count("/")], **shown}
