"""Bytes out: GET, HEAD and info, with ranges, conditions, caching and file names."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from local.gateway.storage import rules
from local.gateway.storage.caller import gateway_of
from local.gateway.storage.errors import StorageError, invalid_range, invalid_request
from local.gateway.storage.files import Files, chunks_of
from local.gateway.storage.rows import json_response, parsed

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Writers of one object may overtake a reader; each time there is a newer file.
OVERTAKEN_TIMES = 10
# What HTTP allows in a header's value.
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# What encodeURIComponent leaves as it is.
UNQUOTED = "-_.!~*'()"

Access = Callable[[Request], Awaitable[Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


def content(access: Access) -> Endpoint:
    """GET: the bytes of the object that `access` finds."""

    async def endpoint(request: Request) -> Response:
        row = await access(request)
        files = Files(gateway_of(request).storage_folder)
        for _ in range(OVERTAKEN_TIMES):
            with suppress(StorageError):
                file = files.open(row["version"])
                break
            row = await access(request)  # it may have been replaced in between
        else:
            file = files.open(row["version"])
        headers = _headers(request, row)
        size = file.seek(0, 2)
        if _is_unchanged(request, headers):
            file.close()
            return Response(status_code=304, headers=headers)
        try:
            start, length = _range(request.headers.get("range"), size)
        except StorageError:
            file.close()
            raise
        status = 200
        if "range" in request.headers:
            status = 206
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{size}"
        headers["content-length"] = str(length)
        return StreamingResponse(chunks_of(file, start, length), status, headers)

    return endpoint


def head(access: Access) -> Endpoint:
    """HEAD: the headers only, from the row alone."""

    async def endpoint(request: Request) -> Response:
        row = await access(request)
        headers = _headers(request, row)
        headers["content-length"] = str((parsed(row["metadata"]) or {}).get("contentLength", 0))
        return Response(headers=headers)

    return endpoint


def info(access: Access) -> Endpoint:
    """GET /object/info/…: what is known of the object, as JSON."""

    async def endpoint(request: Request) -> Response:
        row = await access(request)
        metadata = parsed(row["metadata"]) or {}
        response = json_response(
            {
                "id": row["id"],
                "name": row["name"],
                "version": row["version"],
                "bucket_id": row["bucket_id"],
                "size": metadata.get("size"),
                "content_type": metadata.get("mimetype"),
                "cache_control": metadata.get("cacheControl"),
                "etag": metadata.get("eTag"),
                "metadata": parsed(row["user_metadata"]),
                "last_modified": row["updated_at"],
                "created_at": row["created_at"],
            }
        )
        for name in ("etag", "last-modified", "cache-control"):
            if value := _headers(request, row).get(name):
                response.headers[name] = value
        return response

    return endpoint


def _headers(request: Request, row: Any) -> dict[str, str]:
    """All but length and range. Raises: 400 when the row has what no header may have."""
    metadata = parsed(row["metadata"]) or {}
    headers = {
        "accept-ranges": "bytes",
        "content-type": _safe_type(metadata.get("mimetype") or "application/octet-stream"),
        "etag": metadata.get("eTag"),
        "last-modified": format_datetime(_modified(row, metadata), usegmt=True),
        "cache-control": metadata.get("cacheControl"),
        "x-robots-tag": metadata.get("xRobotsTag") or "none",
        "content-disposition": _disposition(request.query_params.get("download")),
    }
    if hasattr(request.state, "expires"):
        headers["cache-control"] = None
        expires = datetime.fromtimestamp(request.state.expires, UTC)
        headers["expires"] = format_datetime(expires, usegmt=True)
    for name, value in headers.items():
        if value and not HEADER_VALUE.fullmatch(value):
            message = f'Invalid character in response header "{name}"'
            raise invalid_request(message, "invalid_header_char")
    return {name: value for name, value in headers.items() if value}


def _safe_type(mime_type: str) -> str:
    """Pages are shown as text: a bucket is no place to serve scripts from."""
    return "text/plain" if "text/html" in mime_type else mime_type


def _modified(row: Any, metadata: dict[str, Any]) -> datetime:
    """To the second, which is all that HTTP can say."""
    found: datetime = rules.date_of(str(metadata.get("lastModified"))) or row["updated_at"]
    return found.astimezone(UTC).replace(microsecond=0)


def _disposition(download: str | None) -> str | None:
    """?download saves the file instead of showing it, ?download=name under that name."""
    if download is None:
        return None
    if not download:
        return "attachment;"
    name = quote(download, safe=UNQUOTED)
    return f"attachment; filename={name}; filename*=UTF-8''{name}"


def _is_unchanged(request: Request, headers: dict[str, str]) -> bool:
    """If-None-Match, and only without one If-Modified-Since."""
    if known := request.headers.get("if-none-match"):
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return "*" in tags or headers.get("etag") in tags
    since = rules.date_of(request.headers.get("if-modified-since", ""))
    modified = rules.date_of(headers["last-modified"])
    return bool(since and modified and modified <= since)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """First byte and number of bytes. Raises: 416 for all but one range that the object has."""
    if header is None:
        return 0, size
    match = RANGE.fullmatch(header)
    if match is None or match[0] == "bytes=-":
        raise invalid_range(size)
    if not match[1]:  # the last so many bytes
        start, end = max(size - int(match[2]), 0), size - 1
    else:
        start, end = int(match[1]), min(int(match[2] or size), size - 1)
    if start > end:
        raise invalid_range(size)
    return start, end - start + 1
