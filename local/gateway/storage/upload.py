"""Bytes in: POST and PUT /object/{bucket}/{key}, and PUT to a signed link.

First the policies are asked whether the row may be written, before a byte is read; then the body
streams into a file; then the row is written, under the same policies, and only with it does the
object exist.
"""

from datetime import UTC, datetime
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage import buckets, rows, rules
from local.gateway.storage.caller import SERVICE, Caller, caller_of, gateway_of
from local.gateway.storage.database import rehearsal, transaction
from local.gateway.storage.errors import StorageError
from local.gateway.storage.files import Files, Written
from local.gateway.storage.incoming import Upload, upload_of
from local.gateway.storage.rows import NewObject, json_response
from local.gateway.storage.signing import UPLOAD, verified_claims


async def create(request: Request) -> Response:
    """POST /object/{bucket}/{key}; replaces what is there only with `x-upsert: true`."""
    caller = caller_of(request)
    replace = request.headers.get("x-upsert") == "true"
    return await _store(request, caller, caller.owner, replace=replace, show_id=True)


async def update(request: Request) -> Response:
    """PUT /object/{bucket}/{key}: replaces it, or makes it."""
    caller = caller_of(request)
    return await _store(request, caller, caller.owner, replace=True, show_id=True)


async def create_signed(request: Request) -> Response:
    """PUT /object/upload/sign/{bucket}/{key}?token=: whoever signed it was allowed to."""
    claims = verified_claims(request, UPLOAD)
    replace = claims.get("upsert") is True
    return await _store(request, SERVICE, claims.get("owner"), replace=replace, show_id=False)


async def _store(
    request: Request, caller: Caller, owner: str | None, *, replace: bool, show_id: bool
) -> Response:
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    key = rules.check_key(request.path_params["key"])
    async with transaction(request, SERVICE) as connection:
        bucket = await buckets.find(connection, bucket_id)
    limit = rules.object_size_limit(key, bucket["file_size_limit"])
    upload = await upload_of(request, key, bucket["allowed_mime_types"], limit)
    asked = NewObject(bucket_id, key, owner, _announced(request, upload), upload.user_metadata)
    await check_allowed(request, caller, asked, replace=replace)
    files = Files(gateway_of(request).storage_folder)
    written = await files.write(asked.version, upload.content, limit)
    metadata = _metadata(upload, written)
    new = NewObject(bucket_id, key, owner, metadata, upload.user_metadata or {}, asked.version)
    row_id = await commit(request, caller, new, replace=replace)
    answer = {"Key": f"{bucket_id}/{key}"}
    return json_response({"Id": row_id, **answer} if show_id else answer)


async def check_allowed(request: Request, caller: Caller, new: NewObject, *, replace: bool) -> None:
    """Raises: 403 or 409 when the row would be refused; nothing stays."""
    async with rehearsal(request, caller) as connection:
        await (rows.upsert if replace else rows.insert)(connection, new)


async def commit(request: Request, caller: Caller, new: NewObject, *, replace: bool) -> Any:
    """Gives the complete file `new.version` its row; the row's id. Removes what it replaces."""
    files = Files(gateway_of(request).storage_folder)
    try:
        row_id, replaced = await rows.write(request, caller, new, replace=replace)
    except asyncpg.PostgresConnectionError:
        raise  # it may have committed: the file stays, and the next start knows
    except (StorageError, asyncpg.PostgresError):
        files.remove([new.version])
        raise
    files.remove([replaced])
    return row_id


def _announced(request: Request, upload: Upload) -> dict[str, Any]:
    """What policies may know of the file before it is there."""
    length = request.headers.get("content-length", "")
    known = {"contentLength": int(length)} if length.isdecimal() else {}
    return {"mimetype": upload.mime_type, **known}


def _metadata(upload: Upload, written: Written) -> dict[str, Any]:
    """The column `metadata` of a stored object."""
    return {
        "eTag": written.etag,
        "size": written.size,
        "mimetype": upload.mime_type,
        "cacheControl": upload.cache_control,
        "lastModified": rows.instant(datetime.now(UTC)),
        "contentLength": written.size,
        "httpStatusCode": 200,
        **({"xRobotsTag": upload.robots} if upload.robots else {}),
    }
