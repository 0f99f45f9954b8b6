"""While Postgres is away requests get 503; the next one after it is back succeeds."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from local.stack import Stack
from tests.conftest import POSTGRES_VERSION


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack whose Postgres may be stopped."""
    folder: Path = tmp_path_factory.mktemp("outage")
    async with Stack(folder, postgres_version=POSTGRES_VERSION, project=None) as stack:
        connection = await asyncpg.connect(stack.postgres.url("postgres"))
        await connection.execute("create function one() returns int language sql as 'select 1'")
        await connection.close()
        yield stack


async def test_an_outage_is_503_and_passes(own: Stack) -> None:
    headers = {"apikey": own.keys.secret_key}
    async with httpx.AsyncClient(base_url=own.url, headers=headers) as http:
        first = await asyncio.gather(*(http.post("/rest/v1/rpc/one") for _ in range(8)))
        assert {answer.status_code for answer in first} == {200}
        await own.postgres.stop()
        for _ in range(3):
            away = await http.post("/rest/v1/rpc/one")
            assert (away.status_code, away.json()["code"]) == (503, "PGRST000")
        health = await http.get("/auth/v1/health")
        assert health.status_code == 503
        async with own.postgres:
            back = await asyncio.gather(*(http.post("/rest/v1/rpc/one") for _ in range(8)))
            assert {answer.status_code for answer in back} == {200}
            assert (await http.get("/auth/v1/health")).status_code == 200
            await schema_is_followed(own, http)
        await own.postgres.__aenter__()


async def schema_is_followed(own: Stack, http: httpx.AsyncClient) -> None:
    """The listener is connected again: a changed function is noticed without a miss."""
    connection = await asyncpg.connect(own.postgres.url("postgres"))
    try:
        await connection.execute(
            "drop function one();create function one() returns setof int language sql as 'select 1'"
        )
    finally:
        await connection.close()
    async with asyncio.timeout(10):
        while (await http.post("/rest/v1/rpc/one")).json() != [1]:
            await asyncio.sleep(0.02)


async def test_a_killed_connection_is_503_and_the_next_request_succeeds(own: Stack) -> None:
    headers = {"apikey": own.keys.secret_key}
    async with httpx.AsyncClient(base_url=own.url, headers=headers) as http:
        assert (await http.post("/rest/v1/rpc/one")).status_code == 200
        connection = await asyncpg.connect(own.database_url)
        await connection.execute(
            "create function public.die() returns void language sql as"
            " 'select pg_terminate_backend(pg_backend_pid())'"
        )
        await connection.execute("alter function public.die() security definer")
        await connection.close()
        died = await http.post("/rest/v1/rpc/die")
        assert died.status_code == 503
        assert (await http.post("/rest/v1/rpc/one")).status_code == 200
