"""Conditions: `eq.1`, `not.in.(a,b)`, and trees of them: `or=(a.eq.1,and(b.gt.2,c.is.null))`."""

import re

from local.gateway.rest.cursor import FIELD_NAME, QUOTED, Cursor, read_name, read_path, unescape
from local.gateway.rest.nodes import (
    FULL_TEXT,
    IS_VALUES,
    OPERATORS,
    QUANTIFIABLE,
    Condition,
    Logic,
    Name,
)

NOT = re.compile(r"not\.")
# An operator, what may stand behind it in brackets, and the dot before the value.
OPERATION = re.compile(r"([a-z]+)(?:\(([\w $]+)\))?\.", re.ASCII)
OPERATOR = "operator (eq, gt, ...)"
LOGIC_START = re.compile(r"(not\.)?(and|or)(?=\s*\()")
ELEMENT = re.compile(r"[^,)]*")
BRACES = re.compile(r"\{[^{}]*\}")


def parse_condition(name: Name, text: str) -> Condition:
    """`not.in.(1,2)`: everything after the operator is the value."""
    return _condition(Cursor(text, f"filter ({text})"), name, nested=False)


def parse_logic(word: str, text: str, *, negated: bool) -> Logic:
    """`(a.eq.1,not.or(b.gt.2,c.is.null))`."""
    shift = len(word) + len("not." * negated)  # as if the key stood before it
    cursor = Cursor(text, f"logic tree ({text})", shift)
    return _logic(cursor, word, negated)  # what follows is ignored, as in PostgREST


def _condition(cursor: Cursor, name: Name, *, nested: bool) -> Condition:
    negated = bool(cursor.take(NOT))
    begin = cursor.place
    start = cursor.take(OPERATION)
    operator, argument = (start[1], start[2]) if start else ("", None)
    if not _is_operator(operator, argument):
        cursor.place = begin
        cursor.fail(OPERATOR if negated else f'"not" or {OPERATOR}')
    if operator == "in":
        return Condition(name, operator, tuple(_list(cursor)), negated)
    value = _nested_value(cursor) if nested else cursor.text[cursor.place :]
    if operator == "is":
        if value.lower() not in IS_VALUES:
            cursor.place -= len(value) if nested else 0
            cursor.fail("isVal: (null, not_null, true, false, unknown)")
        return Condition(name, operator, (value.lower(),), negated)
    quantifier, language = (None, argument) if operator in FULL_TEXT else (argument, None)
    return Condition(name, operator, (value,), negated, quantifier, language)


def _is_operator(name: str, argument: str | None) -> bool:
    """Text searches take a language; some operators apply to any or all of an array."""
    if argument is None or name in FULL_TEXT:
        return name in OPERATORS or name in FULL_TEXT or name in ("in", "is")
    return name in QUANTIFIABLE and argument in ("any", "all")


def _list(cursor: Cursor) -> list[str]:
    """`(a,"b,c")`. One empty entry means an empty list, as in PostgREST."""
    cursor.spaces()
    cursor.expect("(")
    cursor.spaces()
    values = [_element(cursor)]
    while cursor.accept(","):
        values.append(_element(cursor))
    cursor.expect(")")
    return [] if values == [""] else values


def _element(cursor: Cursor) -> str:
    start = cursor.place
    quoted = cursor.take(QUOTED)
    if quoted and (cursor.done or cursor.at(",)")):
        return unescape(quoted[1])
    cursor.place = start
    match = cursor.take(ELEMENT)
    return match[0] if match else ""


def _nested_value(cursor: Cursor) -> str:
    """A value inside (...): quoted, an array in braces, or up to the next comma or bracket."""
    braces = cursor.take(BRACES)
    return braces[0] if braces else _element(cursor)


def _logic(cursor: Cursor, word: str, negated: bool) -> Logic:
    cursor.spaces()
    cursor.expect("(")
    cursor.descend()
    members = [_member(cursor)]
    while cursor.accept(","):
        members.append(_member(cursor))
    cursor.expect(")")
    cursor.spaces()
    cursor.ascend()
    return Logic(word, tuple(members), negated)


def _member(cursor: Cursor) -> Condition | Logic:
    cursor.spaces()
    start = cursor.take(LOGIC_START)
    if start:
        return _logic(cursor, start[2], bool(start[1]))
    if cursor.done or cursor.at(",)("):
        cursor.fail(f"{FIELD_NAME}, negation operator (not) or logic operator (and, or)")
    name = Name(read_name(cursor), read_path(cursor))
    cursor.expect(".")
    condition = _condition(cursor, name, nested=True)
    cursor.spaces()
    return condition
