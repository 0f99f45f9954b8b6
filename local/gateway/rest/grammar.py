"""Select lists, order terms and the keys of a query string."""

import re

from local.gateway.rest.cursor import FIELD_NAME, Cursor, read_name, read_path
from local.gateway.rest.nodes import AGGREGATES, Embed, Name, Order, SelectItem

IDENTIFIER = re.compile(r"[\w$ ]+")
AGGREGATE = re.compile(rf"\.({'|'.join(AGGREGATES)})\(\)")
DIRECTION = re.compile(r"\.(asc|desc)")
NULLS = re.compile(r"\.nulls(first|last)")
JOIN = re.compile(r"!(left|inner)(?![\w$])")


def parse_select(text: str) -> list[SelectItem | Embed]:
    """`a,b:c->>d::text,e.sum(),child!hint!inner(x),...other(y)`."""
    cursor = Cursor(text, f"select parameter ({text})")
    return _items(cursor)  # what follows is ignored, as in PostgREST


def parse_names(text: str, what: str) -> list[str]:
    """`a,"b c"`: columns of the columns and on_conflict parameters."""
    cursor = Cursor(text, f"{what} parameter ({text})")
    names = [read_name(cursor)]
    while cursor.accept(","):
        cursor.spaces()
        names.append(read_name(cursor))
    if not cursor.done:
        cursor.fail('"," or end of input')
    return names


def parse_order(text: str) -> list[Order]:
    """`a.desc.nullslast,b->>c,other(d)`."""
    cursor = Cursor(text, f"order ({text})")
    terms = [_order(cursor)]
    while cursor.accept(","):
        terms.append(_order(cursor))
    if not cursor.done:
        cursor.fail('"," or end of input')
    return terms


def parse_key(text: str) -> tuple[tuple[str, ...], Name]:
    """`embed.column->>key`: where the condition belongs and what it compares."""
    cursor = Cursor(text, f"tree path ({text})")
    names = [read_name(cursor)]
    while cursor.accept("."):
        names.append(read_name(cursor))
    path = read_path(cursor)
    if not cursor.done:
        cursor.fail('"." or end of input')
    return tuple(names[:-1]), Name(names[-1], path)


def _items(cursor: Cursor) -> list[SelectItem | Embed]:
    items: list[SelectItem | Embed] = []
    cursor.spaces()
    if cursor.done or cursor.at(")"):
        return items
    while True:
        items.append(_item(cursor))
        cursor.spaces()
        if not cursor.accept(","):
            return items
        cursor.spaces()


def _item(cursor: Cursor) -> SelectItem | Embed:
    if cursor.accept("..."):
        return _embed(cursor, read_name(cursor), None, spread=True)
    if cursor.accept("*"):
        return SelectItem(Name("*"))
    alias, name = None, _name(cursor)
    if cursor.at(":") and not cursor.text.startswith("::", cursor.place):
        cursor.accept(":")
        alias, name = name, _name(cursor)
    if name == "count" and cursor.accept("()"):
        return SelectItem(Name("*"), alias, None, "count", _cast(cursor))
    if cursor.at("!("):
        return _embed(cursor, name, alias)
    path = read_path(cursor)
    cast = _cast(cursor)
    aggregate = cursor.take(AGGREGATE)
    item = SelectItem(
        Name(name, path), alias, cast, aggregate[1] if aggregate else None, _cast(cursor)
    )
    if not cursor.done and not cursor.at(",) "):
        cursor.fail('"->>", "->", "::", ".", ")", "," or end of input')
    return item


def _name(cursor: Cursor) -> str:
    if cursor.done or cursor.at(",)"):
        cursor.fail(f'"...", {FIELD_NAME}, "*" or "count()"')
    return read_name(cursor)


def _cast(cursor: Cursor) -> str | None:
    if not cursor.accept("::"):
        return None
    found = cursor.take(IDENTIFIER)
    if not found:
        cursor.fail('letter, digit or "_ $"')
    return found[0].strip()


def _embed(cursor: Cursor, target: str, alias: str | None, *, spread: bool = False) -> Embed:
    hint, join = None, ""
    while cursor.at("!"):
        if word := cursor.take(JOIN):
            join = join or word[1]
        else:
            cursor.accept("!")
            hint = hint or read_name(cursor)
    cursor.expect("(")
    cursor.descend()
    select = _items(cursor)
    cursor.expect(")")
    cursor.ascend()
    return Embed(target, hint, join, alias, select, spread)


def _order(cursor: Cursor) -> Order:
    cursor.spaces()
    relation = None
    name = Name(read_name(cursor), read_path(cursor))
    if not name.path and cursor.accept("("):
        relation = name.column
        name = Name(read_name(cursor), read_path(cursor))
        cursor.expect(")")
    direction = cursor.take(DIRECTION)
    nulls = cursor.take(NULLS)
    cursor.spaces()
    if not cursor.done and not cursor.at(","):
        cursor.fail('"," or end of input')
    words = direction[1] if direction else "", f"nulls {nulls[1]}" if nulls else ""
    return Order(name, *words, relation)
