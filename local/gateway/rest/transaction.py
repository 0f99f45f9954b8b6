"""One request is one transaction: who asks becomes its role, the request becomes its settings.

Everything goes to Postgres in one message and comes back in one, unless the answer decides whether
to commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from local.gateway.rest.catalog import Catalog, QName, literal, quote
from local.gateway.rest.errors import from_connection, from_postgres, lost_connection
from local.gateway.rest.pool import Pool
from local.gateway.rest.read import COLUMNS
from local.gateway.rest.request import Request
from local.gateway.rest.tokens import Caller
from local.gateway.rest.wire import Connection, ConnectionLost, Query, Row, ServerError, Value

# How long a request waits for a free connection.
ACQUIRE_SECONDS = 10
COMMIT, ROLLBACK = Query("commit"), Query("rollback")
ISOLATION = "default_transaction_isolation"
ISOLATION_LEVELS = ("serializable", "repeatable read", "read committed", "read uncommitted")
# What Postgres says of a plan whose types or columns have changed since it was made.
STALE_PLAN = ("0A000", "XX000", "42883", "42804", "42704")


class Result(NamedTuple):
    """The only row of a statement.

    `body`: the answer. `page`: rows in it. `total`: rows without the limit, when counted.
    `headers`, `status`: set by SQL. `inserted`: rows that an upsert added. `location`: the primary
    key of the only row inserted.
    """

    body: bytes
    page: int
    total: int | None
    headers: bytes | None
    status: str | None
    inserted: int | None
    location: dict[str, str | None] | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and what may go into its transaction.

    `explains`: its rows are Postgres' plan. `planned`: another one, whose estimated number of rows
    is the total. `check` may refuse the result by raising; nothing is committed then.
    """

    sql: str
    values: Sequence[Value]
    read_only: bool = False
    settings: Sequence[tuple[str, str]] = ()
    explains: bool = False
    planned: Query | None = None
    check: Callable[[Result], None] | None = field(default=None)


async def run(
    pool: Pool, catalog: Catalog, caller: Caller, request: Request, statement: Statement
) -> Result:
    """The statement's result, after commit. Raises RestError for every way this can fail."""
    try:
        connection = await pool.acquire(ACQUIRE_SECONDS)
    except (OSError, TimeoutError, ServerError) as error:
        raise from_connection(error) from error
    try:
        connection.plan_for(catalog)
        return await _run_on(connection, catalog, caller, request, statement)
    except ConnectionLost as error:
        raise lost_connection(error) from error
    except ServerError as error:
        raise from_postgres(error, authenticated=caller.role != "anon") from error
    finally:
        pool.release(connection)


async def _run_on(
    connection: Connection,
    catalog: Catalog,
    caller: Caller,
    request: Request,
    statement: Statement,
) -> Result:
    before = _preparation(catalog, caller, request, statement)
    main = Query(statement.sql, statement.values, 0 if statement.explains else COLUMNS)
    queries = [*before, main]
    if statement.planned:
        queries.append(statement.planned)
    wanted = request.prefer.get("tx", "rollback" if catalog.config.rollback else "commit")
    ending = [Query("set constraints all immediate"), ROLLBACK] if wanted != "commit" else [COMMIT]
    sent = queries if statement.check else [*queries, *ending]
    rows = (await _attempt(connection, sent, main))[len(before) :]
    if statement.explains:
        plan = b"\n".join(row[0] or b"" for row in rows[0])
        return Result(plan, 0, None, None, None, None, None)
    result = _result(rows[0][0])
    if statement.planned:
        result = _estimated(result, rows[1], catalog.config.max_rows)
    if statement.check:
        try:
            statement.check(result)
        except BaseException:
            await connection.run([ROLLBACK])
            raise
        await _attempt(connection, ending, None)
    return result


def _preparation(
    catalog: Catalog, caller: Caller, request: Request, statement: Statement
) -> list[Query]:
    """What comes before the statement: the transaction, its settings, the project's own check."""
    role = dict(catalog.role_settings.get(caller.role, ()))
    function = dict(statement.settings)
    isolation = function.pop(ISOLATION, role.pop(ISOLATION, ""))
    names, values = _settings(catalog, caller, request, [*role.items()], [*function.items()])
    queries = [Query(_begin(statement.read_only, isolation)), Query(_set_config(names), values)]
    if catalog.config.pre_request:
        schema, _, name = catalog.config.pre_request.rpartition(".")
        function_name = QName(schema or catalog.config.schemas[0], name)
        queries.append(Query(f"select {function_name.sql}()"))
    return queries


async def _attempt(
    connection: Connection, queries: list[Query], main: Query | None
) -> list[list[Row]]:
    """Runs them; rolls back when one fails, and tries once more when an old plan may be why."""
    planned = main is not None and connection.knows(main)
    try:
        return await connection.run(queries)
    except ServerError as error:
        if not connection.idle:
            await connection.run([ROLLBACK])
        if not planned or error.sqlstate not in STALE_PLAN:
            raise
    connection.forget()
    try:
        return await connection.run(queries)
    except ServerError:
        if not connection.idle:
            await connection.run([ROLLBACK])
        raise


def _estimated(result: Result, plan: list[Row], max_rows: int | None) -> Result:
    """With Postgres' estimate as the total, unless that was counted and is no more than a page."""
    if result.total is not None and max_rows is not None and result.total <= max_rows:
        return result
    estimate = orjson.loads(plan[0][0] or b"")[0]["Plan"]["Plan Rows"]
    return result._replace(total=max(result.total or 0, estimate))


def _result(row: Row) -> Result:
    body, page, total, headers, status, inserted, location = row
    return Result(
        body or b"",
        int(page or 0),
        None if total is None else int(total),
        headers,
        None if status is None else status.decode(),
        None if inserted is None else int(inserted),
        orjson.loads(location) if location else None,
    )


def _begin(read_only: bool, isolation: str) -> str:
    level = isolation.strip("'\"").lower()
    shown = f" isolation level {level}" if level in ISOLATION_LEVELS else ""
    return f"begin{shown}{' read only' if read_only else ''}"


def _settings(
    catalog: Catalog,
    caller: Caller,
    request: Request,
    role: list[tuple[str, str]],
    function: list[tuple[str, str]],
) -> tuple[tuple[str, ...], list[str]]:
    """Names and values in the order they take effect: a function's settings override a role's."""
    path = dict.fromkeys([request.schema, *catalog.config.extra_search_path])
    pairs = [
        ("search_path", ", ".join(map(quote, path))),
        *role,
        ("role", caller.role),
        ("request.jwt.claims", caller.claims_json),
        ("request.method", request.method),
        ("request.path", request.path),
        ("request.headers", request.headers_json),
        ("request.cookies", request.cookies_json),
    ]
    if timezone := request.prefer.get("timezone"):
        pairs.append(("timezone", timezone))
    pairs.extend(function)
    return tuple(name for name, _ in pairs), [value for _, value in pairs]


_statements: dict[tuple[str, ...], str] = {}


def _set_config(names: tuple[str, ...]) -> str:
    """One statement per set of names, so that each connection prepares it once."""
    if names not in _statements:
        calls = [
            f"set_config({literal(name)}, ${place}, true)"
            for place, name in enumerate(names, start=1)
        ]
        _statements[names] = "select " + ", ".join(calls)
    return _statements[names]
