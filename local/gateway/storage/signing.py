"""Links that need no key: a token that names one object and one thing to do with it.

Tokens are HS256 JWTs under a secret of their own: {"url": "bucket/key", "scope", "iat", "exp"},
and for uploads also {"owner", "upsert"}.
"""

import time
from typing import Any

import jwt
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.storage import rows, rules
from local.gateway.storage.bodies import Sign, SignMany, body_of
from local.gateway.storage.caller import caller_of, gateway_of, reason
from local.gateway.storage.database import transaction
from local.gateway.storage.errors import (
    invalid_jwt,
    invalid_parameter,
    invalid_shape,
    invalid_signature,
)
from local.gateway.storage.rows import json_response

DOWNLOAD, UPLOAD = "download", "upload"
# JavaScript counts milliseconds up to this number exactly.
LATEST_SECOND = (2**53 - 1) // 1000
NOT_FOUND = "Either the object does not exist or you do not have access to it"


async def sign(request: Request) -> Response:
    """POST /object/sign/{bucket}/{key}: a link to read it, for whoever may read it."""
    body = await body_of(request, Sign)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    key = rules.check_key(request.path_params["key"])
    async with transaction(request, caller) as connection:
        await rows.find(connection, bucket_id, key)
    return json_response({"signedURL": _link(request, f"{bucket_id}/{key}", body.expiresIn)})


async def sign_many(request: Request) -> Response:
    """POST /object/sign/{bucket}: one entry for each path, with an error or a link."""
    body = await body_of(request, SignMany)
    caller = caller_of(request)
    bucket_id = rules.check_bucket_name(request.path_params["bucket"])
    async with transaction(request, caller) as connection:
        found = await connection.fetch(
            "select name from storage.objects where bucket_id = $1 and name = any ($2::text[])",
            bucket_id,
            body.paths,
        )
    names = {row["name"] for row in found}
    return json_response(
        [
            {
                "error": None if path in names else NOT_FOUND,
                "path": path,
                "signedURL": _link(request, f"{bucket_id}/{path}", body.expiresIn)
                if path in names
                else None,
            }
            for path in body.paths
        ]
    )


def token_for(request: Request, url: str, scope: str, seconds: int, **claims: Any) -> str:
    """A token for `url`, the bucket and the key. Raises: 400 for a life beyond all clocks."""
    now = int(time.time())
    if now + seconds > LATEST_SECOND:
        raise invalid_parameter("expiresIn")
    content = {**claims, "url": url, "scope": scope, "iat": now, "exp": now + seconds}
    return jwt.encode(content, gateway_of(request).keys.storage_secret, algorithm="HS256")


def verified_claims(request: Request, scope: str) -> dict[str, Any]:
    """The claims of ?token=, when it is good for the request's object and for `scope`.

    Raises: 400 without one, 400 InvalidJWT when damaged or expired, 400 InvalidSignature when it
    is for something else.
    """
    token = request.query_params.get("token")
    if token is None:
        raise invalid_shape("querystring must have required property 'token'")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            gateway_of(request).keys.storage_secret,
            algorithms=["HS256"],
            options={"require": ["exp"]},
        )
    except jwt.PyJWTError as error:
        raise invalid_jwt(reason(error)) from error
    unscoped = UPLOAD if "upsert" in claims else DOWNLOAD  # links of older projects say no more
    if claims.get("scope", unscoped) != scope:
        raise invalid_signature(f"Token is not scoped for {scope}")
    if claims.get("url") != f"{request.path_params['bucket']}/{request.path_params['key']}":
        raise invalid_signature()
    return claims


def _link(request: Request, url: str, seconds: int) -> str:
    return f"/object/sign/{url}?token={token_for(request, url, DOWNLOAD, seconds)}"
