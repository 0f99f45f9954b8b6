"""/user and /logout: what signed-in users do with their own account."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth import passwords, sessions, users
from local.gateway.auth.body import field, fields, json_response, text
from local.gateway.auth.caller import Caller, caller_of, claims_of, gateway_of
from local.gateway.auth.config import AuthConfig
from local.gateway.auth.errors import AuthError, invalid, not_served


async def get_user(request: Request) -> Response:
    """GET /user."""
    async with users.transaction(gateway_of(request).admin) as connection:
        caller = await caller_of(request, connection)
        if not claims_of(request).get("aud"):
            raise invalid("Token audience doesn't match request audience")
        return json_response(await users.to_json(connection, caller.user))


async def update_user(request: Request) -> Response:
    """PUT /user: password and metadata; a new password ends the user's other sessions."""
    gateway = gateway_of(request)
    async with users.transaction(gateway.admin) as connection:
        caller = await caller_of(request, connection)
        body = await fields(request)
        password, data = field(body, "password", str), field(body, "data", dict)
        await _refuse_new_names(connection, caller, body)
        if password is not None:
            passwords.check_strength(password, gateway.auth)
        if field(body, "app_metadata", dict) is not None:
            message = "Updating app_metadata requires admin privileges"
            raise AuthError(403, "not_admin", message)
        if password is not None:
            await _set_password(connection, caller, password, gateway.auth)
        await users.merge_metadata(connection, caller.user, "raw_user_meta_data", data)
        user = await users.get(connection, caller.user["id"])
        return json_response(await users.to_json(connection, user))


async def _refuse_new_names(connection: Any, caller: Caller, body: dict[str, Any]) -> None:
    """Raises when the e-mail address or phone number would change, which needs a message sent."""
    email, phone = text(body, "email"), text(body, "phone")
    if email and users.clean_email(email) != caller.user["email"]:
        if await users.find(connection, email):
            message = "A user with this email address has already been registered"
            raise AuthError(422, "email_exists", message)
        raise not_served("Changing the e-mail address, which sends a mail,")
    if phone and users.clean_phone(phone) != caller.user["phone"]:
        raise not_served("Changing the phone number, which sends a message,")


async def _set_password(connection: Any, caller: Caller, password: str, config: AuthConfig) -> None:
    if caller.user["is_anonymous"]:
        message = "Updating password of an anonymous user without an email or phone is not allowed"
        raise AuthError(422, "validation_failed", message)
    if config.secure_password_change and (caller.session is None or caller.session["old"]):
        message = "Password update requires reauthentication"
        raise AuthError(400, "reauthentication_needed", message)
    stored = caller.user["encrypted_password"]
    if stored and await passwords.matches(password, stored):
        message = "New password should be different from the old password."
        raise AuthError(422, "same_password", message)
    password_hash = await passwords.hash_password(password)
    await users.update(connection, caller.user["id"], "encrypted_password", password_hash)
    await sessions.sign_out(connection, caller.user["id"], caller.session_id, "others")


async def logout(request: Request) -> Response:
    """POST /logout?scope=global|local|others."""
    async with users.transaction(gateway_of(request).admin) as connection:
        caller = await caller_of(request, connection)
        scope = request.query_params.get("scope") or "global"
        if scope not in ("global", "local", "others"):
            raise invalid(f'Unsupported logout scope "{scope}"')
        await sessions.sign_out(connection, caller.user["id"], caller.session_id, scope)
    return Response(status_code=204)
