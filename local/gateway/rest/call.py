"""/rpc/{function}: which function is meant, and the statement that calls it."""

from typing import Any

from local.gateway.rest.answers import Answer, called
from local.gateway.rest.catalog import SCHEMA, Catalog, Function, Parameter, nearest, quote
from local.gateway.rest.errors import RestError, not_implemented
from local.gateway.rest.expression import Values
from local.gateway.rest.querystring import Query, parse
from local.gateway.rest.read import ENDING, Source, max_affected, select_page, single_row, window
from local.gateway.rest.request import JSON, Request
from local.gateway.rest.transaction import Statement

# Content types whose body goes whole into a single unnamed parameter of this type.
RAW_BODIES = {"text/plain": ("text",), "text/xml": ("xml",), JSON: ("json", "jsonb")}


def call(catalog: Catalog, request: Request, name: str) -> tuple[Statement, Answer]:
    """The statement that calls the function which fits the arguments, and its answer.

    Raises: RestError PGRST202 none fits, PGRST203 several do, PGRST102 the body is no JSON.
    """
    read = request.method in ("GET", "HEAD")
    query = parse(request.query, rpc_arguments=read)
    values = Values()
    if read:
        names = set(query.arguments)
        function = _choose(catalog, request, name, names)
        inner = _call_with_text(function, query.arguments, values)
    else:
        body = _body(request)
        names = set(_keys(body))
        function = _choose(catalog, request, name, names)
        inner = _call_with_body(function, request, body, names, values)
    if "max-affected" in request.prefer and request.strict and not function.returns_set:
        message = "Function must return SETOF or TABLE when max-affected preference is used with"
        raise RestError(400, "PGRST128", f"{message} handling=strict")
    sql = _shape(catalog, function, query, request, inner, values)

    def check(row: Any) -> None:
        single_row(request, row)
        max_affected(request, row)

    read_only = read or not function.writes
    statement = Statement(sql, values.texts, read_only, function.settings, check)
    return statement, called(request, function, window(request, query).offset)


def _body(request: Request) -> Any:
    if request.content_type in ("text/plain", "text/xml"):
        return None
    if request.content_type == "application/octet-stream":
        raise not_implemented("application/octet-stream bodies")
    if request.content_type != JSON:
        raise RestError(400, "PGRST102", f"Content-Type not acceptable: {request.content_type}")
    return request.json() if request.body else {}


def _keys(body: Any) -> list[str]:
    """The argument names; those of the objects in an array have to agree."""
    if isinstance(body, dict):
        return list(body)
    if isinstance(body, list) and body:
        keys = [set(row) if isinstance(row, dict) else None for row in body]
        if keys[0] is not None and all(other == keys[0] for other in keys):
            return sorted(keys[0])
    return []


def _choose(catalog: Catalog, request: Request, name: str, keys: set[str]) -> Function:
    overloads = catalog.functions.get(name, [])
    raw = request.content_type in ("text/plain", "text/xml") and request.method == "POST"
    fitting = [f for f in overloads if not raw and _fits(f, keys)]
    if not fitting and request.method == "POST":
        types = RAW_BODIES.get(request.content_type, ())
        fitting = [f for f in overloads if _takes_whole_body(f) and f.parameters[0].type in types]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        message = "Could not choose the best candidate function between: "
        hint = (
            "Try renaming the parameters or the function itself in the database so function"
            " overloading can be resolved"
        )
        shown = ", ".join(function.signature for function in fitting)
        raise RestError(300, "PGRST203", message + shown, None, hint)
    raise _not_found(catalog, request, name, sorted(keys))


def _fits(function: Function, keys: set[str]) -> bool:
    if _takes_whole_body(function):
        return False
    required = {p.name for p in function.parameters if p.required}
    return required <= keys <= {p.name for p in function.parameters}


def _takes_whole_body(function: Function) -> bool:
    return len(function.parameters) == 1 and not function.parameters[0].name


def _not_found(catalog: Catalog, request: Request, name: str, keys: list[str]) -> RestError:
    shown = f"{SCHEMA}.{name}"
    with_parameters = f"({', '.join(keys)})" if keys else " without parameters"
    plural = "parameters" if len(keys) > 1 else "parameter"
    searched = f" with {plural} {', '.join(keys)}" if keys else " without parameters"
    if request.method == "POST":
        searched += " or with a single unnamed json/jsonb parameter"
    overloads = catalog.functions.get(name, [])
    hint = None
    if overloads:
        names = ", ".join(sorted(p.name for p in overloads[0].parameters))
        hint = f"Perhaps you meant to call the function {shown}({names})"
    elif near := nearest(name, catalog.functions):
        hint = f"Perhaps you meant to call the function {SCHEMA}.{near}"
    return RestError(
        404,
        "PGRST202",
        f"Could not find the function {shown}{with_parameters} in the schema cache",
        f"Searched for the function {shown}{searched},"
        " but no matches were found in the schema cache.",
        hint,
    )


def _call_with_body(
    function: Function, request: Request, body: Any, names: set[str], values: Values
) -> str:
    """FROM items that call the function with the body, which Postgres itself takes apart."""
    if _takes_whole_body(function):
        return _invoke(function, f"{values.add(request.text())}::{function.parameters[0].type}")
    given = [p for p in function.parameters if p.name in names]
    if not given:
        return _invoke(function, "")
    expand = "json_to_recordset" if isinstance(body, list) else "json_to_record"
    columns = ", ".join(f"{quote(p.name)} {p.type}" for p in given)
    text = values.add(request.text())
    record = f"(select * from {expand}({text}::json) as _({columns}) limit 1) pgrst_body"
    arguments = ", ".join(_argument(p, f"pgrst_body.{quote(p.name)}") for p in given)
    return f"{record}, lateral {_invoke(function, arguments)}"


def _call_with_text(function: Function, arguments: dict[str, list[str]], values: Values) -> str:
    """The same for a query string, whose values are text in the type's own spelling."""
    given = []
    for parameter in function.parameters:
        texts = arguments.get(parameter.name)
        if texts is None:
            continue
        if parameter.variadic:
            elements = ", ".join(values.add(text) for text in texts)
            value = f"array[{elements}]::{parameter.type}"
        else:
            value = f"{values.add(texts[-1])}::{parameter.type}"
        given.append(_argument(parameter, value))
    return _invoke(function, ", ".join(given))


def _argument(parameter: Parameter, value: str) -> str:
    return f"{'variadic ' if parameter.variadic else ''}{quote(parameter.name)} := {value}"


def _invoke(function: Function, arguments: str) -> str:
    called = f"{quote(SCHEMA)}.{quote(function.name)}({arguments})"
    if function.columns is None:
        return f"(select {called} as pgrst_scalar) pgrst_call"
    return f"{called} pgrst_call"


def _shape(
    catalog: Catalog, function: Function, query: Query, request: Request, inner: str, values: Values
) -> str:
    """The statement around the call, by what the function returns."""
    if function.columns is not None:
        source = Source(
            "pgrst_source",
            function.returns_table,
            function.columns,
            cte=f"select pgrst_call.* from {inner}",
        )
        return select_page(
            catalog, source, query, request, values, one_row=not function.returns_set
        )
    if query.names_columns:
        raise RestError(400, "42703", f"{SCHEMA}.{function.name} returns no columns")
    if function.returns_set or query.cuts:
        cte = f"select pgrst_call.pgrst_scalar from {inner}"
        source = Source("pgrst_source", None, {}, scalar=True, cte=cte)
        return select_page(
            catalog, source, query, request, values, one_row=not function.returns_set
        )
    total = "1::bigint" if request.counts else "null::bigint"
    return (
        "select coalesce(to_json(pgrst_call.pgrst_scalar)::text, 'null') as body, 1 as page,"
        f" {total} as total, {ENDING}, null as inserted from {inner}"
    )
