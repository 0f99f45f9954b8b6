"""/auth/v1/admin/users: what service_role may do with users."""

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth import passwords, sessions, users
from local.gateway.auth.body import field, fields, json_response, text
from local.gateway.auth.caller import gateway_of, require_admin
from local.gateway.auth.durations import parse_duration
from local.gateway.auth.errors import AuthError, invalid, not_served

METADATA = {"user_metadata": "raw_user_meta_data", "app_metadata": "raw_app_meta_data"}
FILTERED = """
from auth.users
where aud = 'authenticated'
  and ($1 = '' or email like '%' || $1 || '%'
    or raw_user_meta_data ->> 'full_name' ilike '%' || $1 || '%')
"""


async def create_user(request: Request) -> Response:
    """POST: a user with any of id, email, phone, password, metadata, role, ban; or confirmed."""
    require_admin(request)
    body = await fields(request)
    names = _names(body)
    if not names:
        raise invalid("Cannot create a user without either an email or phone")
    if field(body, "password", str) is not None and text(body, "password_hash"):
        raise invalid("Only a password or a password hash should be provided")
    if text(body, "password_hash"):
        raise not_served("Importing password hashes")
    password = text(body, "password") or secrets.token_urlsafe(48)
    passwords.check_length(password, "bcrypt: password length exceeds 72 bytes")
    wanted_id, ban = _wanted_id(body), _ban(body)
    password_hash = await passwords.hash_password(password)
    try:
        async with users.transaction(gateway_of(request).admin) as connection:
            if "email" in names and await users.find(connection, names["email"]):
                message = "A user with this email address has already been registered"
                raise AuthError(422, "email_exists", message)
            user_id = await users.create(
                connection,
                names=names,
                password_hash=password_hash,
                user_metadata=field(body, "user_metadata", dict) or {},
                app_metadata=field(body, "app_metadata", dict),
                user_id=wanted_id,
                role=text(body, "role") or "authenticated",
            )
            await _confirm_and_ban(connection, user_id, body, ban)
            user = await users.get(connection, user_id)
            return json_response(await users.to_json(connection, user))
    except asyncpg.PostgresError as error:
        message = "Database error creating new user"
        raise AuthError(500, "unexpected_failure", message) from error


async def list_users(request: Request) -> Response:
    """GET ?page=&per_page=&filter=&sort=: newest first, with the total and the pages in headers."""
    require_admin(request)
    asked = request.query_params
    page, per_page = _count(asked.get("page"), 1), _count(asked.get("per_page"), 50)
    wanted, direction = asked.get("filter", ""), _direction(asked.get("sort", "created_at desc"))
    async with users.transaction(gateway_of(request).admin) as connection:
        total = await connection.fetchval(f"select count(*) {FILTERED}", wanted)
        rows = await connection.fetch(
            f"select * {FILTERED} order by created_at {direction}, id limit $2 offset $3",
            wanted,
            per_page,
            (page - 1) * per_page,
        )
        shown = [await users.to_json(connection, row) for row in rows]
    last = -(-total // per_page)
    pages = [*([(page + 1, "next")] if page < last else []), (last, "last")]
    links = [
        f'</admin/users?{urlencode(sorted({**asked, "page": number}.items()))}>; rel="{rel}"'
        for number, rel in pages
    ]
    response = json_response({"users": shown, "aud": "authenticated"})
    response.headers.update({"x-total-count": str(total), "link": ", ".join(links)})
    return response


async def get_user(request: Request) -> Response:
    """GET by id."""
    require_admin(request)
    async with users.transaction(gateway_of(request).admin) as connection:
        return json_response(await users.to_json(connection, await _found(request, connection)))


async def update_user(request: Request) -> Response:
    """PUT by id: names, password, confirmation, role, metadata, ban. A password ends sessions."""
    require_admin(request)
    gateway = gateway_of(request)
    try:
        async with users.transaction(gateway.admin) as connection:
            found = await _found(request, connection)
            body = await fields(request)
            names, ban, user_id = _names(body), _ban(body), found["id"]
            password = field(body, "password", str)
            if password is not None:
                passwords.check_strength(password, gateway.auth)
                password_hash = await passwords.hash_password(password)
                await users.update(connection, user_id, "encrypted_password", password_hash)
                await sessions.sign_out(connection, user_id, None, "global")
            for provider, name in names.items():
                await users.put_identity(connection, user_id, provider, name)
                await users.update(connection, user_id, provider, name)
            if text(body, "role"):
                await users.update(connection, user_id, "role", body["role"])
            await _confirm_and_ban(connection, user_id, body, ban)
            user = await users.get(connection, user_id)
            for name, column in METADATA.items():
                await users.merge_metadata(connection, user, column, field(body, name, dict))
            user = await users.get(connection, user_id)
            return json_response(await users.to_json(connection, user))
    except asyncpg.PostgresError as error:
        raise AuthError(500, "unexpected_failure", "Error updating user") from error


async def delete_user(request: Request) -> Response:
    """DELETE by id, with all that refers to it by cascade; softly, only what names the person."""
    require_admin(request)
    try:
        async with users.transaction(gateway_of(request).admin) as connection:
            user = await _found(request, connection)
            body = await fields(request) if await request.body() else {}
            softly = field(body, "should_soft_delete", bool)
            delete = users.SOFT_DELETE if softly else "delete from auth.users where id = $1"
            await connection.execute(delete, user["id"])
    except asyncpg.PostgresError as error:
        raise AuthError(500, "unexpected_failure", "Database error deleting user") from error
    return json_response({})


def _names(body: dict[str, Any]) -> dict[str, str]:
    email, phone = text(body, "email"), text(body, "phone")
    names = {"email": users.clean_email(email)} if email else {}
    return names | ({"phone": users.clean_phone(phone)} if phone else {})


async def _confirm_and_ban(
    connection: Any, user_id: UUID, body: dict[str, Any], ban: timedelta | None
) -> None:
    for provider in ("email", "phone"):
        if field(body, f"{provider}_confirm", bool):
            await users.confirm(connection, user_id, provider)
    if ban is not None:
        await connection.execute(
            "update auth.users set banned_until = now() + nullif($2, interval '0') where id = $1",
            user_id,
            ban,
        )


def _ban(body: dict[str, Any]) -> timedelta | None:
    """How long to ban; 0 for 'none', which lifts a ban; None when it is not said."""
    duration = text(body, "ban_duration")
    if not duration:
        return None
    try:
        return timedelta(0) if duration == "none" else parse_duration(duration)
    except ValueError as error:
        raise invalid(f"invalid format for ban duration: {error}") from None


def _wanted_id(body: dict[str, Any]) -> UUID | None:
    wanted = text(body, "id")
    if not wanted:
        return None
    try:
        parsed = UUID(wanted)
    except ValueError:
        raise invalid("ID must conform to the uuid v4 format") from None
    if not parsed.int:
        raise invalid("ID cannot be a nil uuid")
    return parsed


async def _found(request: Request, connection: Any) -> Any:
    try:
        user_id = UUID(request.path_params["id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None
    user = await users.get(connection, user_id)
    if user is None:
        raise AuthError(404, "user_not_found", "User not found")
    return user


def _count(asked: str | None, default: int) -> int:
    if not asked:
        return default
    if not asked.isascii() or not asked.isdigit() or len(asked) > 9:
        raise invalid(f"Bad Pagination Parameters: not a count: {asked!r}")
    return int(asked) or default


def _direction(sort: str) -> str:
    name, _, direction = sort.partition(" ")
    if name != "created_at":
        raise invalid(f"Bad Sort Parameters: bad field for sort '{name}'")
    if direction.lower() not in ("", "asc", "desc"):
        raise invalid(
            f"Bad Sort Parameters: bad direction for sort '{direction}',"
            " only 'asc' and 'desc' allowed"
        )
    return direction.lower() or "desc"
