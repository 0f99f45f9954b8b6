"""Reading a value whose shape is only promised: each function returns None instead of raising."""

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from functions.providers.events import Json

_MILLISECONDS_FROM = 100_000_000_000  # as seconds that is the year 5138
_LAST_SECOND = 4_102_444_800  # the year 2100: whatever says it, it is not a message of then
_INTEGER = re.compile(r"[+-]?\d{1,18}(\.\d+)?", re.ASCII)
_LONGEST_TEXT = 4096
_MOST_ELEMENTS = 100
_LARGEST_PAYLOAD = 48_000  # the column takes 64 kB of jsonb
_TIGHTER = ((1024, 100), (256, 50), (64, 20))  # the longest text, the most elements of a list
_BYTES_FIELDS = frozenset({
    "base64", "jpegThumbnail", "JPEGThumbnail", "thumbnail", "pngThumbnail", "waveform",
    "mediaKey", "messageSecret", "scansSidecar", "midQualityFileSha256", "firstScanSidecar",
})  # fmt: skip


def record(value: Any) -> Json:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any) -> list[Json]:
    """The objects of a list, or the object alone; anything else in the list is left out."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def at(value: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: Any) -> str | None:
    """A string that says something; numbers are read as their digits."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return None


def first_text(*values: Any) -> str | None:
    return next((found for value in values if (found := text(value)) is not None), None)


def integer(value: Any) -> int | None:
    """An integer written as a number, as digits or as a JavaScript Long {low, high, unsigned}."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value == value and abs(value) < 2**63 else None
    if isinstance(value, str):
        stripped = value.strip()
        return int(stripped.split(".")[0]) if _INTEGER.fullmatch(stripped) else None
    if isinstance(value, dict):
        return _long(value)
    return None


def _long(value: Json) -> int | None:
    low, high = value.get("low"), value.get("high", 0)
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    whole = ((high & 0xFFFFFFFF) << 32) | (low & 0xFFFFFFFF)
    return whole if value.get("unsigned") or whole < 2**63 else whole - 2**64


def instant(value: Any) -> str | None:
    """Seconds or milliseconds since 1970 as ISO 8601 in UTC."""
    number = integer(value)
    if number is None or number <= 0:
        return None
    seconds, milliseconds = number, 0
    if number >= _MILLISECONDS_FROM:
        seconds, milliseconds = divmod(number, 1000)
    if seconds > _LAST_SECOND:
        return None
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
    return moment.isoformat()


def octets(value: Any) -> str | None:
    """Bytes as base64: from base64, a list, a Buffer {type, data} or an object {"0": 7, ...}."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        inner = value.get("data")
        if isinstance(inner, list | str):
            return octets(inner)
        ordered = sorted((key for key in value if key.isdecimal() and len(key) < 10), key=int)
        return _encoded(value[key] for key in ordered)
    return _encoded(value) if isinstance(value, list) else None


def _encoded(numbers: Iterable[Any]) -> str | None:
    try:
        whole = bytes(numbers)
    except (TypeError, ValueError):
        return None
    return base64.b64encode(whole).decode() if whole else None


def compact(
    value: Any, depth: int = 6, longest: int = _LONGEST_TEXT, most: int = _MOST_ELEMENTS
) -> Any:
    """The value without media bytes and without what is too deep or too long for an event."""
    if isinstance(value, str):
        return value[:longest]
    if isinstance(value, dict):
        if depth == 0 or (len(value) > 8 and "0" in value and "8" in value):  # bytes as an object
            return None
        return {
            key: compact(item, depth - 1, longest, most)
            for key, item in value.items()
            if item is not None and key not in _BYTES_FIELDS
        }
    if isinstance(value, list):
        return [compact(item, depth - 1, longest, most) for item in value[:most]] if depth else None
    return value


def bounded(payload: Json) -> Json:
    """The payload as it is where it can be stored; else shortened until it can, and marked."""
    if _stored_size(payload) <= _LARGEST_PAYLOAD:
        return payload
    for longest, most in _TIGHTER:
        shorter: Json = {**compact(payload, 8, longest, most), "shortened": True}
        if _stored_size(shorter) <= _LARGEST_PAYLOAD:
            return shorter
    plain = {name: part for name, part in shorter.items() if not isinstance(part, dict | list)}
    return plain if _stored_size(plain) <= _LARGEST_PAYLOAD else {"shortened": True}


def _stored_size(payload: Json) -> int:
    # jsonb takes up to 12 bytes for an element that is one digit and a comma here.
    written = orjson.dumps(payload)
    return len(written) + 12 * written.count(b",")


def without_none(**fields: Any) -> Json:
    return {key: value for key, value in fields.items() if value is not None}


def decoded_json(value: Any) -> Any:
    """JSON inside a string, as buttons and forms carry their answer; otherwise the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
