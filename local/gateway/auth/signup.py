"""POST /signup: a new user, and a session unless the project wants the address confirmed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth import passwords, sessions, users
from local.gateway.auth.body import field, fields, json_response, text
from local.gateway.auth.caller import gateway_of
from local.gateway.auth.config import AuthConfig
from local.gateway.auth.errors import AuthError, invalid
from local.gateway.context import Gateway


async def signup(request: Request) -> Response:
    """A user with an e-mail address and a password; with neither name an anonymous one."""
    body = await fields(request)
    gateway = gateway_of(request)
    data = field(body, "data", dict) or {}
    named = text(body, "email") or text(body, "phone")
    if not named and not gateway.auth.enable_anonymous_sign_ins:
        raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
    if not gateway.auth.enable_signup:
        raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")
    try:
        if not named:
            return json_response(await _anonymous(gateway, data))
        email, password = _credentials(body, gateway.auth)
        return json_response(await _with_email(gateway, email, password, data))
    except asyncpg.PostgresError as error:
        message = "Database error saving new user"
        raise AuthError(500, "unexpected_failure", message) from error


def _credentials(body: dict[str, Any], config: AuthConfig) -> tuple[str, str]:
    email, password = text(body, "email"), text(body, "password")
    if not password:
        raise invalid("Signup requires a valid password")
    passwords.check_strength(password, config)
    if email and text(body, "phone"):
        raise invalid("Only an email address or phone number should be provided on signup.")
    if not email:
        raise AuthError(400, "phone_provider_disabled", "Phone signups are disabled")
    if not config.enable_email_signup:
        raise AuthError(400, "email_provider_disabled", "Email signups are disabled")
    return users.clean_email(email), password


async def _anonymous(gateway: Gateway, data: dict[str, Any]) -> dict[str, Any]:
    async with users.transaction(gateway.admin) as connection:
        user_id = await users.create(connection, names={}, password_hash=None, user_metadata=data)
        return await sessions.sign_in(gateway, connection, user_id)


async def _with_email(
    gateway: Gateway, email: str, password: str, data: dict[str, Any]
) -> dict[str, Any]:
    """A session, or the user who waits for a confirmation; of a known user nothing is told."""
    password_hash = await passwords.hash_password(password)
    async with users.transaction(gateway.admin) as connection:
        known = await users.find(connection, email)
        if known and known["email_confirmed_at"] and gateway.auth.enable_confirmations:
            return _stranger(email, data)
        if known and known["email_confirmed_at"]:
            raise AuthError(422, "user_already_exists", "User already registered")
        user_id = known["id"] if known else await _create(connection, email, password_hash, data)
        if gateway.auth.enable_confirmations:
            await users.update(connection, user_id, "confirmation_sent_at", datetime.now(UTC))
            return await users.to_json(connection, await users.get(connection, user_id))
        await users.confirm(connection, user_id, "email")
        return await sessions.sign_in(gateway, connection, user_id)


async def _create(connection: Any, email: str, password_hash: str, data: dict[str, Any]) -> UUID:
    """What a sign-up says of itself is in the identity, and the identity's data in the user."""
    user_id = await users.create(
        connection,
        names={"email": email},
        password_hash=password_hash,
        user_metadata=data,
        identity_data=data,
    )
    await connection.execute(
        "update auth.users set raw_user_meta_data = raw_user_meta_data || identity_data"
        " from auth.identities where user_id = users.id and users.id = $1",
        user_id,
    )
    return user_id


def _stranger(email: str, data: dict[str, Any]) -> dict[str, Any]:
    """The answer for a taken address, as for a free one: it tells nobody who has an account."""
    now = users.rfc3339(datetime.now(UTC))
    return {
        "id": str(uuid4()),
        "aud": "authenticated",
        "role": "",
        "email": email,
        "phone": "",
        "confirmation_sent_at": now,
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": data,
        "identities": [],
        "created_at": now,
        "updated_at": now,
        "is_anonymous": False,
    }
