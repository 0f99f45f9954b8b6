"""The query string's language: select, filters, order, ranges. Text in, tree out.

No name is resolved and no SQL is made here; grammar.py and filters.py read the values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from local.gateway.rest.errors import RestError, not_embedded
from local.gateway.rest.filters import parse_condition, parse_logic
from local.gateway.rest.grammar import parse_key, parse_names, parse_order, parse_select
from local.gateway.rest.nodes import Embed, Name, Part, SelectItem

EVERY_COLUMN = SelectItem(Name("*"))


@dataclass(slots=True)
class Query:
    """A whole query string. `part` is about the rows themselves, embeds have theirs inside.

    `arguments`: an rpc's, for GET only. `canonical`: the same query with its keys in order.
    """

    select: list[SelectItem | Embed] = field(default_factory=lambda: [EVERY_COLUMN])
    part: Part = field(default_factory=Part)
    columns: list[str] | None = None
    on_conflict: list[str] | None = None
    arguments: list[tuple[str, str]] = field(default_factory=list)
    canonical: str = ""

    def at(self, path: Iterable[str]) -> Part:
        """What is asked of the embed at `path`. Raises RestError PGRST108: nothing is there."""
        part, items = self.part, self.select
        for name in path:
            embeds = [item for item in items if isinstance(item, Embed)]
            found = [embed for embed in embeds if name in (embed.alias, embed.target)]
            if not found:
                raise not_embedded(name)
            part, items = found[0].part, found[0].select
        return part


def parse(pairs: Iterable[tuple[str, str]], *, rpc_arguments: bool = False) -> Query:
    """The tree. With `rpc_arguments` a pair that is no filter is an argument of the function.

    Raises: RestError 400 PGRST100 for whatever cannot be parsed, 400 PGRST108 for a condition on
    an embed that is not selected.
    """
    query = Query()
    pairs = list(pairs)
    query.canonical = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in sorted(pairs))
    for key, value in pairs:
        if key == "select":
            query.select = parse_select(value)
        elif key in ("columns", "on_conflict"):
            setattr(query, key, parse_names(value, key))
    for key, value in pairs:
        *path, word = key.split(".")
        if word == "order":
            query.at(_place(path)).order = parse_order(value)
        elif word in ("limit", "offset"):
            _window(query.at(_place(path)), word, value)
        elif word in ("and", "or"):
            logic = parse_logic(word, value, negated="not" in path)
            query.at(_place(p for p in path if p != "not")).conditions.append(logic)
        elif key not in ("select", "columns", "on_conflict"):
            _filter_or_argument(query, key, value, rpc_arguments)
    return query


def _place(path: Iterable[str]) -> tuple[str, ...]:
    text = ".".join(path)
    place, name = parse_key(text) if text else ((), Name(""))
    return (*place, name.column) if text else ()


def _window(part: Part, word: str, value: str) -> None:
    """What is no number is as if it were not there."""
    digits = value.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        return
    if word == "limit":
        part.limit = int(value)
    else:
        part.offset = int(value)


def _filter_or_argument(query: Query, key: str, value: str, rpc_arguments: bool) -> None:
    place, name = parse_key(key)
    try:
        condition = parse_condition(name, value)
    except RestError as error:
        if not rpc_arguments or error.code != "PGRST100":
            raise
        query.arguments.append((key, value))
        return
    query.at(place).conditions.append(condition)
