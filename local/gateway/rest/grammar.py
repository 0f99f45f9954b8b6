"""Parsers for the parts of a query string: names, select lists, conditions, order terms."""

import re
from dataclasses import dataclass
from typing import NoReturn

from local.gateway.rest.errors import RestError, bad_query, not_implemented

# Operators that take one value as it stands, and their SQL.
OPERATORS = {
    "eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like",
    "ilike": "ilike", "match": "~", "imatch": "~*", "cs": "@>", "cd": "<@", "ov": "&&",
    "sl": "<<", "sr": ">>", "nxr": "&<", "nxl": "&>", "adj": "-|-",
    "isdistinct": "is distinct from",
}  # fmt: skip
QUANTIFIABLE = ("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch")
FULL_TEXT = ("fts", "plfts", "phfts", "wfts")
IS_VALUES = {
    "null": "null", "not_null": "not null", "true": "true", "false": "false", "unknown": "unknown"
}  # fmt: skip
AGGREGATES = ("avg", "count", "max", "min", "sum")

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# Letters, digits, _, $ and spaces; a dash when it is not the start of an arrow.
BARE = re.compile(r"[\w$ ]+(?:-(?!>)[\w$ ]*)*")
ARROW = re.compile(r"->>?")
CAST = re.compile(r"::([\w ]+(?:\[\])?)")
OPERATION = re.compile(r"(not\.)?([a-z]+)(?:\((any|all)\))?\.", re.ASCII)
FULL_TEXT_START = re.compile(r"(?:not\.)?(?:fts|plfts|phfts|wfts)[(.]")


@dataclass(frozen=True, slots=True)
class Name:
    """A column and the way into its JSON: pairs of arrow and key."""

    column: str
    path: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """What it is called in the answer: the last key that is no index, else the column."""
        keys = [key for _, key in self.path if not key.lstrip("-").isdigit()]
        return keys[-1] if keys else self.column


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One column of the answer; column '*' stands for all."""

    name: Name
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Rows of a related table inside each row."""

    target: str
    hint: str | None
    inner: bool
    alias: str | None
    select: "list[SelectItem | Embed]"


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is a key of OPERATORS, 'in' or 'is'; `values` has one entry except for 'in'."""

    name: Name
    operator: str
    values: tuple[str, ...]
    negated: bool = False
    quantifier: str | None = None


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by 'and' or 'or'."""

    word: str
    members: "tuple[Condition | Logic, ...]"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """`direction` and `nulls` are SQL words or ''."""

    name: Name
    direction: str
    nulls: str


class Cursor:
    """A place in a text; `what` names the text in error messages."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.place = 0
        self._what = what

    @property
    def done(self) -> bool:
        """Whether everything is read."""
        return self.place >= len(self.text)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Reads `pattern` when it stands here."""
        match = pattern.match(self.text, self.place)
        if match:
            self.place = match.end()
        return match

    def accept(self, mark: str) -> bool:
        """Reads `mark` when it stands here."""
        if self.text.startswith(mark, self.place):
            self.place += len(mark)
            return True
        return False

    def expect(self, mark: str) -> None:
        """Reads `mark` or fails."""
        if not self.accept(mark):
            self.fail(f'expecting "{mark}"')

    def fail(self, why: str) -> NoReturn:
        """Raises PGRST100 with the place."""
        found = f'"{self.text[self.place]}"' if not self.done else "end of input"
        where = f"(line 1, column {self.place + 1})"
        message = f'"failed to parse {self._what} ({self.text})" {where}'
        raise bad_query(message, f"unexpected {found} {why}")


def parse_select(text: str) -> list[SelectItem | Embed]:
    """`a,b:c->>d::text,child!hint!inner(x)`."""
    cursor = Cursor(text, "select parameter")
    items = _items(cursor)
    if not cursor.done:
        cursor.fail('expecting "," or end of input')
    return items


def parse_names(text: str, what: str) -> list[str]:
    """`a,"b c"`: columns of the columns and on_conflict parameters."""
    cursor = Cursor(text, f"{what} parameter")
    names = [_name(cursor)]
    while cursor.accept(","):
        names.append(_name(cursor))
    if not cursor.done:
        cursor.fail('expecting "," or end of input')
    return names


def parse_order(text: str) -> list[Order]:
    """`a.desc.nullslast,b->>c`."""
    cursor = Cursor(text, "order")
    terms = [_order(cursor)]
    while cursor.accept(","):
        terms.append(_order(cursor))
    if not cursor.done:
        cursor.fail('expecting "," or end of input')
    return terms


def parse_key(text: str) -> tuple[tuple[str, ...], Name]:
    """`embed.column->>key`: where the condition belongs and what it compares."""
    cursor = Cursor(text, "tree path")
    names = [_name(cursor)]
    while cursor.accept("."):
        names.append(_name(cursor))
    path = _path(cursor)
    if not cursor.done:
        cursor.fail('expecting "." or end of input')
    return tuple(names[:-1]), Name(names[-1], path)


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


def _items(cursor: Cursor) -> list[SelectItem | Embed]:
    items: list[SelectItem | Embed] = []
    if cursor.done or cursor.text.startswith(")", cursor.place):
        return items
    while True:
        items.append(_item(cursor))
        if not cursor.accept(","):
            return items


def _item(cursor: Cursor) -> SelectItem | Embed:
    if cursor.accept("..."):
        raise not_implemented("Spread embeds are not served by the local gateway")
    if cursor.accept("*"):
        return SelectItem(Name("*"))
    alias, name = None, _name(cursor)
    if cursor.text.startswith(":", cursor.place) and not cursor.text.startswith("::", cursor.place):
        cursor.accept(":")
        alias, name = name, _name(cursor)
    if name in AGGREGATES and cursor.accept("()"):
        _refuse_aggregate()
    if cursor.text[cursor.place : cursor.place + 1] in ("!", "("):
        return _embed(cursor, name, alias)
    path = _path(cursor)
    if cursor.accept("."):
        _refuse_aggregate()
    cast = cursor.take(CAST)
    return SelectItem(Name(name, path), alias, cast[1].strip() if cast else None)


def _refuse_aggregate() -> NoReturn:
    # Hosted projects have them switched off too, with this answer.
    raise RestError(400, "PGRST123", "Use of aggregate functions is not allowed")


def _embed(cursor: Cursor, target: str, alias: str | None) -> Embed:
    hint, inner = None, False
    while cursor.accept("!"):
        word = _name(cursor)
        if word == "inner":
            inner = True
        elif word != "left":
            hint = word
    cursor.expect("(")
    select = _items(cursor)
    cursor.expect(")")
    return Embed(target, hint, inner, alias, select)


def _name(cursor: Cursor) -> str:
    quoted = cursor.take(QUOTED)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    bare = cursor.take(BARE)
    if not bare or not bare[0].strip():
        cursor.fail("expecting field name (* or [a..z0..9_$])")
    return bare[0].strip()


def _path(cursor: Cursor) -> tuple[tuple[str, str], ...]:
    steps = []
    while arrow := cursor.take(ARROW):
        steps.append((arrow[0], _name(cursor)))
    return tuple(steps)


def _order(cursor: Cursor) -> Order:
    name = Name(_name(cursor), _path(cursor))
    if cursor.accept("("):
        raise not_implemented("Ordering by an embedded resource is not served by the local gateway")
    direction = nulls = ""
    while cursor.accept("."):
        word = _name(cursor)
        if word in ("asc", "desc") and not direction and not nulls:
            direction = word
        elif word in ("nullsfirst", "nullslast") and not nulls:
            nulls = "nulls first" if word == "nullsfirst" else "nulls last"
        else:
            cursor.fail("expecting asc, desc, nullsfirst or nullslast")
    return Order(name, direction, nulls)


def _condition(cursor: Cursor, name: Name, *, nested: bool) -> Condition:
    start = cursor.take(OPERATION)
    if not start:
        if FULL_TEXT_START.match(cursor.text, cursor.place):
            raise not_implemented("Full-text operators are not served by the local gateway")
        cursor.fail("expecting operator (eq, gt, ...)")
    negated, operator, quantifier = bool(start[1]), start[2], start[3]
    if operator in FULL_TEXT:
        raise not_implemented("Full-text operators are not served by the local gateway")
    if operator == "in":
        values = _list(cursor)
        if not cursor.done and not nested:
            cursor.fail("expecting end of input")
        return Condition(name, operator, tuple(values), negated)
    if quantifier and operator not in QUANTIFIABLE:
        cursor.fail("expecting an operator that any and all apply to")
    if operator not in OPERATORS and operator != "is":
        cursor.place = 0 if not nested else cursor.place
        cursor.fail("expecting operator (eq, gt, ...)")
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


ELEMENT = re.compile(r"[^,)]*")


def _element(cursor: Cursor) -> str:
    start = cursor.place
    quoted = cursor.take(QUOTED)
    if quoted and cursor.text[cursor.place : cursor.place + 1] in (",", ")"):
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    cursor.place = start
    match = cursor.take(ELEMENT)
    return match[0] if match else ""


BRACES = re.compile(r"\{[^{}]*\}")


def _nested_value(cursor: Cursor) -> str:
    """A value inside (...): quoted, an array in braces, or up to the next comma or bracket."""
    braces = cursor.take(BRACES)
    return braces[0] if braces else _element(cursor)


LOGIC_START = re.compile(r"(not\.)?(and|or)(?=\()")


def _logic(cursor: Cursor, word: str, negated: bool) -> Logic:
    cursor.expect("(")
    members = [_member(cursor)]
    while cursor.accept(","):
        members.append(_member(cursor))
    cursor.expect(")")
    return Logic(word, tuple(members), negated)


def _member(cursor: Cursor) -> Condition | Logic:
    start = cursor.take(LOGIC_START)
    if start:
        return _logic(cursor, start[2], bool(start[1]))
    name = Name(_name(cursor), _path(cursor))
    cursor.expect(".")
    return _condition(cursor, name, nested=True)
