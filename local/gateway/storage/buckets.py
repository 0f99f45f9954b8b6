"""/bucket: folders of the first level, each with its own limits; RLS on storage.buckets decides."""

import re
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage import rules
from local.gateway.storage.bodies import BucketChange, BucketQuery, NewBucket, body_of, query_of
from local.gateway.storage.caller import SERVICE, caller_of, gateway_of, require_service
from local.gateway.storage.database import act_as, transaction
from local.gateway.storage.errors import (
    already_exists,
    bucket_not_empty,
    invalid_shape,
    no_such_bucket,
    not_served,
)
from local.gateway.storage.files import Files
from local.gateway.storage.rows import json_response, uuid_or_none

FIND = "select * from storage.buckets where id = $1"
INSERT = """
insert into storage.buckets
  (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
values ($1, $2, $3, $4, $5, $6, $7)
"""
LIST = r"""
select * from storage.buckets
where name ilike '%' || regexp_replace($1, '([\\%_])', '\\\1', 'g') || '%'
"""
SHOWN = ("id", "name", "public", "file_size_limit", "allowed_mime_types", "created_at")
# Python clients before these fail on a bucket's type.
OLD_CLIENTS = (
    ("x-client-info", re.compile(r"supabase-py/(\d+)\.(\d+)"), (2, 18)),
    ("user-agent", re.compile(r"supabase-py/storage3 v(\d+)\.(\d+)\.(\d+)"), (0, 12, 1)),
)


async def find(connection: Any, bucket_id: str) -> Any:
    """The row. Raises: 404 when there is none that the caller may see."""
    if not rules.BUCKET_NAME.fullmatch(bucket_id):
        raise no_such_bucket()
    row = await connection.fetchrow(FIND, bucket_id)
    if row is None:
        raise no_such_bucket()
    return row


async def create(request: Request) -> Response:
    """POST /bucket."""
    body = await body_of(request, NewBucket)
    caller = caller_of(request)
    rules.check_new_bucket_name(body.name)
    if body.type != "STANDARD":
        raise not_served("Analytics buckets are")
    values = _limits(body.file_size_limit, body.allowed_mime_types)
    try:
        async with transaction(request, caller) as connection:
            await connection.execute(
                INSERT,
                rules.check_new_bucket_name(body.id or body.name),
                body.name,
                uuid_or_none(caller.owner),
                caller.owner,
                body.public,
                *values,
            )
    except asyncpg.UniqueViolationError:
        raise already_exists("BucketAlreadyExists") from None
    return json_response({"name": body.name})


async def get(request: Request) -> Response:
    """GET /bucket/{id}."""
    caller = caller_of(request)
    async with transaction(request, caller) as connection:
        return json_response(_shown(await find(connection, request.path_params["bucket"])))


async def list_all(request: Request) -> Response:
    """GET /bucket?search=&sortColumn=&sortOrder=&limit=&offset=: those the caller may see."""
    query = query_of(request, BucketQuery)
    caller = caller_of(request)
    order = f"order by {query.sortColumn} {query.sortOrder}" if query.sortColumn else ""
    async with transaction(request, caller) as connection:
        found = await connection.fetch(
            f"{LIST} {order} limit $2 offset $3", query.search, query.limit, query.offset
        )
    if _is_old(request):
        return json_response([_shown(row) for row in found])
    return json_response([{**_shown(row), "type": row["type"]} for row in found])


async def update(request: Request) -> Response:
    """PUT /bucket/{id}."""
    body = await body_of(request, BucketChange)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    sent = body.model_fields_set
    if not sent:
        raise invalid_shape("body must have one of public, file_size_limit, allowed_mime_types")
    limit, types = _limits(body.file_size_limit, body.allowed_mime_types)
    async with transaction(request, caller) as connection:
        updated = await connection.execute(
            "update storage.buckets set public = coalesce($2, public),"
            " file_size_limit = case when $3 then $4 else file_size_limit end,"
            " allowed_mime_types = case when $5 then $6::text[] else allowed_mime_types end"
            " where id = $1",
            bucket_id,
            body.public,
            "file_size_limit" in sent,
            limit,
            "allowed_mime_types" in sent,
            types,
        )
    if updated == "UPDATE 0":
        raise no_such_bucket()
    return json_response({"message": "Successfully updated"})


async def delete(request: Request) -> Response:
    """DELETE /bucket/{id}, which has to be empty."""
    caller = caller_of(request)
    bucket_id = request.path_params["bucket"]
    async with transaction(request, SERVICE) as connection:
        await find(connection, bucket_id)
        if await connection.fetchval(
            "select exists (select from storage.objects where bucket_id = $1)", bucket_id
        ):
            raise bucket_not_empty()
        await act_as(connection, request, caller)
        if await connection.execute("delete from storage.buckets where id = $1", bucket_id) == (
            "DELETE 0"
        ):
            raise no_such_bucket()
    return json_response({"message": "Successfully deleted"})


async def empty(request: Request) -> Response:
    """POST /bucket/{id}/empty: it is empty when the answer comes; hosted projects only queue it."""
    caller = require_service(request)
    bucket_id = request.path_params["bucket"]
    async with transaction(request, caller) as connection:
        await find(connection, bucket_id)
        removed = await connection.fetch(
            "delete from storage.objects where bucket_id = $1 returning version", bucket_id
        )
    Files(gateway_of(request).storage_folder).remove(row["version"] for row in removed)
    message = "Empty bucket has been queued. Completion may take up to an hour."
    return json_response({"message": message})


def _limits(size: int | str | None, types: list[str] | None) -> tuple[int | None, Any]:
    """file_size_limit and allowed_mime_types as they are stored."""
    return (
        None if size is None else rules.size_limit(size),
        None if types is None else rules.check_allowed_mime_types(types),
    )


def _shown(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in SHOWN}
    return {**shown, "updated_at": row["updated_at"], "owner": str(row["owner"] or "")}


def _is_old(request: Request) -> bool:
    for header, pattern, first in OLD_CLIENTS:
        match = pattern.search(request.headers.get(header, ""))
        if match and tuple(int(part) for part in match.groups()) < first:
            return True
    return False
