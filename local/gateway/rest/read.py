"""The statement that answers rows: selected, filtered, ordered, cut, with related rows inside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.gateway.rest.catalog import SCHEMA, Catalog, Column, Relation, quote
from local.gateway.rest.errors import RestError
from local.gateway.rest.expression import Scope, Values, condition_sql, item_sql, order_sql
from local.gateway.rest.nodes import Embed, SelectItem
from local.gateway.rest.querystring import EVERY_COLUMN, Part, Place, Query
from local.gateway.rest.relationship import find_join
from local.gateway.rest.request import Request

# What a hosted project answers at most, in embeds too; silently, like there.
MAX_ROWS = 1000
EVERYTHING: list[SelectItem | Embed] = [EVERY_COLUMN]
ENDING = (
    "nullif(current_setting('response.headers', true), '') as headers,"
    " nullif(current_setting('response.status', true), '') as status"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: a FROM item, a CTE before it, and the table they are rows of, if any.

    `scalar`: one column without a name, answered as bare values.
    """

    sql: str
    table: str | None
    columns: Mapping[str, Column]
    scalar: bool = False
    cte: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The rows wanted: query string and Range header together, not yet capped."""

    limit: int | None = None
    offset: int = 0


def table_source(relation: Relation) -> Source:
    """The rows of a table or view itself: only the columns asked for need a grant."""
    name = f"{quote(SCHEMA)}.{quote(relation.name)}"
    return Source(name, relation.name, relation.columns)


def read(
    catalog: Catalog, request: Request, relation: Relation, query: Query
) -> tuple[str, Values]:
    """The statement for GET on a table or view, and its values."""
    values = Values()
    return select_page(catalog, table_source(relation), query, request, values), values


def select_page(
    catalog: Catalog,
    source: Source,
    query: Query,
    request: Request,
    values: Values,
    *,
    one_row: bool = False,
) -> str:
    """One row with the page as JSON (see transaction.Statement); the page obeys MAX_ROWS."""
    reader = Reader(catalog, query, values)
    rows = reader.rows(source, (), window(request, query))
    total = "null::bigint"
    if request.counts:
        total = f"(select count(*) from ({reader.rows(source, (), None)}) _counted)"
    cte = f"with pgrst_source as ({source.cte}) " if source.cte else ""
    body = body_sql(request, scalar=source.scalar, one_row=one_row)
    return (
        f"{cte}select {body} as body, count(*) as page, {total} as total, {ENDING},"
        f" null as inserted from ({rows}) _row"
    )


def body_sql(request: Request, *, scalar: bool = False, one_row: bool = False) -> str:
    """The aggregate that makes the answer of the rows called _row."""
    value = "_row.pgrst_scalar" if scalar else "_row"
    if request.method == "HEAD":
        return "null"
    if one_row or request.singular:
        return f"coalesce((json_agg({value})->0)::text, 'null')"
    return f"coalesce(json_agg({value})::text, '[]')"


def window(request: Request, query: Query) -> Window:
    """Limit, offset and, on GET, the Range header; RestError 416 PGRST103 when it is empty."""
    part = query.part()
    header = request.headers.get("range", "") if request.method == "GET" else ""
    first, dash, last = header.partition("-")
    if not dash or not first.isdigit() or (last and not last.isdigit()):
        return Window(part.limit, part.offset)
    offset = max(part.offset, int(first))
    ends = [int(last) + 1] if last else []
    if part.limit is not None:
        ends.append(part.offset + part.limit)
    if last and int(last) < int(first):
        details = (
            "The lower boundary must be lower than or equal to the upper boundary"
            " in the Range header."
        )
        raise RestError(416, "PGRST103", "Requested range not satisfiable", details)
    return Window(max(min(ends) - offset, 0) if ends else None, offset)


def single_row(request: Request, row: Any) -> None:
    """Refuses anything but one row when one object was asked for (PGRST116)."""
    if request.singular and row["page"] != 1:
        details = f"The result contains {row['page']} rows"
        message = "Cannot coerce the result to a single JSON object"
        raise RestError(406, "PGRST116", message, details)


def max_affected(request: Request, row: Any) -> None:
    """Refuses more rows than Prefer: max-affected allows (PGRST124)."""
    limit = request.prefer.get("max-affected")
    if limit is not None and request.strict and row["page"] > int(limit):
        message = "Query result exceeds max-affected preference constraint"
        raise RestError(400, "PGRST124", message, f"The query affects {row['page']} rows")


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embed's lateral join, its entry in the select list, and what is null without a row."""

    join: str
    column: str | None
    presence: str


class Reader:
    """Builds the nested selects of one query; every table in it gets an alias of its own."""

    def __init__(self, catalog: Catalog, query: Query, values: Values) -> None:
        self._catalog = catalog
        self._query = query
        self._values = values
        self._aliases = 0

    def rows(
        self,
        source: Source,
        place: Place,
        wanted: Window | None,
        *,
        link: Callable[[str], list[str]] = lambda alias: [],
        filtered: bool = True,
    ) -> str:
        """A select of the rows at `place`; all of them when `wanted` is None.

        `link` gives conditions that tie the rows to those around them. Without `filtered` the
        query's conditions are taken as applied already.
        """
        alias = self._alias()
        part = self._query.part(place) if filtered else Part()
        found = self._query.items_at(place)
        items = [] if source.scalar else EVERYTHING if found is None else found
        embeds = {
            item.label: self._embed(source, alias, item, place)
            for item in items
            if isinstance(item, Embed)
        }
        presences = {name: embed.presence for name, embed in embeds.items()}
        scope = Scope(source.table or "pgrst_call", alias, source.columns, presences)
        chosen = [f"{alias}.*"] if source.scalar else self._chosen(scope, items, embeds)
        joins = "".join(embed.join for embed in embeds.values())
        conditions = [condition_sql(scope, c, self._values) for c in part.conditions]
        conditions += link(alias)
        where = f" where {' and '.join(conditions)}" if conditions else ""
        order = order_sql(scope, part.order, self._values) if wanted is not None else ""
        cut = self._cut(wanted) if wanted is not None else ""
        return f"select {', '.join(chosen)} from {source.sql} {alias}{joins}{where}{order}{cut}"

    def _chosen(
        self,
        scope: Scope,
        items: list[SelectItem | Embed],
        embeds: Mapping[str, Embedded],
    ) -> list[str]:
        chosen = []
        for item in items:
            if isinstance(item, Embed):
                column = embeds[item.label].column
                chosen += [column] if column else []
            else:
                chosen.append(item_sql(scope, item, self._values))
        return chosen

    def _embed(self, source: Source, parent: str, embed: Embed, place: Place) -> Embedded:
        join = find_join(self._catalog, source.table, embed)
        inner = (*place, embed.label)
        part = self._query.part(inner)

        def link(alias: str) -> list[str]:
            pairs = zip(join.columns, join.parent_columns, strict=True)
            return [f"{alias}.{quote(own)} = {parent}.{quote(other)}" for own, other in pairs]

        related = table_source(self._catalog.relations[join.table])
        wanted = Window(part.limit, part.offset)
        rows = self.rows(related, inner, wanted, link=link)
        alias = self._alias()
        kind = "inner" if embed.inner else "left"
        if join.to_one:
            lateral = f" {kind} join lateral ({rows}) {alias} on true"
            column, presence = f"row_to_json({alias}.*)", alias
        else:
            rows = f"select json_agg({alias}) as rows from ({rows}) {alias}"
            condition = f"{alias}.rows is not null" if embed.inner else "true"
            lateral = f" {kind} join lateral ({rows}) {alias} on {condition}"
            column, presence = f"coalesce({alias}.rows, '[]')", f"{alias}.rows"
        labelled = f"{column} as {quote(embed.label)}" if embed.select else None
        return Embedded(lateral, labelled, presence)

    def _cut(self, wanted: Window) -> str:
        limit = MAX_ROWS if wanted.limit is None else min(wanted.limit, MAX_ROWS)
        offset = self._values.add(str(wanted.offset))
        return f" limit {self._values.add(str(limit))}::bigint offset {offset}::bigint"

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"
