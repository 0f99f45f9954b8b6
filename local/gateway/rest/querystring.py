"""The query string's language: select, filters, order, ranges. Text in, tree out.

No name is resolved and no SQL is made here; grammar.py and filters.py read the values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from local.gateway.rest.errors import RestError, bad_query
from local.gateway.rest.filters import parse_condition, parse_logic
from local.gateway.rest.grammar import parse_key, parse_names, parse_order, parse_select
from local.gateway.rest.nodes import Condition, Embed, Logic, Name, Order, SelectItem

EVERY_COLUMN = SelectItem(Name("*"))
# The place of something in the tree of embeds: () is the table itself.
Place = tuple[str, ...]


@dataclass(slots=True)
class Part:
    """What is asked of the table at one place."""

    conditions: list[Condition | Logic] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


@dataclass(slots=True)
class Query:
    """A whole query string. `select` None: everything. `arguments`: an rpc's, GET only."""

    select: list[SelectItem | Embed] | None = None
    parts: dict[Place, Part] = field(default_factory=dict)
    columns: list[str] | None = None
    on_conflict: list[str] | None = None
    arguments: dict[str, list[str]] = field(default_factory=dict)

    def part(self, place: Place = ()) -> Part:
        """What is asked at `place`; empty when nothing is."""
        return self.parts.setdefault(place, Part())

    def items_at(self, place: Place) -> list[SelectItem | Embed] | None:
        """The select list at `place`; None: everything. RestError PGRST108: nothing is there."""
        items = self.select
        for name in place:
            embeds = [item for item in items or [] if isinstance(item, Embed)]
            found = [embed for embed in embeds if embed.label == name]
            if not found:
                message = f"'{name}' is not an embedded resource in this request"
                hint = f"Verify that '{name}' is included in the 'select' query parameter."
                raise RestError(400, "PGRST108", message, None, hint)
            items = found[0].select
        return items

    @property
    def names_columns(self) -> bool:
        """Whether anything but whole rows and their number matters: a column is named."""
        chosen = [item for item in self.select or [] if item != EVERY_COLUMN]
        return bool(chosen) or any(part.conditions or part.order for part in self.parts.values())

    @property
    def cuts(self) -> bool:
        """Whether a limit or an offset is given for the rows themselves."""
        return self.part().limit is not None or self.part().offset > 0


def parse(pairs: Iterable[tuple[str, str]], *, rpc_arguments: bool = False) -> Query:
    """The tree. With `rpc_arguments` a pair that is no filter is an argument of the function.

    Raises: RestError 400 PGRST100 for whatever cannot be parsed, 416 PGRST103 for a negative
    limit, 400 PGRST108 for a condition on an embed that is not selected.
    """
    query = Query()
    for key, value in pairs:
        if key == "select":
            query.select = parse_select(value)
        elif key == "columns":
            query.columns = parse_names(value, key)
        elif key == "on_conflict":
            query.on_conflict = parse_names(value, key)
        elif key.rpartition(".")[2] in ("order", "limit", "offset"):
            _range_or_order(query, key, value)
        elif _is_logic(key):
            place, negated, word = _logic_place(key)
            query.part(place).conditions.append(parse_logic(word, value, negated=negated))
        else:
            _filter_or_argument(query, key, value, rpc_arguments)
    for place in query.parts:
        query.items_at(place)
    return query


def _range_or_order(query: Query, key: str, value: str) -> None:
    head, _, word = key.rpartition(".")
    part = query.part(tuple(head.split(".")) if head else ())
    if word == "order":
        part.order = parse_order(value)
        return
    try:
        number = int(value)
    except ValueError:
        message = f'"failed to parse {word} parameter ({value})"'
        raise bad_query(message, "expecting a number") from None
    if word == "offset":
        part.offset = max(number, 0)
    elif number < 0:
        details = "Limit should be greater than or equal to zero."
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details)
    else:
        part.limit = number


def _is_logic(key: str) -> bool:
    return key.rpartition(".")[2] in ("and", "or")


def _logic_place(key: str) -> tuple[Place, bool, str]:
    *head, word = key.split(".")
    negated = bool(head) and head[-1] == "not"
    return tuple(head[:-1] if negated else head), negated, word


def _filter_or_argument(query: Query, key: str, value: str, rpc_arguments: bool) -> None:
    try:
        place, name = parse_key(key)
        condition = parse_condition(name, value)
    except RestError as error:
        if not rpc_arguments or error.code != "PGRST100":
            raise
        query.arguments.setdefault(key, []).append(value)
        return
    query.part(place).conditions.append(condition)
