"""Vectors of ledger/1 played on the clients of this repository, and on broken copies of them."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

VECTORS = sorted((Path(__file__).parent / "vectors").glob("*.json"))
PLAYER = Path(__file__).with_name("play_vectors.mjs")
ROOM = Path(__file__).parents[2] / "functions" / "realtime"

Result = dict[str, str | None]
"""Vector -> what is wrong, or None."""


def python_client(break_it: Callable[[str], str] = str) -> ModuleType:
    """The Python client made from its source, which may be changed before."""
    client = ModuleType("functions.realtime.ledger")
    models, ledger = (
        (ROOM / name).read_text(encoding="utf-8") for name in ("models.py", "ledger.py")
    )
    joined = re.sub(r"from functions\.realtime\.models import .*", "", models + ledger)
    exec(break_it(joined), client.__dict__)
    return client


def play(vector: dict[str, Any], client: Any) -> None:
    """Raises AssertionError where the client does something else than the vector says."""
    _Run(vector["scope"], client).play(vector)


def fault(vector: dict[str, Any], client: Any) -> str | None:
    try:
        play(vector, client)
    except Exception as error:  # a broken client raises what it likes
        return f"{type(error).__name__}: {error}"
    return None


def play_all(client: Any) -> Result:
    return {path.stem: fault(orjson.loads(path.read_bytes()), client) for path in VECTORS}


async def play_javascript(folder: Path, clients: dict[str, str]) -> dict[str, Result]:
    """The same of clients in JavaScript, by name and source. Skips where there is no Node.js."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    vectors = folder / "vectors"
    shutil.copytree(PLAYER.parent / "vectors", vectors)
    # What makes Node of any version read .js as modules, as browsers do.
    (folder / "package.json").write_text('{"type": "module"}')
    paths = {name: folder / f"{name}.js" for name in clients}
    for name, source in clients.items():
        paths[name].write_text(source, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *map(str, (node, PLAYER, vectors, *paths.values())),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    results = json.loads(output)
    return {name: results[str(path)] for name, path in paths.items()}


class _Run:
    def __init__(self, scope: str, client: Any) -> None:
        self._client = client
        self._ledger = client.Ledger(scope)
        self._now = 0.0

    def play(self, vector: dict[str, Any]) -> None:
        for number, step in enumerate(vector["steps"]):
            try:
                self._step(step)
            except AssertionError as error:
                raise AssertionError(f"step {number} ({step['do']}): {error}") from error
        ledger, final = self._ledger, vector["final"]
        assert ledger.status == final["status"], ledger.status
        assert (ledger.epoch, ledger.version) == (final["epoch"], final["version"])
        assert sorted(ledger.rows.values(), key=lambda row: int(row["rev"])) == final["rows"]

    def _step(self, step: dict[str, Any]) -> None:
        self._now = step.get("at", self._now)
        change = getattr(self, f"_{step['do']}")(step)
        if "emits" in step:
            told = change and [row["id"] for row in change.rows]
            assert told == step["emits"], told
            assert bool(change and change.reset) == step.get("reset", False), change
        if "status" in step:
            assert self._ledger.status == step["status"], self._ledger.status

    def _joined(self, step: dict[str, Any]) -> None:
        self._ledger.joined()

    def _left(self, step: dict[str, Any]) -> None:
        self._ledger.left()

    def _head(self, step: dict[str, Any]) -> None:
        self._ledger.head(step["head"]["epoch"], step["head"]["ver"])

    def _failed(self, step: dict[str, Any]) -> None:
        self._ledger.failed()

    def _event(self, step: dict[str, Any]) -> Any:
        try:
            event = self._client.Event.parse(step["event"])
        except ValueError:
            self._ledger.distrust()
            return None
        return self._ledger.event(event, self._now)

    def _sync(self, step: dict[str, Any]) -> None:
        request = self._ledger.next_sync(self._now)
        expected = step["expect"]
        assert request == (expected and (expected["after"], expected["epoch"])), request

    def _answer(self, step: dict[str, Any]) -> Any:
        return self._ledger.answer(self._client.Answer.parse(step["answer"]), self._now)
