"""Who calls /auth/v1: the bearer token's claims, user and session."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from starlette.requests import Request

from local.gateway.auth import users
from local.gateway.auth.errors import AuthError
from local.gateway.context import Gateway


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user's row and the session the token belongs to."""

    user: Any
    session_id: UUID | None


def gateway_of(request: Request) -> Gateway:
    """The gateway behind the request."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def claims_of(request: Request) -> dict[str, Any]:
    """The verified claims. Raises: 401 no_authorization, 403 bad_jwt."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "This endpoint requires a valid Bearer token"
        raise AuthError(401, "no_authorization", message)
    try:
        return gateway_of(request).keys.verify(token.strip())
    except jwt.PyJWTError as error:
        message = f"invalid JWT: unable to parse or verify signature, {error}"
        raise AuthError(403, "bad_jwt", message) from error


async def caller_of(request: Request, connection: Any) -> Caller:
    """The user the token names. Raises: 403 bad_jwt, user_not_found, session_not_found."""
    claims = claims_of(request)
    if not claims.get("sub"):
        raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
    user = await users.get(connection, _uuid(claims["sub"], "sub"))
    if user is None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    session_id = None
    if claims.get("session_id"):
        session_id = _uuid(claims["session_id"], "session_id")
        if not await connection.fetchval(
            "select exists (select from auth.sessions where id = $1)", session_id
        ):
            message = "Session from session_id claim in JWT does not exist"
            raise AuthError(403, "session_not_found", message)
    if await connection.fetchval("select $1::timestamptz > now()", user["banned_until"]):
        raise AuthError(403, "user_banned", "User is banned")
    return Caller(user, session_id)


def require_admin(request: Request) -> None:
    """Raises: 403 not_admin unless the token's role is service_role."""
    if claims_of(request).get("role") not in ("service_role", "supabase_admin"):
        raise AuthError(403, "not_admin", "User not allowed")


def _uuid(text: object, claim: str) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        message = f"invalid claim: {claim} claim must be a UUID"
        raise AuthError(403, "bad_jwt", message) from None
