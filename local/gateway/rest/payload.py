"""The body of a request: the JSON that Postgres takes apart, and the keys it is known to have."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl

import orjson

from local.gateway.rest.errors import RestError
from local.gateway.rest.media import BYTES, CSV, FORM, JSON

RAW = ("text/plain", "text/xml", BYTES)


@dataclass(frozen=True, slots=True)
class Payload:
    """`raw` is JSON text unless a function takes the body as it is.

    `keys`: of every object in it, in alphabetical order. `pairs`: those of a form.
    """

    raw: bytes
    keys: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] | None = None

    @property
    def is_array(self) -> bool:
        """Whether it is a JSON array; Postgres finds out whether it is JSON at all."""
        return not self.raw.lstrip(b" \t\n\r").startswith(b"{")


def read_payload(
    body: bytes, content_type: str, columns: list[str] | None, *, for_function: bool
) -> Payload:
    """The body understood; with `columns` it is passed on as it is, and these are the keys.

    Raises: RestError 400 PGRST102 for a body that is not of its type, or of a type not taken.
    """
    if content_type == JSON:
        if columns is not None:
            return Payload(body, tuple(sorted(set(columns))))
        return _of_json(body or (b"{}" if for_function else b""))
    if content_type == CSV:
        return _of_csv(body)
    if content_type == FORM:
        pairs = tuple(parse_qsl(_text(body), keep_blank_values=True))
        keys = tuple(sorted({key for key, _ in pairs}))
        return Payload(orjson.dumps(dict(pairs)), keys, pairs if for_function else None)
    if content_type in RAW and for_function:
        return Payload(body)
    raise _refused(f"Content-Type not acceptable: {content_type}")


def _of_json(body: bytes) -> Payload:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _refused("Empty or invalid json") from None
    if isinstance(content, dict):
        return Payload(body, tuple(sorted(content)))
    if not isinstance(content, list) or not content:
        return Payload(b"[]")
    return Payload(body, _common_keys(content))


def _common_keys(rows: Iterable[Any]) -> tuple[str, ...]:
    kinds = {tuple(sorted(row)) if isinstance(row, dict) else None for row in rows}
    keys = kinds.pop()
    if kinds or keys is None:
        raise _refused("All object keys must match")
    return keys


def _of_csv(body: bytes) -> Payload:
    header, *lines = [line for line in csv.reader(StringIO(_text(body))) if line] or [[]]
    if any(len(line) != len(header) for line in lines):
        raise _refused("All lines must have same number of fields")
    rows = [
        {key: None if value == "NULL" else value for key, value in zip(header, line, strict=True)}
        for line in lines
    ]
    return Payload(orjson.dumps(rows), tuple(sorted(set(header))) if rows else ())


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _refused("Empty or invalid json") from None


def _refused(message: str) -> RestError:
    return RestError(400, "PGRST102", message)
