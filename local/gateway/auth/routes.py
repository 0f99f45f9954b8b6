"""The endpoints of /auth/v1: those served, and how the others are refused."""

from collections.abc import Awaitable, Callable

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from local.gateway.auth import account, admin, users
from local.gateway.auth.body import fields, json_response, text
from local.gateway.auth.caller import gateway_of
from local.gateway.auth.errors import AuthError, error_response, not_served
from local.gateway.auth.signup import signup
from local.gateway.auth.token import token

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# What a hosted project answers where these features are off.
SWITCHED_OFF = {
    "/sso": AuthError(404, "saml_provider_disabled", "SAML 2.0 is disabled"),
    "/user/identities": AuthError(404, "manual_linking_disabled", "Manual linking is disabled"),
    "/passkeys": AuthError(404, "passkey_disabled", "Passkeys are disabled"),
    "/oauth": AuthError(404, "feature_disabled", "OAuth server is disabled"),
    "/user/oauth": AuthError(404, "feature_disabled", "OAuth server is disabled"),
    "/admin/oauth": AuthError(404, "feature_disabled", "OAuth server is disabled"),
    "/authorize": AuthError(
        400, "validation_failed", "Unsupported provider: provider is not enabled"
    ),
}
# What every hosted project has and this service has not.
LEFT_OUT = (
    "/otp", "/magiclink", "/recover", "/resend", "/callback", "/reauthenticate", "/factors",
    "/invite", "/admin/generate_link", "/admin/audit", "/admin/sso", "/admin/users/{id}/factors",
)  # fmt: skip
PROVIDERS = (
    "apple azure bitbucket discord facebook snapchat figma fly github gitlab google keycloak kakao "
    "linkedin linkedin_oidc notion spotify slack slack_oidc workos twitch twitter phone zoom"
).split()

Endpoint = Callable[[Request], Awaitable[Response]]


def routes() -> list[BaseRoute]:
    """Paths without the /auth/v1 in front."""
    served = [
        ("POST", "/token", token),
        ("POST", "/signup", signup),
        ("POST", "/logout", account.logout),
        ("GET", "/verify", verify),
        ("POST", "/verify", verify),
        ("GET", "/user", account.get_user),
        ("PUT", "/user", account.update_user),
        ("GET", "/health", health),
        ("GET", "/settings", settings),
        ("GET", "/.well-known/jwks.json", jwks),
        ("GET", "/admin/users", admin.list_users),
        ("POST", "/admin/users", admin.create_user),
        ("GET", "/admin/users/{id}", admin.get_user),
        ("PUT", "/admin/users/{id}", admin.update_user),
        ("DELETE", "/admin/users/{id}", admin.delete_user),
    ]
    refused = SWITCHED_OFF | {path: not_served(path) for path in LEFT_OUT}
    unknown = AuthError(404, "validation_failed", "404 page not found")
    return [
        *(Route(path, answering(endpoint), methods=[verb]) for verb, path, endpoint in served),
        *(route for path, error in refused.items() for route in _refusals(path, error)),
        Route("/{path:path}", answering(_refusing(unknown)), methods=METHODS),
    ]


def _refusals(path: str, error: AuthError) -> list[BaseRoute]:
    """The path and everything below it."""
    endpoint = answering(_refusing(error))
    return [Route(place, endpoint, methods=METHODS) for place in (path, path + "/{rest:path}")]


def _refusing(error: AuthError) -> Endpoint:
    async def refuse(request: Request) -> Response:
        raise error

    return refuse


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


async def verify(request: Request) -> Response:
    """GET or POST /verify: no code is ever sent from here, so every code is an unknown one."""
    if request.method == "POST" and (phone := text(await fields(request), "phone")):
        users.clean_phone(phone)
    raise AuthError(403, "otp_expired", "Token has expired or is invalid")


async def health(request: Request) -> Response:
    """GET /health: 200 when the database answers too."""
    async with gateway_of(request).admin.acquire(timeout=5) as connection:
        await connection.fetchval("select 1")
    description = "GoTrue is a user registration and authentication API"
    return json_response({"version": "local", "name": "GoTrue", "description": description})


async def settings(request: Request) -> Response:
    """GET /settings: what this service can do."""
    config = gateway_of(request).auth
    external = {
        "anonymous_users": config.enable_anonymous_sign_ins,
        "email": config.enable_email_signup,
    }
    return json_response(
        {
            "external": external | dict.fromkeys(PROVIDERS, False),
            "disable_signup": not config.enable_signup,
            "mailer_autoconfirm": not config.enable_confirmations,
            "phone_autoconfirm": False,
            "sms_provider": "",
            "saml_enabled": False,
            "saml_private_key_next_configured": False,
            "passkeys_enabled": False,
        }
    )


async def jwks(request: Request) -> Response:
    """GET /.well-known/jwks.json: the keys that verify access tokens."""
    response = json_response(gateway_of(request).keys.jwks())
    response.headers["cache-control"] = "public, max-age=600"
    return response
