"""The request body as a JSON object that Postgres can keep.

Providers are JavaScript programs: they write halves of emojis as lone surrogates, and people send
NUL characters. orjson refuses the first, jsonb the second; both would lose the whole request.
"""

import json
from typing import Any, NoReturn

import orjson

from functions.core.errors import InvalidBody
from functions.providers.events import Json

MAX_DEPTH = 100  # orjson writes 254 levels; a real body has about 15
_REPLACEMENT = "�"


def read_object(raw: bytes) -> Json:
    """The object in `raw`, characters and depths that cannot be stored replaced.

    Raises: InvalidBody when it is no JSON object.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        body = orjson.loads(raw)
        exact = True
    except orjson.JSONDecodeError:
        body = _read_leniently(raw)
        exact = False
    if not isinstance(body, dict):
        raise InvalidBody("The body is not a JSON object.")
    if exact and b"\\u0000" not in raw and _is_shallow(body):
        return body
    cleaned = _storable(body, MAX_DEPTH)
    assert isinstance(cleaned, dict)
    return cleaned


def _read_leniently(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_int=_number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidBody("The body is not valid JSON.") from error


def _number(digits: str) -> int | float:
    # Python refuses integers of thousands of digits and orjson writes 64 bits.
    return int(digits) if len(digits) < 19 else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _is_shallow(body: Json) -> bool:
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        return False
    return True


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if isinstance(value, dict):
        if depth == 0:
            return None
        return {_storable_text(key): _storable(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth - 1) for item in value] if depth else None
    return value


def _storable_text(text: str) -> str:
    text = text.replace("\x00", _REPLACEMENT)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
