"""Sessions: signing in makes one, refreshing rotates its token, signing out ends it."""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from local.gateway.auth import users
from local.gateway.auth.errors import AuthError, invalid
from local.gateway.context import Gateway

TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
TOKEN = re.compile(r"[a-z0-9]{12}")
# A token is fresh while several tabs of one browser may refresh with it at the same moment.
FIND_REFRESH_TOKEN = """
select t.*, t.updated_at > now() - $2::interval as fresh,
  s.not_after < now() or s.created_at + $3::interval < now() as expired,
  coalesce(s.refreshed_at at time zone 'utc', greatest(t.updated_at, s.created_at))
    + $4::interval < now() as idle
from auth.refresh_tokens t
join auth.sessions s on s.id = t.session_id
where t.token = $1
for update of t, s
"""
REVOKE = "update auth.refresh_tokens set revoked = true, updated_at = now()"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal whose writes must stay, so it is returned and not raised inside a transaction."""

    error: AuthError


async def sign_in(gateway: Gateway, connection: Any, user_id: UUID) -> dict[str, Any]:
    """A new session for the user: the answer of /token."""
    session_id = uuid4()
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal)"
        " values ($1, $2, now(), now(), 'aal1')",
        session_id,
        user_id,
    )
    await connection.execute(
        "update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1", user_id
    )
    refresh_token = await _new_refresh_token(connection, user_id, session_id, None)
    return await _answer(gateway, connection, user_id, session_id, refresh_token)


async def refresh(gateway: Gateway, connection: Any, token: str) -> dict[str, Any] | Refused:
    """A new access token, and a new refresh token in exchange for `token`.

    A used token still works while its successor is unused, or within the project's reuse interval;
    after that its whole session's tokens are revoked. Raises: AuthError 400.
    """
    config = gateway.auth
    if not TOKEN.fullmatch(token):
        raise invalid("Refresh token is not valid")
    row = await connection.fetchrow(
        FIND_REFRESH_TOKEN,
        token,
        timedelta(seconds=config.refresh_token_reuse_interval),
        config.session_timebox,
        config.session_inactivity_timeout,
    )
    if row is None:
        message = "Invalid Refresh Token: Refresh Token Not Found"
        raise AuthError(400, "refresh_token_not_found", message)
    user_id, session_id = UUID(row["user_id"]), row["session_id"]
    if (await users.get(connection, user_id))["banned"]:
        raise AuthError(400, "user_banned", "Invalid Refresh Token: User Banned")
    if row["expired"] or row["idle"]:
        why = "Session Expired" if row["expired"] else "Session Expired (Inactivity)"
        raise AuthError(400, "session_expired", f"Invalid Refresh Token: {why}")
    successor = await _successor(connection, session_id, token) if row["revoked"] else None
    if successor is None and row["revoked"] and not row["fresh"]:
        if config.enable_refresh_token_rotation:
            await connection.execute(f"{REVOKE} where session_id = $1 and not revoked", session_id)
        message = "Invalid Refresh Token: Already Used"
        return Refused(AuthError(400, "refresh_token_already_used", message))
    if successor is None:
        await connection.execute(f"{REVOKE} where id = $1", row["id"])
        successor = await _new_refresh_token(connection, user_id, session_id, token)
    await connection.execute(
        "update auth.sessions set updated_at = now(), refreshed_at = now() at time zone 'utc'"
        " where id = $1",
        session_id,
    )
    return await _answer(gateway, connection, user_id, session_id, successor)


async def _successor(connection: Any, session_id: UUID, token: str) -> str | None:
    """The session's unused token, when it was given out in exchange for `token`."""
    active = await connection.fetchrow(
        "select token, parent from auth.refresh_tokens"
        " where session_id = $1 and not revoked order by id desc limit 1",
        session_id,
    )
    return active["token"] if active and active["parent"] == token else None


async def sign_out(connection: Any, user_id: UUID, session_id: UUID | None, scope: str) -> None:
    """Ends this session ('local'), the others ('others') or all ('global')."""
    condition = {"local": "id = $2", "others": "id is distinct from $2", "global": "true"}[scope]
    await connection.execute(
        f"delete from auth.sessions where user_id = $1 and ($2::uuid is null or {condition})",
        user_id,
        session_id,
    )


async def _new_refresh_token(
    connection: Any, user_id: UUID, session_id: UUID, parent: str | None
) -> str:
    token = "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(12))
    await connection.execute(
        "insert into auth.refresh_tokens (instance_id, token, user_id, session_id, parent,"
        " revoked, created_at, updated_at) values ($1, $2, $3, $4, $5, false, now(), now())",
        UUID(int=0),
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
    began_at = await connection.fetchval(
        "select floor(extract(epoch from created_at))::bigint from auth.sessions where id = $1",
        session_id,
    )
    method = "anonymous" if user["is_anonymous"] else "password"
    now, life = int(time.time()), gateway.auth.jwt_expiry
    claims = {
        "iss": f"{gateway.public_url}/auth/v1",
        "sub": str(user_id),
        "aud": user["aud"],
        "exp": now + life,
        "iat": now,
        "email": user["email"] or "",
        "phone": user["phone"] or "",
        "app_metadata": orjson.loads(user["raw_app_meta_data"] or "{}"),
        "user_metadata": orjson.loads(user["raw_user_meta_data"] or "{}"),
        "role": user["role"],
        "aal": "aal1",
        "amr": [{"method": method, "timestamp": began_at}],
        "session_id": str(session_id),
        "is_anonymous": user["is_anonymous"],
    }
    return {
        "access_token": gateway.keys.sign_user_token(claims),
        "token_type": "bearer",
        "expires_in": life,
        "expires_at": now + life,
        "refresh_token": refresh_token,
        "user": await users.to_json(connection, user),
    }
