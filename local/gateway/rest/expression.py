"""Columns, conditions and orders as SQL: names are quoted, values bound without a type."""

from dataclasses import dataclass, field

from local.gateway.rest.catalog import quote
from local.gateway.rest.nodes import (
    FULL_TEXT,
    IS_VALUES,
    OPERATORS,
    Condition,
    Logic,
    Name,
    Order,
    SelectItem,
)
from local.gateway.rest.tree import Node
from local.gateway.rest.wire import Value

# Type names that are no identifiers, or mean another type when they are quoted like one.
SPELLED = {
    "int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "decimal": "numeric",
    "real": "float4", "double precision": "float8", "float": "float8", "boolean": "bool",
    "char": "bpchar", "character": "bpchar", "character varying": "varchar", "dec": "numeric",
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "time with time zone": "timetz", "time without time zone": "time",
}  # fmt: skip
JSON_TYPES = ("json", "jsonb")


@dataclass(slots=True)
class Values:
    """The values of one statement. Postgres finds out their types from where they stand."""

    bound: list[Value] = field(default_factory=list)

    def add(self, value: Value) -> str:
        """The placeholder for `value`."""
        self.bound.append(value)
        return f"${len(self.bound)}"


def field_sql(node: Node, name: Name, values: Values) -> str:
    """The column, and the way into its JSON."""
    if name.column == "*":
        return f"{node.prefix}.*"
    sql = f"{node.prefix}.{quote(name.column)}"
    if name.path:
        column = node.column(name.column)
        sql = sql if column and column.base in JSON_TYPES else f"to_jsonb({sql})"
        return f"({sql}{path_sql(name, values)})"
    return sql


def path_sql(name: Name, values: Values) -> str:
    """The steps into JSON; keys are bound, so they can be anything."""
    return "".join(
        f"{step.arrow}{values.add(step.key)}{'::int' if step.is_index else ''}"
        for step in name.path
    )


def cast_sql(sql: str, cast: str | None) -> str:
    """With the cast, if there is one; the type is an identifier, found by the search path."""
    if cast is None:
        return sql
    return f"cast({sql} as {SPELLED.get(cast.lower(), quote(cast.lower()))})"


def item_sql(node: Node, item: SelectItem, values: Values) -> str:
    """One entry of the select list. Of a node that hoists, an aggregate's argument only."""
    sql, alias = field_sql(node, item.name, values), item.alias or item.name.label
    column = None if item.name.path else node.column(item.name.column)
    if column and column.to_json:
        sql, alias = f"{column.to_json.sql}({sql})", alias or column.name
    sql = cast_sql(sql, item.cast)
    if item.aggregate and node.hoists:
        return f"{node.row if item.name.column == '*' else sql} as {quote(alias or '')}"
    if item.aggregate:
        sql = aggregate_sql(item.aggregate, "*" if item.name.column == "*" else sql)
        sql, alias = cast_sql(sql, item.aggregate_cast), item.alias
    return f"{sql} as {quote(alias)}" if alias else sql


def aggregate_sql(aggregate: str, argument: str) -> str:
    """`sum(a)`; the name is one of nodes.AGGREGATES."""
    return f"{aggregate}({argument})"


def condition_sql(node: Node, condition: Condition | Logic, values: Values) -> str:
    """A boolean expression."""
    negation = "not " if condition.negated else ""
    if isinstance(condition, Logic):
        parts = [condition_sql(node, member, values) for member in condition.members]
        return f"{negation}({f' {condition.word} '.join(parts)})"
    name, value = condition.name, condition.values[0] if condition.values else ""
    if condition.operator in FULL_TEXT:
        return negation + _text_search(node, condition, values)
    left, column = field_sql(node, name, values), node.column(name.column)
    parse = column.from_text if column else None
    if condition.operator == "is":
        return f"{negation}({left} is {IS_VALUES[value]})"
    if condition.operator == "in":
        right = values.add(array_literal(condition.values))
        if parse:
            right = f"select {parse.sql}(unnest({right}::text[]))"
        return f"{negation}({left} = any({right}))"
    if condition.operator in ("like", "ilike"):
        value, parse = value.replace("*", "%"), None
    right = values.add(value)
    if parse:
        right = f"{parse.sql}({right})"
    if condition.quantifier:
        right = f"{condition.quantifier}({right})"
    return f"{negation}({left} {OPERATORS[condition.operator]} {right})"


def _text_search(node: Node, condition: Condition, values: Values) -> str:
    """The column matches the query; text becomes a vector first, in the query's language."""

    def language() -> str:
        return f"{values.add(condition.language)}, " if condition.language else ""

    vector = field_sql(node, condition.name, values)
    column = node.column(condition.name.column)
    if column and column.base != "tsvector":
        vector = f"to_tsvector({language()}{vector})"
    query = f"{FULL_TEXT[condition.operator]}({language()}{values.add(condition.values[0])})"
    return f"({vector} @@ {query})"


def order_term(node: Node, order: Order, values: Values) -> str:
    """What to order by: a column, or one of an embed that is a single row."""
    child = node.child(order.relation) if order.relation is not None else None
    if child is None:
        return field_sql(node, order.name, values)
    return f"{child.joined}.{quote(order.name.column)}{path_sql(order.name, values)}"


def array_literal(values: tuple[str, ...]) -> str:
    """Texts as one array in Postgres' spelling."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
