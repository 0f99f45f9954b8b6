"""What stands before every service: CORS, and the API key of each request.

An opaque key (`sb_publishable_…`, `sb_secret_…`) is replaced by the role's JWT in Authorization,
so the services behind see JWTs only.
"""

from typing import Any

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.keys import Keys

# Fetched by browsers and by token verifiers, which have no key.
OPEN_PATHS = ("/auth/v1/.well-known/", "/auth/v1/verify", "/auth/v1/callback", "/auth/v1/authorize")
# Asks for no key: a bearer is enough there, and public and signed links need neither.
KEYLESS_PATHS = ("/storage/v1/",)
EXPOSED = (
    b"Content-Range, Content-Location, Location, Preference-Applied, Proxy-Status, Date, "
    b"X-Total-Count, Link, X-Supabase-Api-Version"
)
# Longer than any page is open; browsers cap it themselves.
PREFLIGHT_SECONDS = b"3600"


class Edge:
    """ASGI middleware. Websockets pass: the realtime service checks their key itself."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["method"] == "OPTIONS":
            return await _answer(send, 200, b"", _preflight(Headers(scope=scope)))
        if not scope["path"].startswith(OPEN_PATHS):
            refusal = self._admit(scope)
            if refusal is not None:
                body = orjson.dumps({"message": refusal})
                headers = [(b"access-control-allow-origin", b"*")]
                return await _answer(send, 401, body, headers)

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                allowed = [
                    (b"access-control-allow-origin", b"*"),
                    (b"access-control-expose-headers", EXPOSED),
                ]
                message["headers"] = [*message.get("headers", ()), *allowed]
            await send(message)

        await self._app(scope, receive, send_with_cors)

    def _admit(self, scope: Scope) -> str | None:
        """Why the request is refused, or None; puts the role's JWT in place of an opaque key."""
        headers = Headers(scope=scope)
        authorization = headers.get("authorization", "")
        bearer = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
        key = headers.get("apikey") or QueryParams(scope["query_string"]).get("apikey")
        if not key and scope["path"].startswith(KEYLESS_PATHS):
            if not bearer.startswith("sb_"):
                return None
            key = bearer
        if not key:
            return "No API key found in request"
        role = self._keys.role_of(key)
        if role is None:
            return "Invalid API key"
        if key.startswith("sb_secret_") and headers.get("user-agent", "").startswith("Mozilla/"):
            return "Forbidden use of secret API key in browser"
        authorization = headers.get("authorization", "")
        bearer = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
        if bearer.startswith("sb_") and bearer != key:
            return "Invalid API key"
        if not authorization or bearer.startswith("sb_"):
            token = self._keys.role_token(role)
            kept = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            scope["headers"] = [*kept, (b"authorization", b"Bearer " + token.encode())]
        return None


def _preflight(headers: Headers) -> list[tuple[bytes, bytes]]:
    asked = headers.get("access-control-request-headers", "*").encode()
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (b"access-control-allow-headers", asked),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
    ]


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    facts: list[tuple[Any, Any]] = [(b"content-length", str(len(body)).encode()), *headers]
    if body:
        facts.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": facts})
    await send({"type": "http.response.body", "body": body})
