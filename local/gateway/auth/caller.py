"""Who calls /auth/v1: the bearer token's claims, user and session."""

import time
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
    """A signed-in user's row, and of the session `id` and `old`; None in a token without one."""

    user: Any
    session: Any

    @property
    def session_id(self) -> UUID | None:
        return self.session["id"] if self.session else None


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
        claims = gateway_of(request).keys.verify(token.strip())
    except jwt.PyJWTError as error:
        raise _bad_token(str(error)) from error
    # GoTrue forgives nothing where PostgREST forgives seconds.
    if claims.get("exp", float("inf")) < time.time():
        raise _bad_token("token has invalid claims: token is expired")
    return claims


async def caller_of(request: Request, connection: Any) -> Caller:
    """The user the token names. Raises: 400 or 403 bad_jwt, 403 when user or session is gone."""
    claims = claims_of(request)
    if not claims.get("sub"):
        raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
    user = await users.get(connection, _uuid(claims["sub"], "sub", 400))
    if user is None:
        raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
    session = None
    if claims.get("session_id"):
        session = await connection.fetchrow(
            "select id, created_at < now() - interval '1 day' as old"
            " from auth.sessions where id = $1",
            _uuid(claims["session_id"], "session_id", 403),
        )
        if session is None:
            message = "Session from session_id claim in JWT does not exist"
            raise AuthError(403, "session_not_found", message)
    if user["banned"]:
        raise AuthError(403, "user_banned", "User is banned")
    return Caller(user, session)


def require_admin(request: Request) -> None:
    """Raises: 403 not_admin unless the token's role is service_role."""
    if claims_of(request).get("role") not in ("service_role", "supabase_admin"):
        raise AuthError(403, "not_admin", "User not allowed")


def _bad_token(why: str) -> AuthError:
    message = f"invalid JWT: unable to parse or verify signature, {why}"
    return AuthError(403, "bad_jwt", message)


def _uuid(text: object, claim: str, status: int) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        message = f"invalid claim: {claim} claim must be a UUID"
        raise AuthError(status, "bad_jwt", message) from None
