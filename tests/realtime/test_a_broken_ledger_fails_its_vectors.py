"""Each mistake that a client can make is found by a vector, in both languages."""

import tomllib
from pathlib import Path

import pytest

from tests.realtime.playing import ROOM, Result, play_all, play_javascript, python_client

MISTAKES = tomllib.loads(Path(__file__).with_name("broken_ledgers.toml").read_text())


def broken(source: str, mistake: str, language: str) -> str:
    right, wrong = MISTAKES[mistake][language]
    assert right in source, f"the client reads differently: {right}"
    return source.replace(right, wrong, 1)


def found(result: Result) -> list[str]:
    return [vector for vector, fault in result.items() if fault]


@pytest.fixture(scope="module")
async def in_javascript(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    source = (ROOM / "ledger.js").read_text(encoding="utf-8")
    clients = {mistake: broken(source, mistake, "javascript") for mistake in MISTAKES}
    return await play_javascript(tmp_path_factory.mktemp("broken"), clients)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_vector_finds_it_in_python(mistake: str) -> None:
    client = python_client(lambda source: broken(source, mistake, "python"))
    assert found(play_all(client)) != []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_vector_finds_it_in_javascript(mistake: str, in_javascript: dict[str, Result]) -> None:
    assert found(in_javascript[mistake]) != []
