"""The statement that answers rows: selected, filtered, ordered, cut, with related rows inside."""

from collections.abc import Callable

from local.gateway.rest.catalog import Catalog, Function, quote
from local.gateway.rest.expression import (
    Values,
    aggregate_sql,
    cast_sql,
    condition_sql,
    field_sql,
    item_sql,
    order_term,
)
from local.gateway.rest.media import Media
from local.gateway.rest.nodes import Condition, Logic
from local.gateway.rest.request import Request
from local.gateway.rest.spread import Output, outputs
from local.gateway.rest.tree import SOURCE, Node
from local.gateway.rest.window import Window

SETTINGS = (
    "nullif(current_setting('response.headers', true), ''),"
    " nullif(current_setting('response.status', true), '')"
)
# The columns of every statement's only row; see transaction.Result.
COLUMNS = 7


class Reader:
    """Builds the nested selects of one tree; `max_rows` cuts the rows and all embeds."""

    def __init__(self, values: Values, max_rows: int | None) -> None:
        self._values = values
        self._max_rows = max_rows

    def rows(self, node: Node, window: Window | None = None) -> str:
        """A select of the node's rows with everything inside; `window` instead of its own."""
        ordered = "" if node.spreads and not node.to_one else self._order(node)
        chosen = [item_sql(node, item, self._values) for item in node.items]
        chosen += [sql for child in node.children for sql in self._columns(node, child)]
        if not node.items and not node.children:
            chosen.append(f"{node.prefix}.*")
        if node.spreads and not node.to_one:
            chosen += self._order_columns(node)
        joins = "".join(self._join(child) for child in node.children)
        return (
            f"select {', '.join(chosen)} from {node.sql}{joins}"
            f"{self._where(node, self._condition)}{self._group(node)}{ordered}"
            f"{self._cut(node, window)}"
        )

    def counted(self, node: Node) -> str:
        """A select with as many rows as there are without a limit; embeds only as conditions."""
        inner = [
            f"exists ({self.counted(child)})"
            for child in node.children
            if child.embed and child.embed.join == "inner"
        ]
        return f"select 1 from {node.sql}{self._where(node, self._counted_condition, inner)}"

    def _where(
        self,
        node: Node,
        condition: Callable[[Node, Condition | Logic], str],
        more: list[str] | None = None,
    ) -> str:
        conditions = [condition(node, each) for each in node.part.conditions]
        conditions += [*node.conditions, *(more or [])]
        return f" where {' and '.join(conditions)}" if conditions else ""

    def _condition(self, node: Node, condition: Condition | Logic) -> str:
        return self._with_embeds(
            node, condition, lambda child, word: f"{child.joined} is {word} distinct from null"
        )

    def _counted_condition(self, node: Node, condition: Condition | Logic) -> str:
        return self._with_embeds(
            node, condition, lambda child, word: f"{word} exists ({self.counted(child)})"
        )

    def _with_embeds(
        self, node: Node, condition: Condition | Logic, presence: Callable[[Node, str], str]
    ) -> str:
        """`child=is.null` asks for rows without (or, negated, with) a related row."""
        if isinstance(condition, Logic):
            parts = [self._with_embeds(node, each, presence) for each in condition.members]
            return f"{'not ' * condition.negated}({f' {condition.word} '.join(parts)})"
        asks = condition.operator == "is" and condition.values == ("null",)
        child = node.child(condition.name.column) if asks and not condition.name.path else None
        if child is None:
            return condition_sql(node, condition, self._values)
        return f"({presence(child, '' if condition.negated else 'not')})"

    def _columns(self, node: Node, child: Node) -> list[str]:
        """What an embed adds to the select list."""
        if child.spreads:
            return [self._spread(node, child, output) for output in outputs(child)]
        if child.shows_nothing:
            return []
        if child.to_one:
            return [f"row_to_json({child.joined}.*)::jsonb as {quote(child.label)}"]
        return [f"coalesce({child.joined}.{child.joined}, '[]') as {quote(child.label)}"]

    def _spread(self, node: Node, child: Node, output: Output) -> str:
        column = "*" if output.column == "*" else quote(output.column)
        sql = f"{child.joined}.{column}"
        if output.aggregate is None or node.hoists or not child.hoists:
            return sql
        sql = cast_sql(aggregate_sql(output.aggregate, sql), output.cast)
        return f"{sql} as {quote(output.alias or output.aggregate)}"

    def _join(self, child: Node) -> str:
        kind = "inner" if child.embed and child.embed.join == "inner" else "left"
        rows, name = self.rows(child), child.joined
        if child.to_one:
            return f" {kind} join lateral ({rows}) as {name} on true"
        arrays = [f"json_agg({name})::jsonb as {name}"]
        if child.spreads:
            terms = [f"{name}.{_order_name(place)}" for place in range(len(child.part.order))]
            order = self._ordering(child, terms)
            arrays += [
                f"coalesce(json_agg({name}.{quote(each.column)}{order}), '[]')::jsonb"
                f" as {quote(each.column)}"
                for each in outputs(child)
            ]
        condition = f"{name} is not null" if kind == "inner" else "true"
        selected = f"select {', '.join(arrays)} from ({rows}) as {name}"
        return f" {kind} join lateral ({selected}) as {name} on {condition}"

    def _group(self, node: Node) -> str:
        """Everything that is not aggregated is what rows are grouped by."""
        aggregated = any(item.aggregate for item in node.items) and not node.hoists
        given = [
            (child, each) for child in node.children if child.spreads for each in outputs(child)
        ]
        hoisted = any(child.hoists and each.aggregate for child, each in given) and not node.hoists
        if not aggregated and not hoisted:
            return ""
        terms = [
            quote(item.alias) if item.alias else field_sql(node, item.name, self._values)
            for item in node.items
            if not item.aggregate
        ]
        terms += [quote(child.label) for child in node.children if not child.spreads]
        terms += [
            f"{child.joined}.{quote(each.column)}" for child, each in given if not each.aggregate
        ]
        return f" group by {', '.join(terms)}" if terms else ""

    def _order(self, node: Node) -> str:
        terms = [order_term(node, order, self._values) for order in node.part.order]
        return self._ordering(node, terms)

    def _ordering(self, node: Node, terms: list[str]) -> str:
        words = [
            f"{term} {order.direction} {order.nulls}"
            for term, order in zip(terms, node.part.order, strict=True)
        ]
        return f" order by {', '.join(words)}" if words else ""

    def _order_columns(self, node: Node) -> list[str]:
        """Arrays are ordered while they are made: their rows bring along what to order by."""
        return [
            f"{order_term(node, order, self._values)} as {_order_name(place)}"
            for place, order in enumerate(node.part.order)
        ]

    def _cut(self, node: Node, window: Window | None) -> str:
        wanted = window or Window(node.part.limit, node.part.offset)
        limit = wanted.limit
        if self._max_rows is not None and not node.to_one:
            limit = self._max_rows if limit is None else min(limit, self._max_rows)
        cut = "" if limit is None else f" limit {self._values.add(str(limit))}"
        return cut + (f" offset {self._values.add(str(wanted.offset))}" if wanted.offset else "")


def _order_name(place: int) -> str:
    return f"pgrst_order_{place}"


def page_sql(
    catalog: Catalog,
    request: Request,
    node: Node,
    media: Media,
    window: Window,
    values: Values,
    function: Function | None = None,
) -> str:
    """`with pgrst_source ... select`: one row with the page as its media type.

    For a table the CTE is the page; for a function the CTE, not included, is what it returned.
    """
    reader = Reader(values, catalog.config.max_rows)
    rows = reader.rows(node, window)
    total = "null"
    if request.prefer.get("count") in ("exact", "estimated"):
        counted = reader.counted(node)
        if request.prefer["count"] == "estimated" and catalog.config.max_rows is not None:
            counted += f" limit {catalog.config.max_rows + 1}"
        total = f"(select count(*) from ({counted}) as _counted)"
    body = "null" if request.method == "HEAD" else media.body_sql(function)
    page = "1" if function is not None and not function.returns_set else "count(*)"
    before, source = f"with {SOURCE} as ({rows}) ", SOURCE
    if function is not None:
        before, source = "", f"({rows})"
    return (
        f"{before}select {body} as body, {page} as page, {total} as total, {SETTINGS},"
        f" null as inserted, null as location from {source} as _row"
    )
