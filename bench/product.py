"""The product as it is measured: a stack of its own, and the API in a process of its own."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from local.processes import Child
from local.stack import Stack, choose_port
from tests.tenants import CREDENTIALS_KEY, Project, Tenant

ROOT = Path(__file__).parent.parent
CRON_SECRET = "a-cron-secret-for-benchmarks"


@dataclass(frozen=True, slots=True)
class Product:
    """`database` is the superuser's connection: for arranging, counting and statistics."""

    stack: Stack
    api_url: str
    project: Project
    tenant: Tenant
    database: Any

    async def call(self, function: str, params: dict[str, Any]) -> Any:
        return await self.project.rpc(function, params)


@asynccontextmanager
async def running(kept: Path | None = None) -> AsyncIterator[Product]:
    """A fresh database, gateway, fake WhatsApp and API, with one company; gone afterwards, but for
    what is in the folder `kept`."""
    folder = kept or Path(tempfile.mkdtemp(prefix="recado-bench-"))
    try:
        async with (
            Stack(folder) as stack,
            _api(stack) as api_url,
            httpx.AsyncClient(timeout=60.0) as http,
        ):
            keys = stack.keys
            project = Project(http, stack.url, keys.secret_key, keys.publishable_key)
            database = await asyncpg.connect(stack.database_url)
            try:
                tenant = await project.new_tenant(stack.whatsapp_url)
                yield Product(stack, api_url, project, tenant, database)
            finally:
                await database.close()
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def settings_of(stack: Stack) -> dict[str, str]:
    """The environment of a deployment that uses this stack."""
    return {
        "SUPABASE_URL": stack.url,
        "SUPABASE_SECRET_KEY": stack.keys.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": stack.keys.publishable_key,
        "CRON_SECRET": CRON_SECRET,
        "CREDENTIALS_KEY": CREDENTIALS_KEY,
    }


@asynccontextmanager
async def _api(stack: Stack) -> AsyncIterator[str]:
    """One uvicorn process, as `make dev` runs it."""
    port = choose_port(0)
    os.environ.update(settings_of(stack))
    child = Child(
        "the API",
        [sys.executable, "-m", "uvicorn", "functions.index:app", "--port", str(port)],
        log=stack.logs / "api.log",
        cwd=ROOT,
    )
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{url}/api/health")).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        await child.until_ready(answers)
        yield url
    finally:
        await child.stop()
