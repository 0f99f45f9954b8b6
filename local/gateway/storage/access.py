"""Who may read an object: four ways to it, each of which finds its row or refuses."""

from typing import Any

from starlette.requests import Request

from local.gateway.storage import buckets, rows, rules
from local.gateway.storage.caller import ANONYMOUS, SERVICE, Caller, caller_of, caller_or_anonymous
from local.gateway.storage.database import act_as, transaction
from local.gateway.storage.errors import no_such_bucket
from local.gateway.storage.signing import DOWNLOAD, verified_claims


async def by_policy(request: Request) -> Any:
    """/object/authenticated/…: the policies decide."""
    return await _row(request, caller_of(request))


async def by_policy_or_public(request: Request) -> Any:
    """/object/…: the policies decide; public buckets are open to everybody."""
    return await _row(request, caller_or_anonymous(request))


async def by_public_bucket(request: Request) -> Any:
    """/object/public/…: only what lies in a public bucket."""
    return await _row(request, ANONYMOUS)


async def by_token(request: Request) -> Any:
    """/object/sign/…: the token in the link decides; its expiry is noted for the answer."""
    request.state.expires = verified_claims(request, DOWNLOAD)["exp"]
    async with transaction(request, SERVICE) as connection:
        key = rules.check_key(request.path_params["key"])
        return await rows.find(connection, request.path_params["bucket"], key)


async def _row(request: Request, caller: Caller) -> Any:
    async with transaction(request, SERVICE) as connection:
        bucket = await buckets.find(connection, request.path_params["bucket"])
        if not bucket["public"]:
            if not caller.signed_in:
                raise no_such_bucket()
            await act_as(connection, request, caller)
        return await rows.find(
            connection, bucket["id"], rules.check_key(request.path_params["key"])
        )
