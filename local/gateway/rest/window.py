"""Which rows are wanted: limit and offset of the query string and the Range header together."""

import re
from dataclasses import dataclass

from local.gateway.rest.errors import RestError
from local.gateway.rest.nodes import Part
from local.gateway.rest.request import Request

RANGE = re.compile(r"([0-9]+)-([0-9]*)")


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` rows from `offset` on, before the server's own limit."""

    limit: int | None = None
    offset: int = 0


def requested(request: Request, part: Part) -> Window:
    """The rows asked for; the header counts on GET only.

    Raises: RestError 416 PGRST103 when there can be none, 400 PGRST114: limits do not go with PUT.
    """
    begin, end = max(part.offset, 0), None
    if part.limit is not None:
        end = begin + part.limit
        if part.limit == 0 and begin == 0:
            return Window(0, 0)
    header = RANGE.fullmatch(request.headers.get("range", "")) if request.method == "GET" else None
    if header:
        begin = max(begin, int(header[1]))
        if header[2]:
            last = int(header[2]) + 1
            if last <= int(header[1]):
                raise unsatisfiable(
                    "The lower boundary must be lower than or equal to the upper boundary"
                    " in the Range header."
                )
            end = last if end is None else min(end, last)
    if end is not None and end <= begin:
        raise unsatisfiable("Limit should be greater than or equal to zero.")
    if request.method == "PUT" and (end is not None or begin):
        message = "limit/offset querystring parameters are not allowed for PUT"
        raise RestError(400, "PGRST114", message)
    return Window(None if end is None else end - begin, begin)


def unsatisfiable(details: str, content_range: str | None = None) -> RestError:
    """No such rows: 416 PGRST103."""
    headers = {"content-range": content_range} if content_range else None
    return RestError(416, "PGRST103", "Requested range not satisfiable", details, headers=headers)
