"""The conformance vectors of protocol ledger/1, which a client in any language can run: see
tests/realtime/vectors/README.md for what their words mean."""

import re
from pathlib import Path

import orjson
import pytest

from tests.realtime.playing import ROOM, VECTORS, Result, play, play_javascript, python_client


@pytest.fixture(scope="module")
async def in_javascript(tmp_path_factory: pytest.TempPathFactory) -> Result:
    source = (ROOM / "ledger.js").read_text(encoding="utf-8")
    results = await play_javascript(tmp_path_factory.mktemp("ledger"), {"ledger": source})
    return results["ledger"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_steps_of_the_vector_lead_to_its_final_rows_in_python(path: Path) -> None:
    play(orjson.loads(path.read_bytes()), python_client())


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_steps_of_the_vector_lead_to_its_final_rows_in_javascript(
    path: Path, in_javascript: Result
) -> None:
    assert in_javascript[path.stem] is None


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 40


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
