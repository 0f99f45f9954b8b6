"""Dedupe keys: readable where the parts are plain, hashed where they are long or strange."""

import hashlib
import re
from typing import Any

import orjson

_PLAIN = re.compile(r"[!-{}~]{1,128}")  # printable ASCII without '|', which separates the parts


def dedupe_key(*parts: str) -> str:
    """At most 300 characters; different parts give different keys."""
    key = "|".join(part if _PLAIN.fullmatch(part) else f"#{digest(part)}" for part in parts)
    return key if len(key) <= 300 else f"#{digest(key)}"


def digest(value: Any) -> str:
    """The same for equal JSON values, whatever the order of their fields."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    return hashlib.sha256(orjson.dumps(value, option=options)).hexdigest()[:40]
