"""Columns, conditions and order terms as SQL: names from the catalog, values bound."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.gateway.rest.catalog import Column, quote
from local.gateway.rest.errors import RestError
from local.gateway.rest.nodes import (
    IS_VALUES,
    OPERATORS,
    Condition,
    Logic,
    Name,
    Order,
    SelectItem,
)

# The casts a select may ask for; a type name is the one place where PostgREST takes SQL text.
CASTS = {
    "text": "text", "varchar": "varchar", "char": "bpchar", "json": "json", "jsonb": "jsonb",
    "int": "int4", "integer": "int4", "int2": "int2", "int4": "int4", "int8": "int8",
    "smallint": "int2", "bigint": "int8", "numeric": "numeric", "decimal": "numeric",
    "real": "float4", "float4": "float4", "float8": "float8", "double precision": "float8",
    "bool": "bool", "boolean": "bool", "uuid": "uuid", "date": "date", "time": "time",
    "timestamp": "timestamp", "timestamptz": "timestamptz", "interval": "interval",
    "bytea": "bytea",
}  # fmt: skip
JSON_TYPES = ("json", "jsonb")


@dataclass(slots=True)
class Values:
    """The values of one statement; each is bound as text and cast where it stands."""

    texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> str:
        """The placeholder for `text`."""
        self.texts.append(text)
        return f"${len(self.texts)}::text"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names are looked up: the columns of `label`, which the SQL calls `alias`."""

    label: str
    alias: str
    columns: Mapping[str, Column]
    embeds: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """The column; RestError 400 42703 in Postgres' words when there is none."""
        found = self.columns.get(name)
        if found is None:
            raise RestError(400, "42703", f"column {self.label}.{name} does not exist")
        return found


def field_sql(scope: Scope, name: Name, values: Values) -> str:
    """The column, and the way into its JSON; keys are bound, so they can be anything."""
    column = scope.column(name.column)
    sql = f"{scope.alias}.{quote(column.name)}"
    if name.path and column.type not in JSON_TYPES:
        sql = f"to_jsonb({sql})"
    for arrow, key in name.path:
        index = "::int" if key.lstrip("-").isdigit() else ""
        sql += f"{arrow}{values.add(key)}{index}"
    return f"({sql})" if name.path else sql


def item_sql(scope: Scope, item: SelectItem, values: Values) -> str:
    """One entry of the select list with its name."""
    if item.name.column == "*":
        return f"{scope.alias}.*"
    sql = field_sql(scope, item.name, values)
    if item.cast:
        type_ = CASTS.get(item.cast.removesuffix("[]").lower())
        if type_ is None:
            raise RestError(400, "42704", f'type "{item.cast}" does not exist')
        sql = f"cast({sql} as {type_}{'[]' if item.cast.endswith('[]') else ''})"
    return f"{sql} as {quote(item.alias or item.name.label)}"


def condition_sql(scope: Scope, condition: Condition | Logic, values: Values) -> str:
    """A boolean expression."""
    if isinstance(condition, Logic):
        parts = [condition_sql(scope, member, values) for member in condition.members]
        joined = f" {condition.word} ".join(parts)
        return f"{'not ' if condition.negated else ''}({joined})"
    negation = "not " if condition.negated else ""
    if condition.operator == "is":
        word = IS_VALUES[condition.values[0].lower()]
        if condition.name.column in scope.embeds and not condition.name.path:
            return _embed_is(scope, condition, word)
        return f"{negation}({field_sql(scope, condition.name, values)} is {word})"
    left = field_sql(scope, condition.name, values)
    return f"{negation}({left} {_comparison(scope, condition, values)})"


def _comparison(scope: Scope, condition: Condition, values: Values) -> str:
    """The operator and its right side, cast to the type of the left one."""
    type_ = _type(scope, condition.name)
    if condition.operator == "in":
        return f"= any({values.add(array_literal(condition.values))}::{type_}[])"
    value = condition.values[0]
    if condition.operator in ("like", "ilike"):
        value = value.replace("*", "%")
    if condition.operator in ("like", "ilike", "match", "imatch"):
        type_ = "text"
    operator = OPERATORS[condition.operator]
    if condition.quantifier:
        return f"{operator} {condition.quantifier}({values.add(value)}::{type_}[])"
    return f"{operator} {values.add(value)}::{type_}"


def _type(scope: Scope, name: Name) -> str:
    if not name.path:
        return scope.column(name.column).type
    if name.path[-1][0] == "->>":
        return "text"
    column_type = scope.column(name.column).type
    return column_type if column_type in JSON_TYPES else "jsonb"


def _embed_is(scope: Scope, condition: Condition, word: str) -> str:
    """`child=is.null`: rows without (or, negated, with) a related row."""
    if word not in ("null", "not null"):
        message = f"Bad operator on the '{condition.name.column}' embedded resource"
        details = "Only is null or not is null filters are allowed on embedded resources"
        raise RestError(400, "PGRST120", message, details)
    wants_none = (word == "null") != condition.negated
    wanted = "is not" if wants_none else "is"
    return f"{scope.embeds[condition.name.column]} {wanted} distinct from null"


def order_sql(scope: Scope, orders: list[Order], values: Values) -> str:
    """`order by …`, or nothing."""
    if not orders:
        return ""
    terms = [f"{field_sql(scope, o.name, values)} {o.direction} {o.nulls}" for o in orders]
    return " order by " + ", ".join(terms)


def array_literal(values: tuple[str, ...]) -> str:
    """Texts as one array in Postgres' spelling."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
