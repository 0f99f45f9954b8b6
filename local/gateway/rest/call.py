"""/rpc/{function}: which function is meant, and the SQL that calls it."""

from collections.abc import Sequence

from local.gateway.rest.catalog import Catalog, Function, Parameter, QName, quote
from local.gateway.rest.errors import RestError
from local.gateway.rest.expression import Values, array_literal
from local.gateway.rest.hints import SOMEWHAT_ALIKE, nearest
from local.gateway.rest.media import BYTES, JSON
from local.gateway.rest.nodes import names_in
from local.gateway.rest.payload import RAW, Payload
from local.gateway.rest.request import Request
from local.gateway.rest.tree import SOURCE, Node, needed_columns

# Content types whose body goes whole into a single unnamed parameter of this type.
WHOLE_BODY = {
    "text/plain": ("text",), "text/xml": ("xml",), BYTES: ("bytea",), JSON: ("json", "jsonb")
}  # fmt: skip


def choose(catalog: Catalog, request: Request, name: str, keys: Sequence[str]) -> Function:
    """The function that takes arguments of these names.

    Raises: RestError PGRST202 none fits, PGRST203 several do.
    """
    overloads = catalog.functions.get(QName(request.schema, name), [])
    raw = not request.reads and request.content_type in RAW
    fitting = [f for f in overloads if _fits(f, set(keys)) and (f.parameters or not raw)]
    if not fitting and not request.reads:
        types = WHOLE_BODY.get(request.content_type, ())
        fitting = [f for f in overloads if _takes_whole_body(f) and f.parameters[0].type in types]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise _not_found(catalog, request, name, keys, raw)
    shown = ", ".join(function.signature for function in fitting)
    raise RestError(
        300,
        "PGRST203",
        f"Could not choose the best candidate function between: {shown}",
        None,
        "Try renaming the parameters or the function itself in the database so function"
        " overloading can be resolved",
    )


def _fits(function: Function, keys: set[str]) -> bool:
    required = {p.name for p in function.parameters if p.required}
    return required <= keys <= {p.name for p in function.parameters}


def _takes_whole_body(function: Function) -> bool:
    return len(function.parameters) == 1 and not function.parameters[0].name


def _not_found(
    catalog: Catalog, request: Request, name: str, keys: Sequence[str], raw: bool
) -> RestError:
    shown, named = f"{request.schema}.{name}", ", ".join(keys)
    given = f"({named})" if keys else " without parameters"
    searched = f" with parameter{'s' * (len(keys) > 1)} {named}" if keys else given
    if raw:
        given, searched = (
            "",
            f" with a single unnamed {WHOLE_BODY[request.content_type][0]} parameter",
        )
    elif request.content_type == JSON and not request.reads:
        searched += " or with a single unnamed json/jsonb parameter"
    return RestError(
        404,
        "PGRST202",
        f"Could not find the function {shown}{given} in the schema cache",
        f"Searched for the function {shown}{searched},"
        " but no matches were found in the schema cache.",
        None if raw else _suggestion(catalog, QName(request.schema, name), keys),
    )


def _suggestion(catalog: Catalog, name: QName, keys: Sequence[str]) -> str | None:
    overloads = catalog.functions.get(name, [])
    if overloads:
        lists = [f"({', '.join(sorted(p.name for p in f.parameters))})" for f in overloads]
        near = nearest(f"({', '.join(keys)})", lists, SOMEWHAT_ALIKE)
        found = near and f"{name.name}{near}"
    else:
        found = nearest(name.name, [f.name for f in catalog.functions if f.schema == name.schema])
    return f"Perhaps you meant to call the function {name.schema}.{found}" if found else None


def call_sql(
    function: Function,
    payload: Payload | None,
    arguments: Sequence[tuple[str, str]],
    root: Node,
    values: Values,
) -> str:
    """`with pgrst_source as (select ... from the call)`; `arguments` when there is no payload."""
    if payload is None:
        source = _called(function, _text_arguments(function, arguments, values))
    elif _takes_whole_body(function):
        type_ = function.parameters[0].type
        body = b"\\x" + payload.raw.hex().encode() if type_ == "bytea" else payload.raw
        source = _called(function, f"{values.add(body)}::{type_}")
    else:
        source = _called_with_json(function, payload, values)
    return f"with {SOURCE} as (select {_returned(function, root)} from {source}) "


def _called_with_json(function: Function, payload: Payload, values: Values) -> str:
    """The body's keys become arguments; Postgres itself takes the JSON apart."""
    given = [p for p in function.parameters if p.name in payload.keys]
    if not given:
        return _called(function, "")
    expand = "json_to_recordset" if payload.is_array else "json_to_record"
    columns = ", ".join(f"{quote(p.name)} {p.type}" for p in given)
    text = f"{values.add(payload.raw)}::json"
    record = f"(select * from {expand}({text}) as _({columns}) limit 1) pgrst_body"
    arguments = ", ".join(_argument(p, f"pgrst_body.{quote(p.name)}") for p in given)
    return f"{record}, lateral {_called(function, arguments)}"


def _text_arguments(
    function: Function, arguments: Sequence[tuple[str, str]], values: Values
) -> str:
    """Values in their types' own spelling; a variadic parameter may be given many times."""
    given = []
    for parameter in function.parameters:
        texts = [value for name, value in arguments if name == parameter.name]
        if texts:
            text = array_literal(tuple(texts)) if parameter.variadic else texts[-1]
            given.append(_argument(parameter, f"{values.add(text)}::{parameter.type}"))
    return ", ".join(given)


def _argument(parameter: Parameter, value: str) -> str:
    return f"{'variadic ' if parameter.variadic else ''}{quote(parameter.name)} := {value}"


def _called(function: Function, arguments: str) -> str:
    called = f"{function.name.sql}({arguments})"
    if function.returns_rows:
        return f"{called} pgrst_call"
    return f"(select {called} as pgrst_scalar) pgrst_call"


def _returned(function: Function, root: Node) -> str:
    """The columns that are read, so that computed ones are among them."""
    names = needed_columns(root)
    if not function.returns_rows or names in ([], ["*"]):
        return "pgrst_call.*"
    labels = {child.label for child in root.children}
    filtered = [name for name in names_in(root.part.conditions) if name not in labels]
    every = dict.fromkeys([*names, *filtered])
    return ", ".join(f"pgrst_call.{quote(name)}" for name in every)
