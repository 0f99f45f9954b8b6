"""vercel.json, the requirements and the entry agree with each other and with what hosts demand."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
VERCEL: dict[str, Any] = json.loads((ROOT / "vercel.json").read_text(encoding="utf-8"))
PACKAGES_PROMISED = {"supabase", "realtime", "httpx", "pydantic", "mangum", "fastapi", "orjson"}
# Each costs a tenth of a second or more at every cold start, and no request needs it at once.
IMPORTED_LATE = (
    "supabase", "realtime", "storage3", "jwt", "cryptography", "mangum", "cronsim",
)  # fmt: skip


def requirements(name: str) -> dict[str, str]:
    """package -> its line, for the lines that name a package."""
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line]
    named = [line for line in lines if not line.startswith(("#", "-r"))]
    packages = [re.split(r"[=<>~\[;@ ]", line)[0].lower() for line in named]
    assert len(packages) == len(set(packages)), f"{name} lists a package twice"
    return dict(zip(packages, named, strict=True))


def run_python(code: str) -> str:
    """Output of a fresh interpreter in the repository, without a single setting."""
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=bare, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_vercel_builds_an_entry_that_exposes_the_app() -> None:
    (build,) = VERCEL["builds"]
    entry = ROOT / build["src"]
    assert build["use"] == "@vercel/python"
    # Vercel reads the entry without running it: `app` must be assigned or imported at top level.
    bound = {
        name
        for node in ast.parse(entry.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.ImportFrom)
        for name in (
            [ast.unparse(target) for target in node.targets]
            if isinstance(node, ast.Assign)
            else [alias.asname or alias.name for alias in node.names]
        )
    }
    assert "app" in bound
    assert VERCEL["routes"][-1] == {"src": "/(.*)", "dest": build["src"]}


def test_nothing_but_functions_is_bundled() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode != 0:
        pytest.skip("this copy of the repository has no git to list its files")
    folders = {line.split("/")[0] for line in listing.stdout.splitlines() if "/" in line}
    excluded = re.fullmatch(r"\{(.*)\}/\*\*", VERCEL["builds"][0]["config"]["excludeFiles"])
    assert excluded is not None
    assert folders - {"functions"} <= set(excluded[1].split(","))


async def test_the_cron_calls_a_route_that_refuses_strangers() -> None:
    from functions.index import app

    (cron,) = VERCEL["crons"]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://recado"
    ) as client:
        answer = await client.get(cron["path"])
    assert answer.status_code in (401, 503)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_cron_is_one_that_hobby_plans_accept() -> None:
    """Vercel refuses the whole deployment of a Hobby project that runs more often than daily."""
    minute, hour, day, month, weekday = VERCEL["crons"][0]["schedule"].split()
    assert minute.isdigit()
    assert hour.isdigit()
    assert (day, month, weekday) == ("*", "*", "*")


def test_every_package_is_pinned_and_says_why_it_ships() -> None:
    lines = requirements("requirements.txt")
    assert set(lines) >= PACKAGES_PROMISED
    for line in lines.values():
        assert re.match(r"[\w.\[\]-]+==[\w.]+(; [^#]+)?\s+# \S", line), line


def test_development_adds_packages_without_repeating_any() -> None:
    development = requirements("requirements-dev.txt")
    assert not set(development) & set(requirements("requirements.txt"))
    for line in development.values():
        assert re.match(r"[\w.\[\]-]+==[\w.]+", line), line


def test_the_entry_starts_without_what_only_some_requests_need() -> None:
    loaded = run_python("import sys, functions.index; print(*sys.modules)").split()
    assert "fastapi" in loaded
    assert set(loaded) & set(IMPORTED_LATE) == set()


def test_the_entry_starts_without_any_setting() -> None:
    """Builds import the app too; what is missing is said when it is needed."""
    assert run_python("from functions.index import app; print(callable(app))") == "True\n"
