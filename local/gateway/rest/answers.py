"""From the statement's row to the HTTP answer: status, headers, body."""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.responses import Response

from local.gateway.rest.catalog import Function, Relation
from local.gateway.rest.errors import RestError
from local.gateway.rest.querystring import Query
from local.gateway.rest.read import window
from local.gateway.rest.request import PREFERENCES, Request

Answer = Callable[[Any], Response]


def found(request: Request, query: Query, name: str) -> Answer:
    """For GET and HEAD on a table: 200, or 206 when the total is known and larger."""
    offset = window(request, query).offset
    applied = _applied(request, ("count", "handling", "timezone"))

    def answer(row: Any) -> Response:
        status, headers = _range(row, offset)
        headers["content-location"] = f"/{name}"
        return _respond(request, row, status, {**headers, **applied}, row["body"])

    return answer


def called(request: Request, function: Function, offset: int) -> Answer:
    """For a function: 204 when it returns void, else 200 or 206."""
    applied = _applied(request, ("count", "handling", "timezone", "max-affected"))

    def answer(row: Any) -> Response:
        status, headers = _range(row, offset)
        if function.returns_void:
            return _respond(request, row, 204, {**headers, **applied}, None)
        return _respond(request, row, status, {**headers, **applied}, row["body"])

    return answer


def written(request: Request, relation: Relation, query: Query) -> Answer:
    """For POST 201 (200: an upsert that added nothing), PATCH and DELETE 200 or 204, PUT."""
    kinds = ["missing", "return", "count", "handling", "timezone"]
    if request.method == "POST" and (relation.primary_key or query.on_conflict):
        kinds.append("resolution")
    if request.method in ("PATCH", "DELETE"):
        kinds.append("max-affected")
    if request.method in ("DELETE", "PUT"):
        kinds.remove("missing")
    applied = _applied(request, kinds)
    full = request.prefer.get("return") == "representation"

    def answer(row: Any) -> Response:
        headers = dict(applied)
        if request.method != "PUT":
            total = row["page"] if request.counts else None
            shown = row["page"] if request.method == "PATCH" else 0
            headers["content-range"] = _content_range(0, shown, total)
        if row["location"]:
            headers["location"] = f"/{relation.name}?" + "&".join(row["location"])
        status = _status_written(request, row, full=full)
        return _respond(request, row, status, headers, row["body"] if full else None)

    return answer


def _status_written(request: Request, row: Any, *, full: bool) -> int:
    added = row["inserted"]
    if request.method == "POST":
        merged = request.prefer.get("resolution") == "merge-duplicates"
        return 200 if merged and (added or 0) <= 0 else 201
    if not full:
        return 204
    return 201 if request.method == "PUT" and (added or 0) > 0 else 200


def _range(row: Any, offset: int) -> tuple[int, dict[str, str]]:
    page, total = row["page"], row["total"]
    headers = {"content-range": _content_range(offset, page, total)}
    if total is None:
        return 200, headers
    if offset > total:
        raise RestError(
            416,
            "PGRST103",
            "Requested range not satisfiable",
            f"An offset of {offset} was requested, but there are only {total} rows.",
            headers={"content-range": headers["content-range"]},
        )
    return (206 if page < total else 200), headers


def _content_range(offset: int, page: int, total: int | None) -> str:
    rows = f"{offset}-{offset + page - 1}" if page and total != 0 else "*"
    return f"{rows}/{'*' if total is None else total}"


def _applied(request: Request, kinds: "tuple[str, ...] | list[str]") -> dict[str, str]:
    """Preference-Applied, in PostgREST's order."""
    order = [*PREFERENCES, "timezone", "max-affected"]
    names = [n for n in order if n in kinds and n in request.prefer]
    if not request.strict and "max-affected" in names:
        names.remove("max-affected")
    applied = ", ".join(f"{name}={request.prefer[name]}" for name in names)
    return {"preference-applied": applied} if applied else {}


def _respond(
    request: Request, row: Any, status: int, headers: dict[str, str], body: str | None
) -> Response:
    """The answer, after what the SQL said through response.status and response.headers."""
    if row["status"]:
        if not row["status"].isdigit() or not 100 <= int(row["status"]) <= 599:
            message = "response.status guc must be a valid status code"
            raise RestError(500, "PGRST112", message)
        status = int(row["status"])
    media_type = None if body is None else request.media_type
    content = b"" if body is None or request.method == "HEAD" else body.encode()
    response = Response(content, status, headers, media_type)
    if body is None and request.method == "HEAD":
        response.headers["content-type"] = request.media_type
    for name, value in _raised_headers(row["headers"]):
        if name.lower() in headers or name.lower() == "content-type":
            response.headers[name] = value
        else:
            response.headers.append(name, value)
    return response


def _raised_headers(text: str | None) -> list[tuple[str, str]]:
    """[{"Name": "value"}, …] as set by the SQL."""
    if not text:
        return []
    try:
        entries = orjson.loads(text)
        pairs = [pair for entry in entries for pair in entry.items()]
        if all(len(entry) == 1 for entry in entries) and all(
            isinstance(value, str) for _, value in pairs
        ):
            return pairs
    except (ValueError, AttributeError, TypeError):
        pass
    message = "response.headers guc must be a JSON array composed of objects with a single key and"
    raise RestError(500, "PGRST111", f"{message} a string value")
