"""From the statement's result to the HTTP answer: status, headers, body."""

from urllib.parse import quote

import orjson

from local.gateway.rest.catalog import Function, Relation
from local.gateway.rest.errors import Answer, RestError
from local.gateway.rest.media import Media
from local.gateway.rest.querystring import Query
from local.gateway.rest.request import PREFERENCES, Request
from local.gateway.rest.transaction import Result
from local.gateway.rest.window import Window, unsatisfiable

READ_PREFERENCES = ("count", "tx", "handling", "timezone")


def found(
    request: Request, result: Result, media: Media, window: Window, name: str, query: Query
) -> Answer:
    """For GET and HEAD on a table: 200, or 206 when the total is known and larger."""
    status, content_range = _range(result, window.offset)
    location = f"/{quote(name, safe='')}" + (f"?{query.canonical}" if query.canonical else "")
    headers = [("content-range", content_range), ("content-location", location)]
    headers += _content(request, media) + _applied(request, READ_PREFERENCES)
    return _answer(request, result, status, headers, result.body)


def called(
    request: Request, result: Result, media: Media, window: Window, function: Function
) -> Answer:
    """For a function: 204 when it returns void, else 200 or 206."""
    status, content_range = _range(result, window.offset)
    headers = [("content-range", content_range)]
    headers += _applied(request, (*READ_PREFERENCES, "max-affected"))
    if function.returns_void:
        return _answer(request, result, 204, headers, b"")
    return _answer(request, result, status, headers + _content(request, media), result.body)


def written(
    request: Request, result: Result, media: Media, relation: Relation, query: Query
) -> Answer:
    """For POST 201 (200: an upsert that added nothing), PATCH and DELETE 200 or 204, PUT."""
    kinds = ["return", *READ_PREFERENCES]
    if request.method == "POST" and (relation.primary_key or query.on_conflict):
        kinds.append("resolution")
    if request.method in ("POST", "PATCH"):
        kinds.append("missing")
    if request.method in ("PATCH", "DELETE"):
        kinds.append("max-affected")
    headers = _applied(request, kinds)
    if request.method != "PUT":
        counted = request.prefer.get("count") in ("exact", "estimated")
        shown = result.page if request.method == "PATCH" else 0
        headers.append(("content-range", content_range(0, shown, result.page if counted else None)))
    if result.location:
        pairs = [
            f"{quote(key, safe='')}={'is.null' if value is None else quote(f'eq.{value}', safe='')}"
            for key, value in result.location.items()
        ]
        headers.append(("location", f"/{quote(relation.name.name, safe='')}?{'&'.join(pairs)}"))
    status = _status_written(request, result)
    if not request.full:
        return _answer(request, result, status, headers, b"")
    return _answer(request, result, status, headers + _content(request, media), result.body)


def explained(request: Request, result: Result, media: Media) -> Answer:
    """Postgres' plan of the statement."""
    return Answer(200, _content(request, media), result.body)


def _status_written(request: Request, result: Result) -> int:
    added = result.inserted or 0
    if request.method == "POST":
        merged = request.prefer.get("resolution") == "merge-duplicates"
        return 200 if merged and added <= 0 else 201
    if not request.full:
        return 204
    return 201 if request.method == "PUT" and added > 0 else 200


def _range(result: Result, offset: int) -> tuple[int, str]:
    page, total = result.page, result.total
    shown = content_range(offset, page, total)
    if total is not None and offset > total:
        details = f"An offset of {offset} was requested, but there are only {total} rows."
        raise unsatisfiable(details, shown)
    return (206 if total is not None and page < total else 200), shown


def content_range(offset: int, page: int, total: int | None) -> str:
    """The Content-Range header: `0-9/42`, `*` for what is empty or unknown."""
    rows = f"{offset}-{offset + page - 1}" if page and total != 0 else "*"
    return f"{rows}/{'*' if total is None else total}"


def _applied(request: Request, kinds: "tuple[str, ...] | list[str]") -> list[tuple[str, str]]:
    """Preference-Applied, in PostgREST's order."""
    order = [*PREFERENCES, "timezone", "max-affected"]
    names = [n for n in order if n in kinds and n in request.prefer]
    if not request.strict and "max-affected" in names:
        names.remove("max-affected")
    applied = ", ".join(f"{name}={request.prefer[name]}" for name in names)
    return [("preference-applied", applied)] if applied else []


def _content(request: Request, media: Media) -> list[tuple[str, str]]:
    headers = [("content-type", media.content_type)]
    return headers + [("content-profile", request.schema)] * request.says_schema


def _answer(
    request: Request, result: Result, status: int, headers: list[tuple[str, str]], body: bytes
) -> Answer:
    """The answer, after what the SQL said through response.status and response.headers."""
    if result.status is not None:
        if not result.status.isdigit() or not 100 <= int(result.status) <= 599:
            message = "response.status guc must be a valid status code"
            raise RestError(500, "PGRST112", message)
        status = int(result.status)
    raised = _raised_headers(result.headers)
    names = {name for name, _ in raised}
    kept = [pair for pair in headers if pair[0] not in names]
    return Answer(status, kept + raised, b"" if request.method == "HEAD" else body)


def _raised_headers(text: bytes | None) -> list[tuple[str, str]]:
    """[{"Name": "value"}, …] as set by the SQL."""
    if not text:
        return []
    try:
        entries = orjson.loads(text)
        pairs = [pair for entry in entries for pair in entry.items()]
        if all(len(entry) == 1 for entry in entries) and all(
            isinstance(value, str) for _, value in pairs
        ):
            return [(name.lower(), value) for name, value in pairs]
    except (ValueError, AttributeError, TypeError):
        pass
    message = "response.headers guc must be a JSON array composed of objects with a single key and"
    raise RestError(500, "PGRST111", f"{message} a string value")
