"""From a request to its statement, and to what makes the answer of the statement's result."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from local.gateway.rest import answers
from local.gateway.rest.call import call_sql, choose
from local.gateway.rest.catalog import Catalog, QName, Relation
from local.gateway.rest.errors import Answer, RestError
from local.gateway.rest.expression import Values
from local.gateway.rest.hints import nearest
from local.gateway.rest.media import Media, negotiate
from local.gateway.rest.payload import Payload, read_payload
from local.gateway.rest.querystring import Query, parse
from local.gateway.rest.read import Reader, page_sql
from local.gateway.rest.request import Request
from local.gateway.rest.transaction import Result, Statement
from local.gateway.rest.tree import Node, read_tree
from local.gateway.rest.window import requested
from local.gateway.rest.wire import Query as Sql
from local.gateway.rest.write import Writer


class Plan(NamedTuple):
    """What to run, and the answer to what comes of it."""

    statement: Statement
    answer: Callable[[Result], Answer]


def plan(catalog: Catalog, request: Request) -> Plan:
    """The request's plan. Raises RestError for whatever cannot be done with this catalog."""
    first, _, rest = request.path.strip("/").partition("/")
    if first == "rpc" and rest and "/" not in rest:
        if request.method not in ("GET", "HEAD", "POST"):
            raise RestError(405, "PGRST101", f"Cannot use the {request.method} method on RPC")
        return _plan_call(catalog, request, rest)
    if not first:
        raise RestError(404, "PGRST126", "Root endpoint metadata is disabled")
    if rest:
        raise RestError(404, "PGRST125", "Invalid path specified in request URL")
    if request.method in ("GET", "HEAD"):
        return _plan_read(catalog, request, first)
    if request.method in ("POST", "PATCH", "DELETE", "PUT"):
        return _plan_write(catalog, request, first)
    raise RestError(405, "PGRST117", f"Unsupported HTTP method: {request.method}")


def _plan_read(catalog: Catalog, request: Request, table: str) -> Plan:
    query = parse(request.query)
    window = requested(request, query.part)
    name = _relation(catalog, request, table).name
    root = read_tree(catalog, name, query)
    media = negotiate(catalog, request.headers.get("accept"), name, whole=root.is_whole)
    request.check_preferences()
    values = Values()
    sql = page_sql(catalog, request, root, media, window, values)
    statement = Statement(
        sql,
        values.bound,
        read_only=True,
        planned=_estimate(request, root),
        check=_check(request, media),
    )
    return _explained_or(
        media,
        request,
        statement,
        lambda result: answers.found(request, result, media, window, table, query),
    )


def _plan_call(catalog: Catalog, request: Request, function_name: str) -> Plan:
    query = parse(request.query, rpc_arguments=request.reads)
    window = requested(request, query.part)
    payload, pairs = None, query.arguments
    if not request.reads:
        payload = _body(request, query)
        pairs = list(payload.pairs or ())
    keys = payload.keys if payload else sorted({key for key, _ in pairs})
    function = choose(catalog, request, function_name, keys)
    root = read_tree(catalog, function.table or function.name, query, from_source=True)
    target = function.table or function.name
    media = negotiate(catalog, request.headers.get("accept"), target, whole=root.is_whole)
    request.check_preferences()
    if request.max_affected is not None and request.strict and not function.returns_set:
        message = "Function must return SETOF or TABLE when max-affected preference is used with"
        raise RestError(400, "PGRST128", f"{message} handling=strict")
    values = Values()
    direct = None if payload and payload.pairs is not None else payload
    call = call_sql(function, direct, pairs, root, values)
    statement = Statement(
        call + page_sql(catalog, request, root, media, window, values, function),
        values.bound,
        read_only=request.reads or not function.writes,
        settings=function.settings,
        check=_check(request, media, limited=True),
    )
    return _explained_or(
        media,
        request,
        statement,
        lambda result: answers.called(request, result, media, window, function),
    )


def _plan_write(catalog: Catalog, request: Request, table: str) -> Plan:
    query = parse(request.query)
    requested(request, query.part)
    relation = _relation(catalog, request, table)
    values = Values()
    whole = query.select == Query().select
    media = negotiate(catalog, request.headers.get("accept"), relation.name, whole=whole)
    sql = Writer(catalog, request, relation, query, values).statement(media)
    request.check_preferences()
    limited = request.method in ("PATCH", "DELETE")
    check = _check_put if request.method == "PUT" else _check(request, media, limited=limited)
    return _explained_or(
        media,
        request,
        Statement(sql, values.bound, check=check),
        lambda result: answers.written(request, result, media, relation, query),
    )


def _explained_or(
    media: Media, request: Request, statement: Statement, answer: Callable[[Result], Answer]
) -> Plan:
    """The plan, or that of Postgres for the statement when this is what the caller wants to see."""
    if media.explain is None:
        return Plan(statement, answer)
    sql = media.explain.sql + statement.sql
    explaining = replace(statement, sql=sql, explains=True, planned=None, check=None)
    return Plan(explaining, lambda result: answers.explained(request, result, media))


def _relation(catalog: Catalog, request: Request, table: str) -> Relation:
    relation = catalog.relations.get(QName(request.schema, table))
    if relation is None:
        message = f"Could not find the table '{request.schema}.{table}' in the schema cache"
        near = nearest(table, catalog.names(request.schema))
        hint = f"Perhaps you meant the table '{request.schema}.{near}'" if near else None
        raise RestError(404, "PGRST205", message, None, hint)
    return relation


def _body(request: Request, query: Query) -> Payload:
    return read_payload(request.body, request.content_type, query.columns, for_function=True)


def _estimate(request: Request, root: Node) -> Sql | None:
    """Postgres' estimate of the number of rows, for Prefer: count=planned and estimated."""
    if request.prefer.get("count") not in ("planned", "estimated"):
        return None
    values = Values()
    return Sql(f"explain (format json) {Reader(values, None).counted(root)}", values.bound)


def _check(
    request: Request, media: Media, *, limited: bool = False
) -> Callable[[Result], None] | None:
    """Refuses anything but one row for a single object, and more than max-affected allows."""
    most = request.max_affected if limited and request.strict else None
    if not media.singular and most is None:
        return None

    def check(result: Result) -> None:
        if media.singular and result.page != 1:
            details = f"The result contains {result.page} rows"
            message = "Cannot coerce the result to a single JSON object"
            raise RestError(406, "PGRST116", message, details)
        if most is not None and result.page > most:
            message = "Query result exceeds max-affected preference constraint"
            raise RestError(400, "PGRST124", message, f"The query affects {result.page} rows")

    return check


def _check_put(result: Result) -> None:
    if result.page != 1:
        message = "Payload values do not match URL in primary key column(s)"
        raise RestError(400, "PGRST115", message)
