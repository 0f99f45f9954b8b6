"""A REST request, understood: method, path, query, preferences, schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

import orjson

from local.gateway.rest.catalog import Catalog
from local.gateway.rest.errors import RestError
from local.gateway.rest.media import JSON, canonical

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
    """`query` are the decoded pairs of the query string, without the API key.

    `schema` is the one meant; `says_schema`: the answer names it, for there are several.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: list[tuple[str, str]]
    body: bytes
    prefer: Mapping[str, str]
    schema: str
    says_schema: bool
    invalid_preferences: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether it may change nothing."""
        return self.method in ("GET", "HEAD")

    @property
    def strict(self) -> bool:
        """Whether preferences that cannot be met are errors."""
        return self.prefer.get("handling") == "strict"

    @property
    def full(self) -> bool:
        """Whether the rows written are to be answered."""
        return self.prefer.get("return") == "representation"

    @property
    def max_affected(self) -> int | None:
        """How many rows may change at most."""
        return int(self.prefer["max-affected"]) if "max-affected" in self.prefer else None

    @property
    def content_type(self) -> str:
        """The body's media type."""
        return canonical(self.headers.get("content-type", JSON))

    @property
    def headers_json(self) -> str:
        """For the setting request.headers."""
        return orjson.dumps({k: v for k, v in self.headers.items() if k != "cookie"}).decode()

    @property
    def cookies_json(self) -> str:
        """For the setting request.cookies."""
        cookie = self.headers.get("cookie")
        if not cookie:
            return "{}"
        try:
            parsed = SimpleCookie(cookie)
        except CookieError:
            return "{}"
        return orjson.dumps({name: morsel.value for name, morsel in parsed.items()}).decode()

    def check_preferences(self) -> None:
        """Raises RestError 400 PGRST122 for unknown preferences when handling=strict."""
        if self.strict and self.invalid_preferences:
            message = "Invalid preferences given with handling=strict"
            shown = ", ".join(self.invalid_preferences)
            raise RestError(400, "PGRST122", message, f"Invalid preferences: {shown}")


def understand(
    catalog: Catalog, method: str, path: str, headers: Mapping[str, str], query: bytes, body: bytes
) -> Request:
    """The request. Raises RestError 406 PGRST106: the schema is not exposed."""
    schemas = catalog.config.schemas
    reads = method in ("GET", "HEAD", "OPTIONS")
    profile = headers.get("accept-profile" if reads else "content-profile")
    if profile is not None and profile not in schemas:
        hint = f"Only the following schemas are exposed: {', '.join(schemas)}"
        raise RestError(406, "PGRST106", f"Invalid schema: {profile}", None, hint)
    prefer, invalid = _preferences(catalog, headers.get("prefer", ""))
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, separator="&")
    return Request(
        method,
        path,
        headers,
        [(key, value) for key, value in pairs if key != "apikey"],
        body,
        prefer,
        profile or schemas[0],
        profile is not None or len(schemas) > 1,
        invalid,
    )


def _preferences(catalog: Catalog, header: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The first of each kind counts; beside them those that are none."""
    found: dict[str, str] = {}
    invalid = []
    for entry in map(str.strip, header.split(",")):
        name, _, value = entry.partition("=")
        known = value in PREFERENCES.get(name, ())
        if name == "timezone":
            known = True  # Postgres knows them
        elif name == "max-affected":
            known = value.isascii() and value.isdigit()
        if not known:
            invalid.append(entry)
        elif name != "tx" or catalog.config.transaction_end_can_change:
            found.setdefault(name, value)
    return found, tuple(entry for entry in invalid if entry)
