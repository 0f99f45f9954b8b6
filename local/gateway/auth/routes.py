"""The endpoints of /auth/v1 that users call."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from local.gateway.auth import admin, passwords, sessions, users
from local.gateway.auth.body import fields, json_response, text_field
from local.gateway.auth.caller import caller_of, gateway_of
from local.gateway.auth.errors import AuthError, error_response, invalid, not_served

# Endpoints of the hosted service that answer 501 here.
LEFT_OUT = (
    "otp", "magiclink", "recover", "resend", "verify", "authorize", "callback", "reauthenticate",
    "factors", "sso", "invite", "token/pkce", "user/identities", "admin/generate_link",
)  # fmt: skip

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

Endpoint = Callable[[Request], Awaitable[Response]]


def routes() -> list[BaseRoute]:
    """Paths without the /auth/v1 in front."""
    served = [
        Route("/token", answering(token), methods=["POST"]),
        Route("/signup", answering(signup), methods=["POST"]),
        Route("/logout", answering(logout), methods=["POST"]),
        Route("/user", answering(get_user), methods=["GET"]),
        Route("/user", answering(update_user), methods=["PUT"]),
        Route("/health", answering(health), methods=["GET"]),
        Route("/settings", answering(settings), methods=["GET"]),
        Route("/.well-known/jwks.json", answering(jwks), methods=["GET"]),
        Route("/admin/users", answering(admin.list_users), methods=["GET"]),
        Route("/admin/users", answering(admin.create_user), methods=["POST"]),
        Route("/admin/users/{id}", answering(admin.get_user), methods=["GET"]),
        Route("/admin/users/{id}", answering(admin.update_user), methods=["PUT"]),
        Route("/admin/users/{id}", answering(admin.delete_user), methods=["DELETE"]),
    ]
    missing = [Route(f"/{path}", answering(left_out), methods=METHODS) for path in LEFT_OUT]
    return [*served, *missing, Route("/{path:path}", answering(unknown), methods=METHODS)]


def answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint with every refusal turned into its answer."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AuthError as error:
            return error_response(request, error)
        except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
            return error_response(request, AuthError(503, "unexpected_failure", "Database away"))

    return answer


async def token(request: Request) -> Response:
    """POST /token?grant_type=password|refresh_token."""
    grant = request.query_params.get("grant_type")
    body = await fields(request)
    if grant == "password":
        return await _password_grant(request, body)
    if grant == "refresh_token":
        return await _refresh_grant(request, body)
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _password_grant(request: Request, body: dict[str, Any]) -> Response:
    if body.get("phone"):
        raise not_served("Signing in by phone")
    email, password = text_field(body, "email").lower(), text_field(body, "password")
    gateway = gateway_of(request)
    async with gateway.admin.acquire() as connection:
        user = await users.find(connection, email)
        banned = user is not None and await connection.fetchval(
            "select $1::timestamptz > now()", user["banned_until"]
        )
    if not await passwords.matches(password, user and user["encrypted_password"]):
        raise AuthError(400, "invalid_credentials", "Invalid login credentials")
    if banned:
        raise AuthError(400, "user_banned", "User is banned")
    if user["email_confirmed_at"] is None:
        raise AuthError(400, "email_not_confirmed", "Email not confirmed")
    async with users.transaction(gateway.admin) as connection:
        return json_response(await sessions.sign_in(gateway, connection, user))


async def _refresh_grant(request: Request, body: dict[str, Any]) -> Response:
    refresh_token = text_field(body, "refresh_token")
    if not refresh_token:
        raise invalid("refresh_token required")
    gateway = gateway_of(request)
    async with users.transaction(gateway.admin) as connection:
        result = await sessions.refresh(gateway, connection, refresh_token)
    if isinstance(result, sessions.Refused):
        raise result.error
    return json_response(result)


async def signup(request: Request) -> Response:
    """POST /signup: the user is confirmed at once and signed in."""
    body = await fields(request)
    if body.get("phone"):
        raise not_served("Signing up by phone")
    if not body.get("email"):
        raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
    if not text_field(body, "password"):
        raise invalid("Signup requires a valid password")
    email, password = users.clean_email(body["email"]), text_field(body, "password")
    passwords.check_strength(password)
    password_hash = await passwords.hash_password(password)
    gateway = gateway_of(request)
    try:
        async with users.transaction(gateway.admin) as connection:
            user = await users.create(
                connection,
                email=email,
                password_hash=password_hash,
                confirmed=True,
                user_metadata=body.get("data") or {},
                app_metadata={},
            )
            return json_response(await sessions.sign_in(gateway, connection, user))
    except asyncpg.UniqueViolationError:
        raise AuthError(422, "user_already_exists", "User already registered") from None
    except asyncpg.PostgresError as error:
        message = "Database error saving new user"
        raise AuthError(500, "unexpected_failure", message) from error


async def logout(request: Request) -> Response:
    """POST /logout?scope=global|local|others."""
    scope = request.query_params.get("scope") or "global"
    if scope not in ("global", "local", "others"):
        raise invalid(f'Unsupported logout scope "{scope}"')
    async with users.transaction(gateway_of(request).admin) as connection:
        caller = await caller_of(request, connection)
        await sessions.sign_out(connection, caller.user["id"], caller.session_id, scope)
    return Response(status_code=204)


async def get_user(request: Request) -> Response:
    """GET /user."""
    async with users.transaction(gateway_of(request).admin) as connection:
        caller = await caller_of(request, connection)
        return json_response(await users.to_json(connection, caller.user))


async def update_user(request: Request) -> Response:
    """PUT /user: password and metadata; a new password ends the user's other sessions."""
    body = await fields(request)
    password = text_field(body, "password")
    if password:
        passwords.check_strength(password)
    async with users.transaction(gateway_of(request).admin) as connection:
        caller = await caller_of(request, connection)
        user_id = caller.user["id"]
        if (body.get("email") or caller.user["email"]) != caller.user["email"]:
            raise not_served("Changing the e-mail address, which sends a mail,")
        if password:
            if await passwords.matches(password, caller.user["encrypted_password"]):
                message = "New password should be different from the old password."
                raise AuthError(422, "same_password", message)
            await users.set_password(connection, user_id, await passwords.hash_password(password))
            await sessions.sign_out(connection, user_id, caller.session_id, "others")
        await users.merge_metadata(connection, caller.user, user=body.get("data"), app=None)
        user = await users.get(connection, user_id)
        return json_response(await users.to_json(connection, user))


async def health(request: Request) -> Response:
    """GET /health: 200 when the database answers too."""
    async with gateway_of(request).admin.acquire(timeout=5) as connection:
        await connection.fetchval("select 1")
    description = "GoTrue is a user registration and authentication API"
    return json_response({"version": "local", "name": "GoTrue", "description": description})


async def settings(request: Request) -> Response:
    """GET /settings: what this service can do."""
    external = {"anonymous_users": False, "email": True, "phone": False}
    return json_response(
        {
            "external": external,
            "disable_signup": False,
            "mailer_autoconfirm": True,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
        }
    )


async def jwks(request: Request) -> Response:
    """GET /.well-known/jwks.json: the keys that verify access tokens."""
    return json_response(gateway_of(request).keys.jwks())


async def left_out(request: Request) -> Response:
    """An endpoint of hosted projects that is not there."""
    raise not_served(request.url.path)


async def unknown(request: Request) -> Response:
    """No such endpoint anywhere."""
    raise AuthError(404, "validation_failed", "404 page not found")
