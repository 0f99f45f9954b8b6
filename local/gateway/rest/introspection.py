"""Reads the catalog out of pg_catalog.

Types are spelled qualified, by a transaction with an empty search_path, and without length: a
value is cast to them as text, and a cast to varchar(3) would cut it silently.
"""

from typing import Any

import orjson

from local.gateway.rest.catalog import (
    Catalog,
    Column,
    Function,
    Handler,
    Parameter,
    QName,
    Relation,
    Relationship,
)
from local.gateway.rest.config import Config
from local.gateway.rest.introspection_sql import (
    CASTS,
    COMPUTED,
    CONFIG,
    FOREIGN_KEYS,
    FUNCTIONS,
    HANDLERS,
    RELATIONS,
    ROLE_SETTINGS,
    VIEWS,
)
from local.gateway.rest.pool import AUTHENTICATOR
from local.gateway.rest.relationships import ForeignKey, relate
from local.gateway.rest.views import Origins, read_origins, with_keys

Rows = list[Any]


async def load(connection: Any) -> Catalog:
    """Reads everything; `connection` is a plain asyncpg connection outside a transaction."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("set local search_path = ''")
        settings = await connection.fetch(CONFIG, AUTHENTICATOR)
        config = Config.of({row["name"]: row["value"] for row in settings})
        exposed = list(config.schemas)
        casts = {
            (row["source"], row["target"]): QName(row["schema"], row["name"])
            for row in await connection.fetch(CASTS)
        }
        every = [_relation(row, casts) for row in await connection.fetch(RELATIONS)]
        origins = read_origins(await connection.fetch(VIEWS))
        relations = with_keys({relation.name: relation for relation in every}, origins)
        functions: dict[QName, list[Function]] = {}
        for row in await connection.fetch(FUNCTIONS, exposed):
            function = _function(row, config)
            if _is_callable(function):
                functions.setdefault(function.name, []).append(function)
        for overloads in functions.values():
            overloads.sort(key=lambda each: (len(each.parameters), each.signature))
        relationships = await _relationships(connection, relations, origins, exposed)
        handlers = _handlers(await connection.fetch(HANDLERS, exposed))
        roles: dict[str, tuple[tuple[str, str], ...]] = {}
        for row in await connection.fetch(ROLE_SETTINGS, AUTHENTICATOR):
            roles[row["role"]] = (*roles.get(row["role"], ()), (row["name"], row["value"]))
    reachable = {name: relation for name, relation in relations.items() if name.schema in exposed}
    return Catalog(config, reachable, functions, relationships, handlers, roles)


def _relation(row: Any, casts: dict[tuple[str, str], QName]) -> Relation:
    columns = {
        column["name"]: Column(
            column["name"],
            column["type"],
            column["base"],
            column["default"],
            casts.get((column["type"], "json")),
            casts.get(("json", column["type"])),
            casts.get(("text", column["type"])),
        )
        for column in orjson.loads(row["columns"])
    }
    name = QName(row["schema"], row["name"])
    return Relation(name, columns, tuple(row["primary_key"]), row["is_view"])


async def _relationships(
    connection: Any, relations: dict[QName, Relation], origins: Origins, exposed: list[str]
) -> dict[QName, list[Relationship]]:
    keys = [
        ForeignKey(
            row["name"],
            QName(row["schema"], row["table"]),
            QName(row["target_schema"], row["target"]),
            tuple(zip(row["columns"], row["target_columns"], strict=True)),
            row["is_unique"],
        )
        for row in await connection.fetch(FOREIGN_KEYS)
    ]
    computed = [
        Relationship(
            QName(row["source_schema"], row["source"]),
            QName(row["target_schema"], row["target"]),
            "computed",
            function=QName(row["schema"], row["name"]),
            to_one=row["to_one"],
        )
        for row in await connection.fetch(COMPUTED)
    ]
    return relate(keys, computed, relations, origins, exposed)


def _function(row: Any, config: Config) -> Function:
    modes = row["modes"] or ["i"] * len(row["types"])
    names = row["names"] or [""] * len(row["types"])
    arguments = list(zip(names, row["types"], modes, strict=True))
    inputs = [argument for argument in arguments if argument[2] in "ibv"]
    required = len(inputs) - row["defaults"]
    settings = [entry.partition("=")[::2] for entry in row["settings"] or []]
    table = QName(row["table_schema"], row["table"]) if row["table"] else None
    return Function(
        name=QName(row["schema"], row["name"]),
        parameters=tuple(
            Parameter(name, type_, index < required, mode == "v")
            for index, (name, type_, mode) in enumerate(inputs)
        ),
        returns_set=row["returns_set"],
        returns_void=row["returns_void"],
        returns_rows=row["returns_rows"] or any(mode in "obt" for _, _, mode in arguments),
        table=table,
        writes=row["volatility"] == "v",
        settings=tuple((k.lower(), v) for k, v in settings if k.lower() in config.hoisted),
    )


# What a single parameter without a name may be: the whole body.
WHOLE_BODY_TYPES = ("json", "jsonb", "text", "xml", "bytea")


def _is_callable(function: Function) -> bool:
    """Arguments go by name; one without a name can only be the whole body."""
    unnamed = [p for p in function.parameters if not p.name]
    return not unnamed or (len(unnamed) == 1 and unnamed[0].type in WHOLE_BODY_TYPES)


def _handlers(rows: Rows) -> dict[tuple[QName | None, str], Handler]:
    handlers = {}
    for row in rows:
        target = None
        if row["target"] != "anyelement":
            target = QName(row["target_schema"], row["target"])
        media_type = row["media_type"].lower()
        content_type = "application/octet-stream" if media_type == "*/*" else media_type
        sql = QName(row["schema"], row["name"])
        handlers[target, media_type] = Handler(sql, target, content_type)
    return handlers
