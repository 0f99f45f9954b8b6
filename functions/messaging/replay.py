"""Captured bodies read by an adapter, offline: which items they split into, and what those say."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from functions.core.errors import InvalidRequest
from functions.providers.base import Provider

Json = dict[str, Any]


def captured(raw: bytes) -> list[Any]:
    """The bodies of a file: JSON values one after the other, each a body or an array of them.

    Raises InvalidRequest invalid_capture."""
    decoder = json.JSONDecoder()
    bodies: list[Any] = []
    try:
        text = raw.decode("utf-8-sig").strip()
        while text:
            body, end = decoder.raw_decode(text)
            bodies += body if isinstance(body, list) else [body]
            text = text[end:].lstrip()
    except (ValueError, RecursionError):
        raise InvalidRequest(
            f"It is no JSON behind the first {len(bodies)} bodies."
            if bodies
            else "It is neither JSON nor JSON lines.",
            code="invalid_capture",
        ) from None
    return bodies


def replay(provider: Provider, body: Any, route: str | None = None) -> Iterator[Json]:
    """{kind, route, dedupe_key, events} of each item of a body, or of one item as it is stored
    ({kind, raw, ...}). `route`: the number that the address of an Evolution server stands for.
    Raises InvalidBody."""
    if isinstance(body, dict) and isinstance(body.get("raw"), dict) and "kind" in body:
        yield _read(provider, body["kind"], body["raw"], body.get("dedupe_key"), None)
        return
    for item in provider.split(json.dumps(body).encode(), route):
        named = f"{item.route_kind}:{item.route_value}"
        yield _read(provider, item.kind, item.raw, item.dedupe_key, named)


def _read(provider: Provider, kind: str, raw: Json, key: str | None, route: str | None) -> Json:
    events = [asdict(event) for event in provider.parse(kind, raw)]
    return {"kind": kind, "route": route, "dedupe_key": key, "events": events}
