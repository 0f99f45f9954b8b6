"""One project for this folder, since its tests break it; a tenant and an API for each test."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from local.stack import Stack
from tests.conftest import POSTGRES_VERSION
from tests.faults.proxy import Proxy
from tests.faults.site import Site, deployed, settings_of
from tests.faults.traffic import Traffic
from tests.faults.workers import Workers
from tests.tenants import Project


@pytest.fixture(scope="session")
async def site() -> AsyncIterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="recado-faults-"))
    try:
        async with (
            Stack(folder, postgres_version=POSTGRES_VERSION) as stack,
            httpx.AsyncClient(timeout=30.0) as http,
        ):
            project = Project(http, stack.url, stack.keys.secret_key, stack.keys.publishable_key)
            async with httpx.AsyncClient(base_url=stack.whatsapp_url, timeout=30.0) as whatsapp:
                yield Site(stack, project, whatsapp, settings_of(stack))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def workers() -> AsyncIterator[Workers]:
    async with Workers() as started:
        yield started


@pytest.fixture
async def proxy(site: Site) -> AsyncIterator[Proxy]:
    async with Proxy(site.stack.url) as running:
        yield running


@pytest.fixture
async def outside(site: Site) -> AsyncIterator[Proxy]:
    """A way to the providers."""
    assert site.stack.whatsapp_url
    async with Proxy(site.stack.whatsapp_url) as running:
        yield running


@pytest.fixture
async def traffic(site: Site) -> AsyncIterator[Traffic]:
    """A tenant whose people and customers are about to talk, through an API without faults."""
    tenant = await site.project.new_tenant(site.stack.whatsapp_url)
    async with deployed(site.settings) as api:
        await site.connect(tenant, api)
        yield Traffic(site, tenant, api)
