"""Captured bodies read by an adapter, offline: which items they split into, and what those say."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from functions.core.errors import InvalidRequest
from functions.providers.base import Provider

Json = dict[str, Any]


def captured(raw: bytes) -> list[Any]:
    """The bodies of a file: one JSON value, an array of them, or one per line. Raises
    InvalidRequest invalid_capture."""
    try:
        whole = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return [_parsed(line) for line in raw.splitlines() if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            "The file is neither JSON nor JSON lines.", code="invalid_capture", hint=f"{error}."
        ) from None


def replay(provider: Provider, body: Any, route: str | None = None) -> Iterator[Json]:
    """{kind, route, dedupe_key, events} of each item of a body, or of one item as it is stored
    ({kind, raw, ...}). `route`: the number that the address of an Evolution server stands for.
    Raises InvalidBody."""
    if isinstance(body, dict) and isinstance(body.get("raw"), dict) and "kind" in body:
        yield _read(provider, body["kind"], body["raw"], body.get("dedupe_key"), None)
        return
    for item in provider.split(orjson.dumps(body), route):
        named = f"{item.route_kind}:{item.route_value}"
        yield _read(provider, item.kind, item.raw, item.dedupe_key, named)


def _read(provider: Provider, kind: str, raw: Json, key: str | None, route: str | None) -> Json:
    events = [asdict(event) for event in provider.parse(kind, raw)]
    return {"kind": kind, "route": route, "dedupe_key": key, "events": events}
