"""Users: rows of auth.users and auth.identities, and the JSON clients see."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from local.gateway.auth.errors import invalid

# As browsers check an <input type="email">: no dot is needed, nothing but ASCII is allowed.
LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*")
PHONE = re.compile(r"[1-9][0-9]{1,14}")
TIMES = (
    "invited_at", "email_confirmed_at", "phone_confirmed_at", "confirmed_at", "last_sign_in_at",
    "confirmation_sent_at", "banned_until", "created_at", "updated_at", "deleted_at",
)  # fmt: skip

INSERT_USER = """
insert into auth.users (instance_id, id, aud, role, email, phone, encrypted_password,
  raw_app_meta_data, raw_user_meta_data, is_anonymous, created_at, updated_at,
  confirmation_token, recovery_token, email_change_token_new, email_change)
values ('00000000-0000-0000-0000-000000000000', $1, 'authenticated', $2, $3, $4, $5,
  $6, $7, $8, now(), now(), '', '', '', '')
"""
# `data` of a sign-up stands in the identity too, but cannot replace what identifies it.
PUT_IDENTITY = """
insert into auth.identities
  (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values ($1::uuid::text, $1, $4::jsonb || jsonb_build_object(
    'sub', $1::uuid::text, $2::text, $3::text, 'email_verified', false, 'phone_verified', false),
  $2, now(), now(), now())
on conflict (provider_id, provider) do update
  set identity_data = identities.identity_data || jsonb_build_object($2::text, $3::text),
    updated_at = now()
"""
CONFIRM = {
    "email": "email_confirmed_at = now(), confirmation_token = '', raw_user_meta_data ="
    " coalesce(raw_user_meta_data, '{}') || '{\"email_verified\": true}'",
    "phone": "phone_confirmed_at = now(), confirmation_token = ''",
}
# Names give way to a hash, so that they are free and cannot be read; the id stays what rows of the
# project refer to.
SOFT_DELETE = """
with hidden as (
  select id, encode(sha256(convert_to(id || coalesce(email, ''), 'utf8')), 'hex') as email,
    left(encode(sha256(convert_to(id || coalesce(phone, ''), 'utf8')), 'hex'), 15) as phone
  from auth.users where id = $1
), identity as (
  update auth.identities set identity_data = '{}', updated_at = now(),
    provider_id = encode(sha256(convert_to(user_id || provider || provider_id, 'utf8')), 'hex')
  where user_id = $1
), session as (
  delete from auth.sessions where user_id = $1
)
update auth.users set email = hidden.email, phone = hidden.phone, encrypted_password = null,
  raw_user_meta_data = '{}', raw_app_meta_data = '{}', deleted_at = now()
from hidden where users.id = hidden.id and deleted_at is null
"""


@asynccontextmanager
async def transaction(pool: Any) -> AsyncIterator[Any]:
    """A transaction as supabase_auth_admin: a project's triggers on auth.users run as it."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role supabase_auth_admin")
        yield connection


def clean_email(email: str) -> str:
    """The address in lower case. Raises validation_failed."""
    if len(email) > 255:
        raise invalid("An email address is too long")
    if not EMAIL.fullmatch(email):
        raise invalid("Unable to validate email address: invalid format")
    return email.lower()


def clean_phone(phone: str) -> str:
    """The number as digits. Raises validation_failed."""
    digits = phone.removeprefix("+").replace(" ", "")
    if not PHONE.fullmatch(digits):
        raise invalid("Invalid phone number format (E.164 required)")
    return digits


async def create(
    connection: Any,
    *,
    names: dict[str, str],
    password_hash: str | None,
    user_metadata: dict[str, Any],
    app_metadata: dict[str, Any] | None = None,
    identity_data: dict[str, Any] | None = None,
    user_id: UUID | None = None,
    role: str = "authenticated",
) -> UUID:
    """A user who is not confirmed; the id. `names` is {"email": ..., "phone": ...}, or neither.

    Without names the user is anonymous. Raises asyncpg.UniqueViolationError when a name or the id
    is taken.
    """
    user_id = user_id or uuid4()
    providers = {"provider": next(iter(names)), "providers": [*names]} if names else {}
    await connection.execute(
        INSERT_USER,
        user_id,
        role,
        names.get("email"),
        names.get("phone"),
        password_hash,
        orjson.dumps(_without_nulls({**providers, **(app_metadata or {})})).decode(),
        orjson.dumps(user_metadata).decode(),
        not names,
    )
    for provider, name in names.items():
        await put_identity(connection, user_id, provider, name, identity_data)
    return user_id


async def put_identity(
    connection: Any, user_id: UUID, provider: str, name: str, data: dict[str, Any] | None = None
) -> None:
    """Makes the user's identity for `provider` ("email" or "phone"), or moves it to `name`."""
    content = orjson.dumps(data or {}).decode()
    await connection.execute(PUT_IDENTITY, user_id, provider, name, content)


async def confirm(connection: Any, user_id: UUID, provider: str) -> None:
    """The user's e-mail address or phone number counts as verified."""
    await connection.execute(
        f"update auth.users set {CONFIRM[provider]}, updated_at = now() where id = $1", user_id
    )


async def get(connection: Any, user_id: UUID) -> Any:
    """The row with `banned`, or None."""
    return await connection.fetchrow(
        "select *, coalesce(banned_until > now(), false) as banned from auth.users where id = $1",
        user_id,
    )


async def find(connection: Any, email: str) -> Any:
    """The row with this address, or None."""
    user_id = await connection.fetchval(
        "select id from auth.users where email = $1 and not is_sso_user", email.lower()
    )
    return user_id and await get(connection, user_id)


async def merge_metadata(
    connection: Any, row: Any, column: str, change: dict[str, Any] | None
) -> None:
    """Adds keys to the user's raw_user_meta_data or raw_app_meta_data; a null removes its key."""
    if change is None:
        return
    merged = _without_nulls({**orjson.loads(row[column] or "{}"), **change})
    await update(connection, row["id"], column, orjson.dumps(merged).decode())


async def update(connection: Any, user_id: UUID, column: str, value: Any) -> None:
    """Sets one column of the user, which is a name of ours and never the caller's."""
    await connection.execute(
        f"update auth.users set {column} = $2, updated_at = now() where id = $1", user_id, value
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


def rfc3339(moment: datetime) -> str:
    """As Go prints it: 2026-11-20T12:00:00.123456Z."""
    return moment.isoformat().replace("+00:00", "Z")


def _without_nulls(metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if value is not None}


def _identity(row: Any) -> dict[str, Any]:
    identity = {
        "identity_id": str(row["id"]),
        "id": row["provider_id"],
        "user_id": str(row["user_id"]),
        "identity_data": orjson.loads(row["identity_data"]),
        "provider": row["provider"],
        "last_sign_in_at": rfc3339(row["last_sign_in_at"]),
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]),
    }
    return identity | ({"email": row["email"]} if row["email"] else {})
