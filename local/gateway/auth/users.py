"""Users: rows of auth.users and auth.identities, and the JSON clients see."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from local.gateway.auth.errors import AuthError, invalid

EMAIL = re.compile(r"[^@\s\"<>]+@[^@\s\"<>]+\.[^@\s\"<>]+")
TIMES = (
    "invited_at", "email_confirmed_at", "phone_confirmed_at", "confirmed_at", "last_sign_in_at",
    "banned_until", "created_at", "updated_at",
)  # fmt: skip

INSERT_USER = """
insert into auth.users (instance_id, id, aud, role, email, encrypted_password,
  email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at,
  confirmation_token, recovery_token, email_change_token_new, email_change)
values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', $2, $3, $4,
  case when $5 then now() end, $6, $7, now(), now(), '', '', '', '')
"""
INSERT_IDENTITY = """
insert into auth.identities
  (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values ($1, $2, $3, 'email', now(), now(), now())
"""


@asynccontextmanager
async def transaction(pool: Any) -> AsyncIterator[Any]:
    """A transaction as supabase_auth_admin: a project's triggers on auth.users run as it."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role supabase_auth_admin")
        yield connection


def clean_email(email: object) -> str:
    """The address in lower case. Raises validation_failed."""
    if not isinstance(email, str) or not email:
        raise invalid("An email address is required")
    if len(email) > 255 or not EMAIL.fullmatch(email):
        raise invalid("Unable to validate email address: invalid format")
    return email.lower()


async def create(
    connection: Any,
    *,
    email: str,
    password_hash: str,
    confirmed: bool,
    user_metadata: dict[str, Any],
    app_metadata: dict[str, Any],
    user_id: UUID | None = None,
    role: str = "authenticated",
) -> Any:
    """The new row. Raises asyncpg.UniqueViolationError when the address or id is taken."""
    user_id = user_id or uuid4()
    facts = {"provider": "email", "providers": ["email"], **app_metadata}
    await connection.execute(
        INSERT_USER,
        user_id,
        role,
        email,
        password_hash,
        confirmed,
        orjson.dumps(facts).decode(),
        orjson.dumps(user_metadata).decode(),
    )
    verified = {"email_verified": False, "phone_verified": False}
    identity = {"sub": str(user_id), "email": email, **verified}
    await connection.execute(
        INSERT_IDENTITY, str(user_id), user_id, orjson.dumps(identity).decode()
    )
    return await get(connection, user_id)


async def get(connection: Any, user_id: UUID) -> Any:
    """The row, or None."""
    return await connection.fetchrow("select * from auth.users where id = $1", user_id)


async def find(connection: Any, email: str) -> Any:
    """The row with this address, or None."""
    return await connection.fetchrow(
        "select * from auth.users where email = $1 and not is_sso_user", email
    )


async def merge_metadata(
    connection: Any, row: Any, *, user: dict[str, Any] | None, app: dict[str, Any] | None
) -> None:
    """Adds keys to the metadata of the user `row`; a key whose value is null is removed."""
    for column, change in (("raw_user_meta_data", user), ("raw_app_meta_data", app)):
        if change is None:
            continue
        if not isinstance(change, dict):
            raise invalid("metadata must be an object")
        merged = {**orjson.loads(row[column] or "{}"), **change}
        kept = {key: value for key, value in merged.items() if value is not None}
        await connection.execute(
            f"update auth.users set {column} = $2, updated_at = now() where id = $1",
            row["id"],
            orjson.dumps(kept).decode(),
        )


async def set_password(connection: Any, user_id: UUID, password_hash: str) -> None:
    """Replaces the hash; which sessions end is the caller's matter."""
    await connection.execute(
        "update auth.users set encrypted_password = $2, updated_at = now() where id = $1",
        user_id,
        password_hash,
    )


async def to_json(connection: Any, row: Any) -> dict[str, Any]:
    """The user as clients see it; absent values are left out, as GoTrue does."""
    identities = await connection.fetch(
        "select * from auth.identities where user_id = $1 order by created_at", row["id"]
    )
    user: dict[str, Any] = {
        "id": str(row["id"]),
        "aud": row["aud"],
        "role": row["role"],
        "email": row["email"] or "",
        "phone": row["phone"] or "",
        "app_metadata": orjson.loads(row["raw_app_meta_data"] or "{}"),
        "user_metadata": orjson.loads(row["raw_user_meta_data"] or "{}"),
        "identities": [_identity(identity) for identity in identities],
        "is_anonymous": row["is_anonymous"],
    }
    user.update({name: rfc3339(row[name]) for name in TIMES if row[name] is not None})
    return user


def refuse_duplicate(error: asyncpg.PostgresError) -> AuthError:
    """The answer when an insert failed: a taken address, or a project's trigger that raised."""
    if isinstance(error, asyncpg.UniqueViolationError):
        message = "A user with this email address has already been registered"
        return AuthError(422, "email_exists", message)
    return AuthError(500, "unexpected_failure", "Database error creating new user")


def rfc3339(moment: datetime) -> str:
    """As Go prints it: 2026-11-20T12:00:00.123456Z."""
    return moment.isoformat().replace("+00:00", "Z")


def _identity(row: Any) -> dict[str, Any]:
    return {
        "identity_id": str(row["id"]),
        "id": row["provider_id"],
        "user_id": str(row["user_id"]),
        "identity_data": orjson.loads(row["identity_data"]),
        "provider": row["provider"],
        "last_sign_in_at": rfc3339(row["last_sign_in_at"]),
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]),
        "email": row["email"],
    }
