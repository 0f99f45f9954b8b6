"""/auth/v1/admin/users: what service_role may do with users."""

import re
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth import passwords, sessions, users
from local.gateway.auth.body import fields, json_response, text_field
from local.gateway.auth.caller import gateway_of, require_admin
from local.gateway.auth.errors import AuthError, invalid, not_served

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")


async def create_user(request: Request) -> Response:
    """POST: a user with any of id, email, password, email_confirm, metadata, role."""
    require_admin(request)
    body = await fields(request)
    if body.get("phone"):
        raise not_served("Users with a phone number")
    if not body.get("email"):
        raise invalid("Cannot create a user without either an email or phone")
    email = users.clean_email(body["email"])
    password = text_field(body, "password") or secrets.token_urlsafe(32)
    password_hash = await passwords.hash_password(password)
    try:
        async with users.transaction(gateway_of(request).admin) as connection:
            user = await users.create(
                connection,
                email=email,
                password_hash=password_hash,
                confirmed=bool(body.get("email_confirm")),
                user_metadata=body.get("user_metadata") or {},
                app_metadata=body.get("app_metadata") or {},
                user_id=_id(body["id"]) if body.get("id") else None,
                role=text_field(body, "role") or "authenticated",
            )
            await _ban(connection, user["id"], text_field(body, "ban_duration"))
            user = await users.get(connection, user["id"])
            return json_response(await users.to_json(connection, user))
    except asyncpg.PostgresError as error:
        raise users.refuse_duplicate(error) from error


async def list_users(request: Request) -> Response:
    """GET ?page=&per_page=: newest first, with the total and the pages in headers."""
    require_admin(request)
    page = _positive(request.query_params.get("page"), 1)
    per_page = _positive(request.query_params.get("per_page"), 50)
    async with users.transaction(gateway_of(request).admin) as connection:
        total = await connection.fetchval("select count(*) from auth.users")
        rows = await connection.fetch(
            "select * from auth.users order by created_at desc, id limit $1 offset $2",
            per_page,
            (page - 1) * per_page,
        )
        shown = [await users.to_json(connection, row) for row in rows]
    response = json_response({"users": shown, "aud": "authenticated"})
    last = max(-(-total // per_page), 1)
    following = [(page + 1, "next")] if page < last else []
    response.headers["x-total-count"] = str(total)
    response.headers["link"] = ", ".join(
        f'</admin/users?page={number}&per_page={per_page}>; rel="{rel}"'
        for number, rel in [*following, (last, "last")]
    )
    return response


async def get_user(request: Request) -> Response:
    """GET by id."""
    require_admin(request)
    async with users.transaction(gateway_of(request).admin) as connection:
        return json_response(await users.to_json(connection, await _found(request, connection)))


async def update_user(request: Request) -> Response:
    """PUT by id: e-mail, password, confirmation, role, metadata, ban. A password ends sessions."""
    require_admin(request)
    body = await fields(request)
    password = text_field(body, "password")
    if password:
        passwords.check_strength(password)
    try:
        async with users.transaction(gateway_of(request).admin) as connection:
            found = await _found(request, connection)
            user_id = found["id"]
            if password:
                password_hash = await passwords.hash_password(password)
                await users.set_password(connection, user_id, password_hash)
                await sessions.sign_out(connection, user_id, None, "global")
            await _set_email(connection, user_id, body)
            if body.get("role"):
                await connection.execute(
                    "update auth.users set role = $2 where id = $1", user_id, body["role"]
                )
            await users.merge_metadata(
                connection, found, user=body.get("user_metadata"), app=body.get("app_metadata")
            )
            await _ban(connection, user_id, text_field(body, "ban_duration"))
            user = await users.get(connection, user_id)
            return json_response(await users.to_json(connection, user))
    except asyncpg.PostgresError as error:
        raise users.refuse_duplicate(error) from error


async def delete_user(request: Request) -> Response:
    """DELETE by id, with everything that refers to it by cascade."""
    require_admin(request)
    if (await fields(request)).get("should_soft_delete"):
        raise not_served("Soft deletion")
    try:
        async with users.transaction(gateway_of(request).admin) as connection:
            user = await _found(request, connection)
            await connection.execute("delete from auth.users where id = $1", user["id"])
    except asyncpg.PostgresError as error:
        raise AuthError(500, "unexpected_failure", "Database error deleting user") from error
    return json_response({})


async def _set_email(connection: Any, user_id: UUID, body: dict[str, Any]) -> None:
    if body.get("email"):
        email = users.clean_email(body["email"])
        await connection.execute(
            "update auth.users set email = $2, updated_at = now() where id = $1", user_id, email
        )
        await connection.execute(
            "update auth.identities set updated_at = now(),"
            " identity_data = identity_data || jsonb_build_object('email', $2::text)"
            " where user_id = $1 and provider = 'email'",
            user_id,
            email,
        )
    if body.get("email_confirm"):
        await connection.execute(
            "update auth.users set email_confirmed_at = coalesce(email_confirmed_at, now())"
            " where id = $1",
            user_id,
        )


async def _ban(connection: Any, user_id: UUID, duration: str) -> None:
    """`duration` as Go writes it, 24h or 1h30m; 'none' lifts the ban, '' leaves all as it is."""
    if not duration:
        return
    length = None
    if duration != "none":
        if not DURATION.fullmatch(duration):
            message = f'invalid format for ban duration: time: invalid duration "{duration}"'
            raise invalid(message)
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", duration)
        length = timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))
    await connection.execute(
        "update auth.users set banned_until = now() + $2::interval where id = $1", user_id, length
    )


async def _found(request: Request, connection: Any) -> Any:
    user = await users.get(connection, _path_id(request))
    if user is None:
        raise AuthError(404, "user_not_found", "User not found")
    return user


def _path_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None


def _id(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise invalid("ID must conform to the uuid v4 format") from None


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() and int(text) > 0 else default
