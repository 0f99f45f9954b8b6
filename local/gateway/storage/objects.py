"""What is done with objects as a whole: copy, move, delete, a link to upload."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage import rows, rules
from local.gateway.storage.bodies import MAXIMUM_OBJECTS, Copy, Move, Prefixes, body_of
from local.gateway.storage.caller import SERVICE, caller_of, gateway_of
from local.gateway.storage.database import act_as, transaction
from local.gateway.storage.errors import access_denied, invalid_request, no_such_key
from local.gateway.storage.files import Files
from local.gateway.storage.incoming import header_metadata
from local.gateway.storage.rows import NewObject, json_response
from local.gateway.storage.signing import UPLOAD, token_for
from local.gateway.storage.upload import check_allowed, commit

# What the documentation promises of links to upload: two hours.
UPLOAD_LINK_SECONDS = 7200


async def copy(request: Request) -> Response:
    """POST /object/copy: the same bytes under another key; replaces only with `x-upsert: true`."""
    body = await body_of(request, Copy)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(body.bucketId)
    target = rules.check_bucket_name(body.destinationBucket or bucket_id)
    key = rules.check_key(body.destinationKey)
    async with transaction(request, caller) as connection:
        source = await rows.find(connection, bucket_id, body.sourceKey)
    metadata = rows.parsed(source["metadata"]) or {}
    user_metadata = rows.parsed(source["user_metadata"])
    if not body.copyMetadata:
        metadata |= body.metadata.model_dump(exclude_none=True)
        user_metadata = header_metadata(request)
    new = NewObject(target, key, caller.owner, metadata, user_metadata)
    replace = request.headers.get("x-upsert") == "true"
    await check_allowed(request, caller, new, replace=replace)
    Files(gateway_of(request).storage_folder).copy(source["version"], new.version)
    row_id = await commit(request, caller, new, replace=replace)
    async with transaction(request, SERVICE) as connection:
        made = rows.to_json(await rows.find(connection, target, key))
    return json_response({"Id": row_id, "Key": f"{target}/{key}", **made})


async def move(request: Request) -> Response:
    """POST /object/move: another key, perhaps another bucket; the bytes stay where they are."""
    body = await body_of(request, Move)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(body.bucketId)
    target = rules.check_bucket_name(body.destinationBucket or bucket_id)
    key = rules.check_key(body.destinationKey)
    async with transaction(request, caller) as connection:
        await rows.find(connection, bucket_id, body.sourceKey)
        moved = await connection.fetchval(
            "update storage.objects set bucket_id = $3, name = $4"
            " where bucket_id = $1 and name = $2 returning id",
            bucket_id,
            body.sourceKey,
            target,
            key,
        )
        if moved is None:
            raise no_such_key()
    return json_response({"message": "Successfully moved"})


async def delete(request: Request) -> Response:
    """DELETE /object/{bucket}/{key}. Raises: 404 when there is none, 403 when it may not be."""
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    key = request.path_params["key"]
    async with transaction(request, SERVICE) as connection:
        await rows.find(connection, bucket_id, key if rules.KEY.fullmatch(key) else "")
        await act_as(connection, request, caller)
        removed = await _delete(connection, bucket_id, [key])
        if not removed:
            raise access_denied("Access denied")
    Files(gateway_of(request).storage_folder).remove(row["version"] for row in removed)
    return json_response({"message": "Successfully deleted"})


async def delete_many(request: Request) -> Response:
    """DELETE /object/{bucket}: those of the keys that the caller may delete."""
    body = await body_of(request, Prefixes)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    if len(body.prefixes) > MAXIMUM_OBJECTS:
        message = f"Bulk object requests are limited to {MAXIMUM_OBJECTS} objects per request."
        raise invalid_request(message)
    async with transaction(request, caller) as connection:
        removed = await _delete(connection, bucket_id, body.prefixes)
    Files(gateway_of(request).storage_folder).remove(row["version"] for row in removed)
    return json_response([rows.to_json(row) for row in removed])


async def sign_upload(request: Request) -> Response:
    """POST /object/upload/sign/{bucket}/{key}: a link for somebody else, checked now."""
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    key = rules.check_key(request.path_params["key"])
    replace = request.headers.get("x-upsert") == "true"
    metadata = {"mimetype": request.headers.get("content-type")}
    new = NewObject(bucket_id, key, caller.owner, metadata, header_metadata(request))
    await check_allowed(request, caller, new, replace=replace)
    url = f"{bucket_id}/{key}"
    claims = {"owner": caller.owner, "upsert": replace}
    token = token_for(request, url, UPLOAD, UPLOAD_LINK_SECONDS, **claims)
    return json_response({"url": f"/object/upload/sign/{url}?token={token}", "token": token})


async def _delete(connection: Any, bucket_id: str, keys: list[str]) -> list[Any]:
    removed: list[Any] = await connection.fetch(
        "delete from storage.objects where bucket_id = $1 and name = any ($2::text[]) returning *",
        bucket_id,
        keys,
    )
    return removed
