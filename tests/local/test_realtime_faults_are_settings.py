"""RECADO_REALTIME_FAULTS reaches the gateway of a stack, and nothing of it can be asked for by
a request."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from local.gateway.realtime.faults import ENVIRONMENT
from local.stack import Stack
from tests.conftest import POSTGRES_VERSION
from tests.realtime.phoenix import Phoenix, dial

# Delays are long here, so that what they overtake cannot be late by chance.
SETTINGS = "drop=0.2,duplicate=0.2,reorder=0.2,close=0.05,backoff=0.1,seconds=0.5,seed=11"
SEND = "select realtime.send(jsonb_build_object('n', n), 'e', $1) from generate_series(1, 60) n"


@pytest.fixture(scope="module")
async def faulty() -> AsyncIterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="recado-faulty-", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv(ENVIRONMENT, SETTINGS)
        version = POSTGRES_VERSION
        async with Stack(Path(folder), postgres_version=version, project=None) as stack:
            yield stack


async def heard(client: Phoenix) -> list[int]:
    """The numbers until the socket is cut."""
    numbers: list[int] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            numbers.append((await client.next()).payload["payload"]["n"])
    return numbers


async def test_broadcasts_suffer_and_joins_and_answers_do_not(faulty: Stack) -> None:
    connection = await asyncpg.connect(faulty.database_url)
    fates = []
    for name in ("one", "two"):
        async with dial(faulty, faulty.keys.secret_key) as client:
            await client.join(f"realtime:{name}", private=True)
            await client.heartbeat()
            await connection.execute(SEND, name)
            numbers = await heard(client)
            fates.append(numbers)
            assert len(set(numbers)) < max(numbers)  # dropped
            assert len(set(numbers)) < len(numbers)  # doubled
            assert sorted(numbers) != numbers  # overtaken
    assert fates[0] != fates[1]
    await connection.close()


async def test_no_request_changes_a_fault(faulty: Stack) -> None:
    headers = {"apikey": faulty.keys.secret_key}
    async with httpx.AsyncClient(base_url=faulty.url, headers=headers) as http:
        for path in ("/realtime/v1/faults", "/realtime/v1/api/faults", "/realtime/v1/_fake/faults"):
            assert (await http.post(path, json={"drop": 0})).status_code == 501
