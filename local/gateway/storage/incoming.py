"""What the request of an upload brings: bytes to come, and what it says of them."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from local.gateway.storage import rules
from local.gateway.storage.errors import too_large
from local.gateway.storage.form import FIELD_BYTES, form_of


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, checked against the limits of its bucket; `content` can be read once."""

    content: AsyncIterator[bytes]
    mime_type: str
    cache_control: str
    robots: str | None
    user_metadata: dict[str, Any] | None


async def upload_of(request: Request, key: str, allowed: list[str] | None, limit: int) -> Upload:
    """Reads a form up to its file, or nothing of any other body.

    Raises: 400, 413, 415 for what the bucket, or any bucket, does not take.
    """
    content_type = rules.check_content_type(
        request.headers.get("content-type") or "application/octet-stream"
    )
    robots = request.headers.get("x-robots-tag")
    if robots:
        rules.check_robots(robots)
    if content_type.lower().startswith("multipart/form-data"):
        form = await form_of(request)
        seconds = form.fields.get("cacheControl")
        return Upload(
            form.content,
            rules.check_mime_type(
                form.fields.get("contentType") or form.content_type or "application/octet-stream",
                key,
                allowed,
            ),
            f"max-age={seconds}" if seconds else "no-cache",
            robots,
            _json(form.fields.get("metadata") or form.fields.get("userMetadata")),
        )
    rules.check_mime_type(content_type, key, allowed)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise too_large()
    cache_control = request.headers.get("cache-control", "no-cache")
    return Upload(request.stream(), content_type, cache_control, robots, header_metadata(request))


def header_metadata(request: Request) -> dict[str, Any] | None:
    """The user's metadata in the header x-metadata, base64 of JSON; None when unreadable."""
    header = request.headers.get("x-metadata", "").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(f"{header}==")  # the alphabet and the padding vary
    except ValueError:
        return None
    if len(text) > FIELD_BYTES:
        raise too_large("user_metadata")
    return _json(text)


def _json(text: str | bytes | None) -> dict[str, Any] | None:
    """An object that can be stored; None for anything else, which is no reason to refuse."""
    try:
        found = orjson.loads(text or b"null")
        orjson.dumps(found)  # refuses what is nested too deeply
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return found if isinstance(found, dict) else None
