"""A stack of its own for these tests, with a small league in it instead of the product."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from local.stack import Stack
from tests.conftest import POSTGRES_VERSION

PROJECT = Path(__file__).parent / "project"
PASSWORD = "correct horse"
Json = dict[str, Any]


@pytest.fixture(scope="session")
async def league() -> AsyncIterator[Stack]:
    """The running stack."""
    folder = Path(tempfile.mkdtemp(prefix="recado-league-"))
    try:
        async with Stack(folder, postgres_version=POSTGRES_VERSION, project=PROJECT) as stack:
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def rest(league: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Raw HTTP to /rest/v1 as service_role."""
    headers = {"apikey": league.keys.secret_key}
    async with httpx.AsyncClient(base_url=f"{league.url}/rest/v1", headers=headers) as client:
        yield client


@pytest.fixture(scope="session")
async def anonymous(league: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Raw HTTP to /rest/v1 as anon."""
    headers = {"apikey": league.keys.publishable_key}
    async with httpx.AsyncClient(base_url=f"{league.url}/rest/v1", headers=headers) as client:
        yield client


@pytest.fixture(scope="session")
async def auth(league: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Raw HTTP to /auth/v1 with the publishable key and the newer error form."""
    headers = {"apikey": league.keys.publishable_key, "x-supabase-api-version": "2024-01-01"}
    async with httpx.AsyncClient(base_url=f"{league.url}/auth/v1", headers=headers) as client:
        yield client


@asynccontextmanager
async def connected(stack: Stack, key: str) -> AsyncIterator[AsyncClient]:
    """supabase-py on an HTTP client that is closed afterwards."""
    async with httpx.AsyncClient(timeout=30) as http:
        options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False)
        yield await acreate_client(stack.url, key, options)


@pytest.fixture(scope="session")
async def supabase(league: Stack) -> AsyncIterator[AsyncClient]:
    """supabase-py as service_role."""
    async with connected(league, league.keys.secret_key) as client:
        yield client


@pytest.fixture(scope="session")
async def database(league: Stack) -> AsyncIterator[asyncpg.Pool]:
    """The superuser's view, for arranging and looking."""
    async with asyncpg.create_pool(league.database_url, min_size=1, max_size=4) as pool:
        yield pool


@pytest.fixture(scope="session")
async def migrator(league: Stack) -> AsyncIterator[asyncpg.Pool]:
    """The role that runs migrations, for changing the schema."""
    url = league.postgres.url("postgres")
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        yield pool


SignUp = Callable[[], Awaitable[AsyncClient]]


@pytest.fixture
async def signed_in(league: Stack, supabase: AsyncClient) -> AsyncIterator[SignUp]:
    """Makes a new user and returns supabase-py signed in as that user."""
    clients = AsyncExitStack()

    async def sign_in() -> AsyncClient:
        email = f"{uuid4()}@example.com"
        await supabase.auth.admin.create_user(
            {"email": email, "password": PASSWORD, "email_confirm": True}
        )
        key = league.keys.publishable_key
        client = await clients.enter_async_context(connected(league, key))
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        return client

    async with clients:
        yield sign_in


@pytest.fixture
async def team(supabase: AsyncClient) -> dict[str, object]:
    """A fresh team."""
    answer = await supabase.table("teams").insert({"name": f"team {uuid4()}"}).execute()
    row = answer.data[0]
    assert isinstance(row, dict)
    return row


@pytest.fixture
async def user(auth: httpx.AsyncClient) -> Json:
    """A new user's first session, as /signup answers it."""
    body = {"email": f"{uuid4()}@Example.com", "password": PASSWORD, "data": {"name": "Ana"}}
    answer = await auth.post("/signup", json=body)
    assert answer.status_code == 200, answer.text
    session: Json = answer.json()
    return session


def bearer(session: Json) -> dict[str, str]:
    return {"authorization": f"Bearer {session['access_token']}"}


async def refresh(auth: httpx.AsyncClient, token: str) -> httpx.Response:
    return await auth.post("/token?grant_type=refresh_token", json={"refresh_token": token})
