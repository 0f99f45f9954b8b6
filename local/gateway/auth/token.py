"""POST /token: signing in with a password, and refreshing."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth import passwords, sessions, users
from local.gateway.auth.body import fields, json_response, text
from local.gateway.auth.caller import gateway_of
from local.gateway.auth.errors import AuthError, invalid, not_served


async def token(request: Request) -> Response:
    """POST /token?grant_type=password|refresh_token."""
    grant = request.query_params.get("grant_type")
    if grant == "password":
        return await _password_grant(request, await fields(request))
    if grant == "refresh_token":
        return await _refresh_grant(request, await fields(request))
    if grant == "web3":
        raise AuthError(422, "web3_provider_disabled", "Web3 provider is disabled")
    if grant == "id_token":
        raise AuthError(400, "provider_disabled", "The provider of this ID token is not enabled")
    if grant == "pkce":
        raise not_served("/token?grant_type=pkce")
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _password_grant(request: Request, body: dict[str, Any]) -> Response:
    gateway = gateway_of(request)
    email, password = _credentials(body)
    if email and not gateway.auth.enable_email_signup:
        raise AuthError(422, "email_provider_disabled", "Email logins are disabled")
    async with gateway.admin.acquire() as connection:
        user = await users.find(connection, email)
    stored = user and user["encrypted_password"]
    if stored and user["banned"]:
        raise AuthError(400, "user_banned", "User is banned")
    if not await passwords.matches(password, stored):
        raise AuthError(400, "invalid_credentials", "Invalid login credentials")
    if user["email_confirmed_at"] is None:
        raise AuthError(400, "email_not_confirmed", "Email not confirmed")
    async with users.transaction(gateway.admin) as connection:
        session = await sessions.sign_in(gateway, connection, user["id"])
    weak = passwords.weakness(password, gateway.auth)
    return json_response(session | ({"weak_password": weak} if weak else {}))


def _credentials(body: dict[str, Any]) -> tuple[str, str]:
    email, phone = text(body, "email"), text(body, "phone")
    if email and phone:
        raise invalid("Only an email address or phone number should be provided on login.")
    if phone:
        raise AuthError(422, "phone_provider_disabled", "Phone logins are disabled")
    if not email:
        raise invalid("missing email or phone")
    return email, text(body, "password")


async def _refresh_grant(request: Request, body: dict[str, Any]) -> Response:
    gateway = gateway_of(request)
    async with users.transaction(gateway.admin) as connection:
        result = await sessions.refresh(gateway, connection, text(body, "refresh_token"))
    if isinstance(result, sessions.Refused):
        raise result.error
    return json_response(result)
