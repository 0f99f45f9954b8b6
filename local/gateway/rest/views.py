"""Which table column each column of a view is: how keys and foreign keys show through views.

Postgres keeps a view as the parse tree of its query. Each entry of the tree's target list names
the table and column it is a plain copy of, if it is one.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from local.gateway.rest.catalog import QName, Relation

# View -> its column -> the table and column that is.
Origins = dict[QName, dict[str, tuple[QName, str]]]

TOKEN = re.compile(r"\\.|[{}]|:targetList|:(resno|resorigtbl|resorigcol) (\d+)", re.DOTALL)


def read_origins(rows: Iterable[Any]) -> Origins:
    """From rows of view, its parse tree, its columns, and the tables it depends on."""
    direct: Origins = {}
    for row in rows:
        names, bases = orjson.loads(row["columns"]), orjson.loads(row["bases"] or "{}")
        found = direct.setdefault(QName(row["schema"], row["name"]), {})
        for place, table, column in _targets(row["query"]):
            base = bases.get(table)
            if base and column in base["columns"] and place in names:
                origin = QName(base["schema"], base["name"])
                found[names[place]] = (origin, base["columns"][column])
    return {view: _followed(direct, columns) for view, columns in direct.items()}


def _targets(tree: str) -> Iterable[tuple[str, str, str]]:
    """Position in the view, table oid and column number of the outermost target list's entries."""
    depth, in_list = 0, False
    entry: dict[str, str] = {}
    for token in TOKEN.finditer(tree):
        text = token[0]
        if text == "{":
            depth += 1
            if depth == 2:
                entry = {}
        elif text == "}":
            if depth == 2 and in_list and entry.get("resorigtbl", "0") != "0":
                yield entry["resno"], entry["resorigtbl"], entry["resorigcol"]
            depth -= 1
        elif text == ":targetList":
            in_list = in_list or depth == 1
        elif depth == 2 and token[1]:
            entry[token[1]] = token[2]


def _followed(
    direct: Origins, columns: dict[str, tuple[QName, str]]
) -> dict[str, tuple[QName, str]]:
    """Views of views: the same with each column traced to a table."""
    traced = {}
    for name, (table, column) in columns.items():
        seen = set()
        while table in direct and table not in seen:
            seen.add(table)
            if column not in direct[table]:
                break
            table, column = direct[table][column]
        if table not in direct:
            traced[name] = (table, column)
    return traced


def copies(columns: dict[str, tuple[QName, str]], table: QName, column: str) -> list[str]:
    """The names a view has for one column of a table."""
    return [name for name, origin in columns.items() if origin == (table, column)]


def with_keys(relations: dict[QName, Relation], origins: Origins) -> dict[QName, Relation]:
    """The relations, views with the primary keys of the tables that show through them whole."""
    keyed = dict(relations)
    for view, columns in origins.items():
        key: list[str] = []
        for table in dict.fromkeys(table for table, _ in columns.values()):
            wanted = relations[table].primary_key if table in relations else ()
            named = [copies(columns, table, column)[:1] for column in wanted]
            if all(named):
                key += [name for names in named for name in names]
        if view in keyed:
            keyed[view] = replace(keyed[view], primary_key=tuple(key))
    return keyed
