"""Conditions: `eq.1`, `not.in.(a,b)`, and trees of them: `or=(a.eq.1,and(b.gt.2,c.is.null))`."""

import re

from local.gateway.rest.cursor import QUOTED, Cursor, read_name, read_path, unescape
from local.gateway.rest.errors import not_implemented
from local.gateway.rest.nodes import IS_VALUES, OPERATORS, Condition, Logic, Name

QUANTIFIABLE = ("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch")
OPERATION = re.compile(r"(not\.)?([a-z]+)(?:\((any|all)\))?\.", re.ASCII)
FULL_TEXT = re.compile(r"(?:not\.)?(?:fts|plfts|phfts|wfts)[(.]")
LOGIC_START = re.compile(r"(not\.)?(and|or)(?=\()")
ELEMENT = re.compile(r"[^,)]*")
BRACES = re.compile(r"\{[^{}]*\}")


def parse_condition(name: Name, text: str) -> Condition:
    """`not.in.(1,2)`: everything after the operator is the value."""
    cursor = Cursor(text, "filter")
    return _condition(cursor, name, nested=False)


def parse_logic(word: str, text: str, *, negated: bool) -> Logic:
    """`(a.eq.1,not.or(b.gt.2,c.is.null))`."""
    cursor = Cursor(text, "logic tree")
    logic = _logic(cursor, word, negated)
    if not cursor.done:
        cursor.fail("expecting end of input")
    return logic


def _condition(cursor: Cursor, name: Name, *, nested: bool) -> Condition:
    if FULL_TEXT.match(cursor.text, cursor.place):
        raise not_implemented("Full-text operators are not served by the local gateway")
    begin = cursor.place
    start = cursor.take(OPERATION)
    if not start or start[2] not in (*OPERATORS, "in", "is"):
        cursor.place = begin
        cursor.fail("expecting operator (eq, gt, ...)")
    negated, operator, quantifier = bool(start[1]), start[2], start[3]
    if quantifier and operator not in QUANTIFIABLE:
        cursor.fail("expecting an operator that any and all apply to")
    if operator == "in":
        values = _list(cursor)
        if not nested and not cursor.done:
            cursor.fail("expecting end of input")
        return Condition(name, operator, tuple(values), negated)
    value = _nested_value(cursor) if nested else cursor.text[cursor.place :]
    if operator == "is" and value.lower() not in IS_VALUES:
        cursor.fail("expecting null value: (null, not_null, true, false, unknown)")
    return Condition(name, operator, (value,), negated, quantifier)


def _list(cursor: Cursor) -> list[str]:
    """`(a,"b,c")`. One empty entry means an empty list, as in PostgREST."""
    cursor.expect("(")
    values = [_element(cursor)]
    while cursor.accept(","):
        values.append(_element(cursor))
    cursor.expect(")")
    return [] if values == [""] else values


def _element(cursor: Cursor) -> str:
    start = cursor.place
    quoted = cursor.take(QUOTED)
    if quoted and cursor.text[cursor.place : cursor.place + 1] in (",", ")"):
        return unescape(quoted[1])
    cursor.place = start
    match = cursor.take(ELEMENT)
    return match[0] if match else ""


def _nested_value(cursor: Cursor) -> str:
    """A value inside (...): quoted, an array in braces, or up to the next comma or bracket."""
    braces = cursor.take(BRACES)
    return braces[0] if braces else _element(cursor)


def _logic(cursor: Cursor, word: str, negated: bool) -> Logic:
    cursor.expect("(")
    cursor.descend()
    members = [_member(cursor)]
    while cursor.accept(","):
        members.append(_member(cursor))
    cursor.expect(")")
    cursor.ascend()
    return Logic(word, tuple(members), negated)


def _member(cursor: Cursor) -> Condition | Logic:
    start = cursor.take(LOGIC_START)
    if start:
        return _logic(cursor, start[2], bool(start[1]))
    name = Name(read_name(cursor), read_path(cursor))
    cursor.expect(".")
    return _condition(cursor, name, nested=True)
