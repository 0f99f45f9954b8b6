"""The statements of POST, PATCH, DELETE and PUT on tables."""

from collections.abc import Iterable
from typing import Any

from local.gateway.rest.catalog import SCHEMA, Catalog, Column, Relation, literal, quote
from local.gateway.rest.errors import RestError, not_implemented
from local.gateway.rest.expression import Scope, Values, condition_sql
from local.gateway.rest.nodes import Condition, Embed
from local.gateway.rest.querystring import Query
from local.gateway.rest.read import (
    ENDING,
    Reader,
    Source,
    body_sql,
    max_affected,
    single_row,
)
from local.gateway.rest.relationship import find_join
from local.gateway.rest.request import JSON, Request
from local.gateway.rest.transaction import Statement

# Counts rows an upsert adds: +1 when a row is offered, -1 when it turns out to exist.
COUNT_ADDED = (
    "set_config('pgrst.inserted', (coalesce(nullif(current_setting('pgrst.inserted', true), ''),"
    " '0')::int + 1)::text, true) <> '0'"
)
COUNT_MERGED = COUNT_ADDED.replace("+ 1", "- 1").replace("<> '0'", "<> '-1'")
INSERTED = "nullif(current_setting('pgrst.inserted', true), '')::int"


def write(catalog: Catalog, request: Request, relation: Relation, query: Query) -> Statement:
    """The statement for the request's method. Raises: RestError, see the functions below."""
    values = Values()
    full = request.prefer.get("return") == "representation"
    if query.cuts or query.part().order:
        raise _limited(request)
    returning = _returning(catalog, request, relation, query, full=full)
    changed = _change(request, relation, query, values, returning)
    source = Source("pgrst_source", relation.name, relation.columns)
    rows = "select * from pgrst_source"
    if full:
        rows = Reader(catalog, query, values).rows(source, (), None, filtered=False)
    sql = (
        f"with pgrst_source as ({changed})"
        f" select {body_sql(request) if full else 'null::text'} as body, count(*) as page,"
        f" null::bigint as total, {_location(request, relation)} as location, {ENDING},"
        f" {INSERTED} as inserted from ({rows}) _row"
    )

    def check(row: Any) -> None:
        if request.method == "PUT" and row["page"] != 1:
            message = "Payload values do not match URL in primary key column(s)"
            raise RestError(400, "PGRST115", message)
        single_row(request, row)
        if request.method in ("PATCH", "DELETE"):
            max_affected(request, row)

    return Statement(sql, values.texts, check=check)


def _limited(request: Request) -> RestError:
    if request.method == "PUT":
        message = "limit/offset querystring parameters are not allowed for PUT"
        return RestError(400, "PGRST114", message)
    return not_implemented("limit, offset and order are for reads only in the local gateway")


def _change(
    request: Request, relation: Relation, query: Query, values: Values, returning: str
) -> str:
    """INSERT, UPDATE or DELETE that returns `returning`; a SELECT of no row to change nothing."""
    name = f"{quote(SCHEMA)}.{quote(relation.name)}"
    ending = f" returning {returning}"
    if request.method == "DELETE":
        return f"delete from {name} where {_where(request, relation, query, values)}{ending}"
    body, columns = _payload(request, relation, query)
    if body == [] or (request.method == "PATCH" and not columns):
        return f"select {returning} from {name} where false"
    if request.method == "PATCH":
        assignments = ", ".join(f"{quote(c.name)} = _body.{quote(c.name)}" for c in columns)
        records = _records(request, body, columns, values)
        source = f"(select * from {records} limit 1) _body"
        where = _where(request, relation, query, values)
        return f"update {name} set {assignments} from {source} where {where}{ending}"
    if request.method == "PUT":
        return _insert_one(request, relation, query, body, columns, values) + ending
    if query.part().conditions:
        raise not_implemented("Filters on POST are not served by the local gateway")
    return _insert(request, relation, query, body, columns, values) + ending


def _where(request: Request, relation: Relation, query: Query, values: Values) -> str:
    """The conditions joined; hosted projects load safeupdate, which refuses to do without."""
    scope = Scope(relation.name, f"{quote(SCHEMA)}.{quote(relation.name)}", relation.columns)
    conditions = [condition_sql(scope, c, values) for c in query.part().conditions]
    if not conditions:
        word = "DELETE" if request.method == "DELETE" else "UPDATE"
        raise RestError(400, "21000", f"{word} requires a WHERE clause")
    return " and ".join(conditions)


def _insert(
    request: Request,
    relation: Relation,
    query: Query,
    body: Any,
    columns: list[Column],
    values: Values,
) -> str:
    resolution = request.prefer.get("resolution")
    target = query.on_conflict or list(relation.primary_key)
    for column in query.on_conflict or []:
        if column not in relation.columns:
            raise RestError(400, "42703", f'column "{column}" does not exist')
    merge = resolution == "merge-duplicates" and bool(target)
    counted = f" where {COUNT_ADDED}" if merge else ""
    sql = _insert_into(request, relation, body, columns, values, counted)
    if not resolution or not target:
        return sql
    return f"{sql} {_on_conflict(target, columns, merge=merge)}"


def _insert_one(
    request: Request,
    relation: Relation,
    query: Query,
    body: Any,
    columns: list[Column],
    values: Values,
) -> str:
    """PUT: the row whose whole primary key the URL names, made or replaced."""
    conditions = query.part().conditions
    named = [c.name.column for c in conditions if isinstance(c, Condition) and c.operator == "eq"]
    exact = len(named) == len(conditions) and sorted(named) == sorted(relation.primary_key)
    if not relation.primary_key or not exact:
        message = "Filters must include all and only primary key columns with 'eq' operators"
        raise RestError(405, "PGRST105", message)
    scope = Scope(relation.name, "_body", {column.name: column for column in columns})
    matches = [condition_sql(scope, condition, values) for condition in conditions]
    where = f" where {' and '.join([*matches, COUNT_ADDED])}"
    sql = _insert_into(request, relation, body, columns, values, where)
    return f"{sql} {_on_conflict(list(relation.primary_key), columns, merge=True)}"


def _insert_into(
    request: Request,
    relation: Relation,
    body: Any,
    columns: list[Column],
    values: Values,
    where: str,
) -> str:
    name = f"{quote(SCHEMA)}.{quote(relation.name)}"
    if not columns:
        return f"insert into {name} default values"
    names = ", ".join(quote(column.name) for column in columns)
    chosen = ", ".join(f"_.{quote(column.name)}" for column in columns)
    records = _records(request, body, columns, values)
    source = f"(select {chosen} from {records}) _body"
    return f"insert into {name} ({names}) select * from {source}{where}"


def _on_conflict(target: list[str], columns: list[Column], *, merge: bool) -> str:
    conflict = f"on conflict ({', '.join(map(quote, target))})"
    if not merge or not columns:
        return f"{conflict} do nothing"
    sets = ", ".join(f"{quote(c.name)} = excluded.{quote(c.name)}" for c in columns)
    return f"{conflict} do update set {sets} where {COUNT_MERGED}"


def _payload(request: Request, relation: Relation, query: Query) -> tuple[Any, list[Column]]:
    """The parsed body and the columns it sets.

    Raises: RestError PGRST102 when it is no object or its objects' keys differ, PGRST204 for a
    key that is no column.
    """
    if request.content_type != JSON:
        raise RestError(400, "PGRST102", f"Content-Type not acceptable: {request.content_type}")
    body = request.json()
    rows = body if isinstance(body, list) else [body]
    if not all(isinstance(row, dict) for row in rows):
        raise RestError(400, "PGRST102", "All object keys must match")
    if query.columns is not None and request.method in ("POST", "PATCH"):
        return body, [_known(relation, name) for name in dict.fromkeys(query.columns)]
    keys = set(rows[0]) if rows else set()
    if any(set(row) != keys for row in rows):
        raise RestError(400, "PGRST102", "All object keys must match")
    return body, [_known(relation, name) for name in sorted(keys)]


def _known(relation: Relation, name: str) -> Column:
    column = relation.columns.get(name)
    if column is None:
        message = f"Could not find the '{name}' column of '{relation.name}' in the schema cache"
        raise RestError(400, "PGRST204", message)
    return column


def _records(request: Request, body: Any, columns: list[Column], values: Values) -> str:
    """A FROM item with the body's objects as rows; Postgres takes the text apart."""
    types = ", ".join(f"{quote(column.name)} {column.type}" for column in columns)
    text = values.add(request.text())
    if request.prefer.get("missing") != "default":
        expand = "json_to_recordset" if isinstance(body, list) else "json_to_record"
        return f"{expand}({text}::json) as _({types})"
    defaults = ", ".join(
        f"{literal(column.name)}, {column.default}"
        for column in columns
        if column.default is not None
    )
    objects = f"{text}::jsonb" if isinstance(body, list) else f"jsonb_build_array({text}::jsonb)"
    merged = f"select jsonb_agg(jsonb_build_object({defaults}) || elem) as rows"
    filled = f"({merged} from jsonb_array_elements({objects}) elem) _filled"
    return f"{filled}, jsonb_to_recordset(_filled.rows) as _({types})"


def _returning(
    catalog: Catalog, request: Request, relation: Relation, query: Query, *, full: bool
) -> str:
    """The columns the answer needs: a caller may lack the right to read others."""
    if full:
        names = _selected(catalog, relation, query)
    elif request.prefer.get("return") == "headers-only":
        names = list(relation.primary_key)
    else:
        names = []
    qualified = f"{quote(SCHEMA)}.{quote(relation.name)}"
    if names is None:
        return f"{qualified}.*"
    return ", ".join(f"{qualified}.{quote(name)}" for name in names) or "1 as one"


def _selected(catalog: Catalog, relation: Relation, query: Query) -> list[str] | None:
    """The relation's columns that `select` names, those that tie embeds included; None: all."""
    if query.select is None:
        return None
    names: Iterable[str] = ()
    for item in query.select:
        if isinstance(item, Embed):
            names = (*names, *find_join(catalog, relation.name, item).parent_columns)
        elif item.name.column == "*":
            return None
        else:
            names = (*names, item.name.column)
    scope = Scope(relation.name, "", relation.columns)
    return [scope.column(name).name for name in dict.fromkeys(names)]


def _location(request: Request, relation: Relation) -> str:
    """`id=eq.1` of a single new row, for Prefer: return=headers-only."""
    if request.method != "POST" or request.prefer.get("return") != "headers-only":
        return "null::text[]"
    pairs = [
        f"{literal(name + '=eq.')} || max(_row.{quote(name)}::text)"
        for name in relation.primary_key
    ]
    return (
        f"case when count(*) = 1 then array[{', '.join(pairs)}]::text[] end"
        if pairs
        else ("null::text[]")
    )
