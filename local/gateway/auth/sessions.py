"""Sessions: signing in makes one, refreshing rotates its token, signing out ends it."""

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from local.gateway.auth import users
from local.gateway.auth.errors import AuthError
from local.gateway.context import Gateway

ACCESS_TOKEN_SECONDS = 3600
# Several tabs of one browser refresh at the same moment with the same token.
REUSE_WINDOW = timedelta(seconds=10)
FIND_REFRESH_TOKEN = """
select t.*, u.banned_until > now() as banned, t.updated_at > now() - $2::interval as fresh
from auth.refresh_tokens t
join auth.sessions s on s.id = t.session_id
join auth.users u on u.id = s.user_id
where t.token = $1
for update of t, s
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal whose writes must stay, so it is returned and not raised inside a transaction."""

    error: AuthError


async def sign_in(gateway: Gateway, connection: Any, user: Any) -> dict[str, Any]:
    """A new session for the user: the answer of /token."""
    session_id = uuid4()
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal)"
        " values ($1, $2, now(), now(), 'aal1')",
        session_id,
        user["id"],
    )
    await connection.execute(
        "update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1",
        user["id"],
    )
    refresh_token = await _new_refresh_token(connection, user["id"], session_id, None)
    return await _answer(gateway, connection, user["id"], session_id, refresh_token)


async def refresh(gateway: Gateway, connection: Any, token: str) -> dict[str, Any] | Refused:
    """A new access token, and a new refresh token in exchange for `token`.

    A used token still works while its successor is unused, or within REUSE_WINDOW; after that
    its whole session's tokens are revoked. Raises: AuthError 400.
    """
    row = await connection.fetchrow(FIND_REFRESH_TOKEN, token, REUSE_WINDOW)
    if row is None:
        message = "Invalid Refresh Token: Refresh Token Not Found"
        raise AuthError(400, "refresh_token_not_found", message)
    if row["banned"]:
        raise AuthError(400, "user_banned", "Invalid Refresh Token: User Banned")
    user_id, session_id = UUID(row["user_id"]), row["session_id"]
    successor = await _successor(connection, session_id, token) if row["revoked"] else None
    if successor is None:
        await _revoke_tokens(connection, session_id)
        if row["revoked"] and not row["fresh"]:
            message = "Invalid Refresh Token: Already Used"
            return Refused(AuthError(400, "refresh_token_already_used", message))
        successor = await _new_refresh_token(connection, user_id, session_id, token)
    await connection.execute(
        "update auth.sessions set updated_at = now(), refreshed_at = now() at time zone 'utc'"
        " where id = $1",
        session_id,
    )
    return await _answer(gateway, connection, user_id, session_id, successor)


async def _successor(connection: Any, session_id: UUID, token: str) -> str | None:
    """The session's unused token, when it was given out in exchange for `token`."""
    found: str | None = await connection.fetchval(
        "select token from auth.refresh_tokens"
        " where session_id = $1 and not revoked and parent = $2 order by id desc limit 1",
        session_id,
        token,
    )
    return found


async def sign_out(connection: Any, user_id: UUID, session_id: UUID | None, scope: str) -> None:
    """Ends this session ('local'), the others ('others') or all ('global')."""
    condition = {"local": "id = $2", "others": "id is distinct from $2", "global": "true"}[scope]
    await connection.execute(
        f"delete from auth.sessions where user_id = $1 and ($2::uuid is null or {condition})",
        user_id,
        session_id,
    )


async def _revoke_tokens(connection: Any, session_id: UUID) -> None:
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now()"
        " where session_id = $1 and not revoked",
        session_id,
    )


async def _new_refresh_token(
    connection: Any, user_id: UUID, session_id: UUID, parent: str | None
) -> str:
    token = secrets.token_urlsafe(16)
    await connection.execute(
        "insert into auth.refresh_tokens"
        " (token, user_id, session_id, parent, revoked, created_at, updated_at)"
        " values ($1, $2, $3, $4, false, now(), now())",
        token,
        str(user_id),
        session_id,
        parent,
    )
    return token


async def _answer(
    gateway: Gateway, connection: Any, user_id: UUID, session_id: UUID, refresh_token: str
) -> dict[str, Any]:
    user = await users.get(connection, user_id)
    now = int(time.time())
    claims = {
        "iss": f"{gateway.public_url}/auth/v1",
        "sub": str(user_id),
        "aud": user["aud"],
        "exp": now + ACCESS_TOKEN_SECONDS,
        "iat": now,
        "email": user["email"] or "",
        "phone": user["phone"] or "",
        "app_metadata": orjson.loads(user["raw_app_meta_data"] or "{}"),
        "user_metadata": orjson.loads(user["raw_user_meta_data"] or "{}"),
        "role": user["role"],
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": str(session_id),
        "is_anonymous": user["is_anonymous"],
    }
    return {
        "access_token": gateway.keys.sign_user_token(claims),
        "token_type": "bearer",
        "expires_in": ACCESS_TOKEN_SECONDS,
        "expires_at": now + ACCESS_TOKEN_SECONDS,
        "refresh_token": refresh_token,
        "user": await users.to_json(connection, user),
        "weak_password": None,
    }
