"""What /auth/v1 says when it says no, in the form that the client's API version knows."""

from datetime import date
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

VERSION_HEADER = "x-supabase-api-version"
VERSION = date(2024, 1, 1)


class AuthError(Exception):
    """`code` is stable, `message` for people; `extra` are further fields of the answer."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra


def error_response(request: Request, error: Exception) -> Response:
    """{"code","message"} for clients of version 2024-01-01, {"code","error_code","msg"} before."""
    assert isinstance(error, AuthError)
    headers = {"x-sb-error-code": error.code}
    if _knows_codes(request.headers.get(VERSION_HEADER, "")):
        headers[VERSION_HEADER] = VERSION.isoformat()
        body: dict[str, Any] = {"code": error.code, "message": error.message}
    else:
        body = {"code": error.status, "error_code": error.code, "msg": error.message}
    content = orjson.dumps({**body, **error.extra})
    return Response(content, error.status, headers, media_type="application/json")


def _knows_codes(version: str) -> bool:
    try:
        return date.fromisoformat(version) >= VERSION
    except ValueError:
        return False


def invalid(message: str) -> AuthError:
    """A field of the request is missing or malformed."""
    return AuthError(400, "validation_failed", message)


def not_served(what: str) -> AuthError:
    """Hosted projects can do it, this gateway cannot. Clients would take a 5xx for an outage."""
    return AuthError(422, "feature_disabled", f"{what} is not served by the local gateway")
