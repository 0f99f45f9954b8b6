"""JSON in and out of /auth/v1."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth.errors import AuthError, invalid


async def fields(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises: 400 bad_json."""
    try:
        body = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        message = f"Could not parse request body as JSON: {error}"
        raise AuthError(400, "bad_json", message) from None
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: not an object")
    return body


def text_field(body: dict[str, Any], name: str) -> str:
    """A string field, '' when absent. Raises: 400 validation_failed for another type."""
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def json_response(content: Any, status: int = 200) -> Response:
    """`content` as JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")
