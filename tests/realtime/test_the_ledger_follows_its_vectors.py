"""The conformance vectors of protocol ledger/1, which a client in any language can run: see
tests/realtime/vectors/README.md for what their words mean."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from functions.realtime.ledger import Ledger
from functions.realtime.models import Answer, Change, Event

VECTORS = sorted(Path(__file__).with_name("vectors").glob("*.json"))


class Run:
    def __init__(self, scope: str) -> None:
        self.ledger = Ledger(scope)
        self.now = 0.0

    def step(self, step: dict[str, Any]) -> None:
        self.now = step.get("at", self.now)
        actions: dict[str, Callable[[dict[str, Any]], Change | None]] = {
            "joined": self._joined,
            "left": self._left,
            "head": self._head,
            "event": self._event,
            "sync": self._sync,
            "answer": self._answer,
            "failed": self._failed,
        }
        change = actions[step["do"]](step)
        if "emits" in step:
            assert (change and [row["id"] for row in change.rows]) == step["emits"]
            assert bool(change and change.reset) == step.get("reset", False)
        if "status" in step:
            assert self.ledger.status == step["status"]

    def _joined(self, step: dict[str, Any]) -> None:
        self.ledger.joined()

    def _left(self, step: dict[str, Any]) -> None:
        self.ledger.left()

    def _head(self, step: dict[str, Any]) -> None:
        self.ledger.head(step["head"]["epoch"], step["head"]["ver"])

    def _failed(self, step: dict[str, Any]) -> None:
        self.ledger.failed()

    def _event(self, step: dict[str, Any]) -> Change | None:
        try:
            event = Event.parse(step["event"])
        except ValueError:
            self.ledger.distrust()
            return None
        return self.ledger.event(event, self.now)

    def _sync(self, step: dict[str, Any]) -> None:
        request = self.ledger.next_sync(self.now)
        expected = step["expect"]
        assert request == (expected and (expected["after"], expected["epoch"]))

    def _answer(self, step: dict[str, Any]) -> Change:
        return self.ledger.answer(Answer.parse(step["answer"]), self.now)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_steps_of_the_vector_lead_to_its_final_rows(path: Path) -> None:
    vector = orjson.loads(path.read_bytes())
    run = Run(vector["scope"])
    for number, step in enumerate(vector["steps"]):
        try:
            run.step(step)
        except AssertionError as error:
            raise AssertionError(f"step {number} ({step['do']}): {error}") from error
    final = vector["final"]
    assert run.ledger.status == final["status"]
    assert (run.ledger.epoch, run.ledger.version) == (final["epoch"], final["version"])
    assert sorted(run.ledger.rows.values(), key=lambda row: int(row["rev"])) == final["rows"]


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 20


def test_the_words_of_the_vectors_are_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", (VECTORS[0].parent / "README.md").read_text()))
    used = {"about", "scope", "steps", "final"}
    for path in VECTORS:
        vector = orjson.loads(path.read_bytes())
        assert vector.keys() == used
        for step in vector["steps"]:
            assert {*step, step["do"], step.get("status", "cold")} <= explained
        assert vector["final"].keys() <= explained
    assert used <= explained
