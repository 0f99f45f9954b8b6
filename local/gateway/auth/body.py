"""JSON in and out of /auth/v1."""

from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.gateway.auth.errors import AuthError

T = TypeVar("T")


async def fields(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises: 400 bad_json."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise _bad_json(str(error)) from None
    if not isinstance(body, dict):
        raise _bad_json("not an object")
    return body


def field(body: dict[str, Any], name: str, kind: type[T]) -> T | None:
    """The value of this type, None when it is absent or null. Raises: 400 bad_json."""
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise _bad_json(f"{name} has the wrong type")
    return value


def text(body: dict[str, Any], name: str) -> str:
    """A string, '' when it is absent. Raises: 400 bad_json."""
    return field(body, name, str) or ""


def json_response(content: Any, status: int = 200) -> Response:
    """`content` as JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def _bad_json(why: str) -> AuthError:
    return AuthError(400, "bad_json", f"Could not parse request body as JSON: {why}")
