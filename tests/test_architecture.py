"""The house keeps its shape: who imports whom, how long things are, what they are called."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("functions", "local", "bench", "tests")

SHARED_ROOMS = frozenset({"jobs", "realtime", "metrics", "cache", "rollout"})
BUSINESS_ROOMS = frozenset({"messaging", "campaigns", "crm", "webhooks", "backups", "console"})
# room -> the rooms it may import, beside itself
ARROWS = {
    "core": frozenset[str](),
    "providers": frozenset({"core"}),
    **{room: frozenset({"core"}) for room in SHARED_ROOMS},
    **{room: frozenset({"core", "providers"}) | SHARED_ROOMS for room in BUSINESS_ROOMS},
}
# The composition root, the two entries that hosts call, and the one that people call.
ENTRIES = {
    "app": frozenset(ARROWS),
    "index": frozenset({"app", "core"}),
    "aws": frozenset({"app", "core", "jobs"}),
    "cli": frozenset(ARROWS) | {"app"},
}

# package -> the only places in functions/ that may import it
OUTSIDE_PACKAGES = {
    "httpx": ("functions.core", "functions.providers"),
    "mangum": ("functions.aws",),
    "realtime": ("functions.realtime",),
    "supabase": (),
}

# A file of migrations belongs to a room; these have no Python of their own.
SQL_ONLY_ROOMS = {
    "foundation": "companies, members and keys, on which every room stands",
    "pt": "the Portuguese names, views over the other rooms",
}
# Folders of tests that are no room of functions/.
OTHER_TESTS = {
    "cli": "the command line",
    "deploy": "the migrations on the databases that they will meet",
    "demo": "what `make dev` shows",
    "faults": "crashes, restarts and lost answers, across all rooms",
    "foundation": "the tenancy every room stands on",
    "lint": "local/lint",
    "local": "the local stack",
    "pt": "the Portuguese names",
    "samples": "bodies that providers sent",
}

MODULE_LINES = 300
FUNCTION_LINES = 40
# "path" or "path::function" -> why it is longer
LONGER = {
    "tests/providers/test_every_sample_means_exactly_this.py": "a table: one entry per sample",
}

VAGUE_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "service",
    "services",
}


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the repository; in a copy without git, all that git would not ignore by folder."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        return tuple(path for name in listing.stdout.split("\n") if (path := ROOT / name).is_file())
    ignored = {".git", ".venv", ".recado", "__pycache__", "node_modules"}
    return tuple(p for p in ROOT.rglob("*") if p.is_file() and not ignored & set(p.parts))


def modules(*folders: str) -> list[Path]:
    roots = {ROOT / folder for folder in folders}
    return sorted(p for p in tracked() if p.suffix == ".py" and roots & set(p.parents))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name_of(path).split(".")
            if path.name != "__init__.py":
                package = package[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            # `from functions import app` imports a module, `from functions.app import x` a name.
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def ours(target: str) -> list[str]:
    parts = target.split(".")
    return parts[1:] if parts[0] == "functions" else []


def faults_of_arrows(path: Path) -> Iterator[str]:
    room, *_ = [*ours(name_of(path)), ""]
    allowed = {**ARROWS, **ENTRIES}.get(room, frozenset())
    for line, target in imports(path):
        place = f"{path.relative_to(ROOT)}:{line}"
        if target.split(".")[0] in ("local", "tests", "bench"):
            yield f"{place}: what ships imports {target}"
        other = ours(target)[:1]
        if other and other[0] != room and other[0] not in allowed:
            yield f"{place}: {room} may not import {other[0]}"


@pytest.mark.parametrize("path", modules("functions"), ids=lambda p: name_of(p))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    assert list(faults_of_arrows(path)) == []


def test_every_room_has_its_arrows() -> None:
    rooms = {ours(name_of(path))[0] for path in modules("functions") if ours(name_of(path))}
    assert rooms <= set(ARROWS) | set(ENTRIES)


def test_in_a_room_doors_know_the_calls_and_the_calls_know_the_shapes() -> None:
    """routes, handlers -> rpc -> models; only app.py knows routes and handlers."""
    faults = []
    for path in modules("functions"):
        here = ours(name_of(path))
        for line, target in imports(path):
            there = ours(target)
            place = f"{path.relative_to(ROOT)}:{line}"
            if {"routes", "handlers"} & set(there[1:2]) and here != ["app"]:
                faults.append(f"{place}: only app.py imports {there[0]}.{there[1]}")
            if here[1:2] == ["models"] and there[:2] == [here[0], "rpc"]:
                faults.append(f"{place}: a shape does not call the database")
    assert faults == []


def test_packages_from_outside_are_imported_where_they_belong() -> None:
    faults = [
        f"{path.relative_to(ROOT)}:{line}: imports {target}"
        for path in modules("functions")
        for line, target in imports(path)
        if (package := target.split(".")[0]) in OUTSIDE_PACKAGES
        and not name_of(path).startswith(OUTSIDE_PACKAGES[package])
    ]
    assert faults == []


Function = ast.FunctionDef | ast.AsyncFunctionDef


def span(node: ast.AST) -> int:
    assert isinstance(node, Function)
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def lengths(path: Path) -> Iterator[tuple[str, int, int]]:
    """(name, lines, limit) of a module and of each of its functions.

    A function inside another one, such as a route in its router, counts for itself alone.
    """
    name = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    yield name, text.count("\n"), MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            inner = sum(span(child) for child in node.body if isinstance(child, Function))
            yield f"{name}::{node.name}", span(node) - inner, FUNCTION_LINES


def test_modules_and_functions_stay_short() -> None:
    measured = [length for path in modules(*CODE) for length in lengths(path)]
    longer = {name: lines for name, lines, limit in measured if lines > limit}
    assert set(longer) - set(LONGER) == set(), longer
    assert set(LONGER) <= set(longer), "these are short now: strike them from LONGER"


def test_modules_are_named_after_what_they_hold() -> None:
    names = {part for path in modules(*CODE) for part in name_of(path).split(".")}
    assert names & VAGUE_NAMES == set()
    rooms = set(ARROWS) | {path.parent.name for path in modules("tests")}
    assert rooms & set(sys.stdlib_module_names) == set(), "would hide the standard library"


def test_every_python_folder_but_supabase_is_a_package() -> None:
    """A `supabase` package of ours would hide the one from PyPI."""
    folders = {path.parent for path in modules(*CODE)}
    assert [str(f) for f in sorted(folders) if not (f / "__init__.py").exists()] == []
    assert [str(p) for p in tracked() if p.suffix == ".py" and ROOT / "supabase" in p.parents] == []


def test_sql_and_tests_speak_of_the_same_rooms() -> None:
    rooms = {
        path.parent.name for path in modules("functions") if path.parent.parent.name != ROOT.name
    }
    rooms &= set(ARROWS)
    in_sql = {
        path.name.split("_")[1].removesuffix(".sql")
        for path in (ROOT / "supabase" / "migrations").glob("*.sql")
    }
    assert in_sql <= rooms | set(SQL_ONLY_ROOMS)
    in_tests = {path.relative_to(ROOT / "tests").parts[0] for path in modules("tests")}
    folders = {name for name in in_tests if not name.endswith(".py")}
    assert folders <= rooms | set(OTHER_TESTS)
    assert rooms <= folders, "a room without tests"


def test_no_pyproject_hides_requirements_from_vercel() -> None:
    """Vercel would read it instead of requirements.txt and bundle no packages."""
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}
    assert names & {"pyproject.toml", "uv.lock", "Pipfile", "pylock.toml"} == set()


def test_no_file_names_a_place_on_one_machine() -> None:
    machine = re.compile(r"(?<![\w.:/~-])/(?:root|home|Users|work|mnt)/\w")
    faults = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            continue
        place = path.relative_to(ROOT)
        faults += [f"{place}:{n}" for n, line in enumerate(lines, 1) if machine.search(line)]
    assert faults == []
