"""Select lists, order terms and the keys of a query string."""

import re
from typing import NoReturn

from local.gateway.rest.cursor import Cursor, read_name, read_path
from local.gateway.rest.errors import RestError, not_implemented
from local.gateway.rest.nodes import Embed, Name, Order, SelectItem

AGGREGATES = ("avg", "count", "max", "min", "sum")
CAST = re.compile(r"::([\w ]+(?:\[\])?)")


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
    names = [read_name(cursor)]
    while cursor.accept(","):
        names.append(read_name(cursor))
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
    names = [read_name(cursor)]
    while cursor.accept("."):
        names.append(read_name(cursor))
    path = read_path(cursor)
    if not cursor.done:
        cursor.fail('expecting "." or end of input')
    return tuple(names[:-1]), Name(names[-1], path)


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
    alias, name = None, read_name(cursor)
    if cursor.text.startswith(":", cursor.place) and not cursor.text.startswith("::", cursor.place):
        cursor.accept(":")
        alias, name = name, read_name(cursor)
    if name in AGGREGATES and cursor.accept("()"):
        _refuse_aggregate()
    if cursor.text[cursor.place : cursor.place + 1] in ("!", "("):
        return _embed(cursor, name, alias)
    path = read_path(cursor)
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
        word = read_name(cursor)
        if word == "inner":
            inner = True
        elif word != "left":
            hint = word
    cursor.expect("(")
    cursor.descend()
    select = _items(cursor)
    cursor.expect(")")
    cursor.ascend()
    return Embed(target, hint, inner, alias, select)


def _order(cursor: Cursor) -> Order:
    name = Name(read_name(cursor), read_path(cursor))
    if cursor.accept("("):
        raise not_implemented("Ordering by an embedded resource is not served by the local gateway")
    direction = nulls = ""
    while cursor.accept("."):
        word = read_name(cursor)
        if word in ("asc", "desc") and not direction and not nulls:
            direction = word
        elif word in ("nullsfirst", "nullslast") and not nulls:
            nulls = "nulls first" if word == "nullsfirst" else "nulls last"
        else:
            cursor.fail("expecting asc, desc, nullsfirst or nullslast")
    return Order(name, direction, nulls)
