"""What the routes of messaging take and answer alike.

Lists pass the database's JSON through untouched. Their ETag is the version of what they show, so
an unchanged list costs one small query and no body.
"""

from typing import Annotated, Any

from fastapi import Header, Query
from starlette.responses import Response

from functions.core.db import Answer

Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Fields = Annotated[str | None, Query(description="Only these fields, comma-separated.")]
IfNoneMatch = Annotated[str | None, Header()]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed."}}


def page(answer: Answer) -> Response:
    """A list as the database wrote it, or 304 where the caller has it already."""
    headers = {"cache-control": "private, no-cache"}
    if answer.etag:
        headers["etag"] = answer.etag
    if answer.body == b"null":
        return Response(status_code=304, headers=headers)
    return Response(answer.body, media_type="application/json", headers=headers)


def split_fields(fields: str | None) -> list[str] | None:
    return [name.strip() for name in (fields or "").split(",") if name.strip()] or None


def strong(etag: str | None) -> str | None:
    """The ETag as we gave it: a proxy that compresses marks it as weak."""
    return etag.removeprefix("W/") if etag else None
