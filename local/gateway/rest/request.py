"""A REST request, understood: method, preferences, media types, profile, body."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import available_timezones

import orjson
from starlette.datastructures import Headers

from local.gateway.rest.catalog import SCHEMA
from local.gateway.rest.errors import RestError
from local.gateway.rest.transaction import Facts

JSON = "application/json"
SINGULAR = "application/vnd.pgrst.object+json"
JSON_RANGES = ("*/*", "application/*", JSON, "application/vnd.pgrst.array+json")
# Preference name -> its possible values; the order is that of Preference-Applied.
PREFERENCES = {
    "resolution": ("merge-duplicates", "ignore-duplicates"),
    "missing": ("default", "null"),
    "return": ("representation", "minimal", "headers-only"),
    "count": ("exact", "planned", "estimated"),
    "tx": ("commit", "rollback"),
    "handling": ("strict", "lenient"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """`query` are the decoded pairs of the query string, without the API key."""

    method: str
    path: str
    headers: Headers
    query: list[tuple[str, str]]
    body: bytes
    prefer: Mapping[str, str]
    singular: bool
    content_type: str

    @property
    def strict(self) -> bool:
        """Whether preferences that cannot be met are errors."""
        return self.prefer.get("handling") == "strict"

    @property
    def counts(self) -> bool:
        """Whether the total is wanted."""
        return "count" in self.prefer

    @property
    def media_type(self) -> str:
        """The Content-Type of the answer."""
        return f"{SINGULAR if self.singular else JSON}; charset=utf-8"

    def facts(self) -> Facts:
        """What the transaction is told."""
        headers = {k.lower(): v for k, v in self.headers.items() if k.lower() != "cookie"}
        cookies = _cookies(self.headers.get("cookie"))
        timezone = self.prefer.get("timezone")
        return Facts(self.method, self.path, headers, cookies, timezone)

    def json(self) -> Any:
        """The body parsed, only to learn its keys: its text is what Postgres gets.

        Raises: RestError 400 PGRST102.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise RestError(400, "PGRST102", "Empty or invalid json") from None

    def text(self) -> str:
        """The body as text. Raises: RestError 400 PGRST102 when it is not UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            raise RestError(400, "PGRST102", "Empty or invalid json") from None


def understand(
    method: str, path: str, headers: Headers, query_string: bytes, body: bytes
) -> Request:
    """The request, or RestError: PGRST106 schema, PGRST107 media type, PGRST122 preference."""
    profile = headers.get("accept-profile" if method in ("GET", "HEAD") else "content-profile")
    if profile not in (None, SCHEMA):
        hint = f"Only the following schemas are exposed: {SCHEMA}"
        raise RestError(406, "PGRST106", f"Invalid schema: {profile}", None, hint)
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    return Request(
        method=method,
        path=path,
        headers=headers,
        query=[(key, value) for key, value in pairs if key != "apikey"],
        body=body,
        prefer=_preferences(headers.getlist("prefer")),
        singular=_is_singular(headers.get("accept", "*/*")),
        content_type=headers.get("content-type", JSON).partition(";")[0].strip().lower(),
    )


def _is_singular(accept: str) -> bool:
    """The first acceptable media type decides, as in PostgREST: it ranks them by q and place."""
    ranges = []
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        ranges.append((-_number(weight), name, "nulls=stripped" in parameters))
    for _, name, stripped in sorted(ranges, key=lambda entry: entry[0]):
        if name in (SINGULAR, "application/vnd.pgrst.object") and not stripped:
            return True
        if name in JSON_RANGES and not stripped:
            return False
    names = ", ".join(name for _, name, _ in ranges)
    raise RestError(406, "PGRST107", f"None of these media types are available: {names}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _preferences(values: list[str]) -> dict[str, str]:
    """The first of each kind counts. Raises PGRST122 for unknown ones when handling=strict."""
    found: dict[str, str] = {}
    invalid = []
    for entry in (part.strip() for value in values for part in value.split(",")):
        name, _, value = entry.partition("=")
        known = value in PREFERENCES.get(name, ())
        if name == "timezone":
            known = value in _timezones()
        elif name == "max-affected":
            known = value.isdigit()
        if known and name != "tx":  # ending the transaction otherwise is switched off on hosted
            found.setdefault(name, value)
        elif entry and not known:
            invalid.append(entry)
    if invalid and found.get("handling") == "strict":
        message = "Invalid preferences given with handling=strict"
        raise RestError(400, "PGRST122", message, "Invalid preferences: " + ", ".join(invalid))
    return found


@cache
def _timezones() -> set[str]:
    return available_timezones()


def _cookies(header: str | None) -> dict[str, str]:
    if not header:
        return {}
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
