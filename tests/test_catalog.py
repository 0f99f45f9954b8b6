"""The migrated database, its index page and the Python that calls it say the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local.stack import Stack

ROOT = Path(__file__).parent.parent
FUNCTIONS = """
    select proname as name, proargnames[1:pronargs] as parameters,
      array(
        select case rolname when 'authenticated' then 'users' else 'service' end
        from pg_roles where rolname in ('authenticated', 'service_role')
          and has_function_privilege(pg_roles.oid, pg_proc.oid, 'execute')
        order by rolname
      ) as callers
    from pg_proc where pronamespace = 'public'::regnamespace
"""

Catalog = dict[str, tuple[list[str], str]]


@pytest.fixture(scope="module")
async def catalog(stack: Stack) -> Catalog:
    """Parameters and callers of every function in public."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        rows = await connection.fetch(FUNCTIONS)
    finally:
        await connection.close()
    return {row["name"]: (row["parameters"] or [], ", ".join(row["callers"])) for row in rows}


def test_the_index_page_is_the_catalog(catalog: Catalog) -> None:
    page = (ROOT / "supabase" / "README.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| \[\w+\.sql\]\((\S+)\) \|$", page, re.M)
    assert {name: callers for name, callers, _ in listed} == {
        name: callers for name, (_, callers) in catalog.items()
    }
    for name, _, file in listed:
        assert f"create function public.{name}(" in (ROOT / "supabase" / file).read_text()


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """(file, function, named parameters) of every database call with a literal dict."""
    for path in sorted((ROOT / "functions").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in {"call", "raw"} or not isinstance(node.args[0], ast.Constant):
                continue
            params = node.args[1]
            keys = params.keys if isinstance(params, ast.Dict) else []
            names = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
            yield str(path.relative_to(ROOT)), str(node.args[0].value), names


def test_python_calls_functions_that_exist_with_their_parameters(catalog: Catalog) -> None:
    found = list(calls())
    assert len(found) > 10
    for file, function, names in found:
        assert function in catalog, f"{file} calls {function}"
        assert names <= set(catalog[function][0]), f"{file}: {function} has other parameters"


def test_python_may_call_what_it_calls(catalog: Catalog) -> None:
    assert [name for _, name, _ in calls() if "service" not in catalog[name][1]] == []
