"""The stack every test shares: started once, or the one that the environment names.

SUPABASE_URL with the keys and DATABASE_URL point the tests at a project that is running already,
be it `supabase start` or a hosted one; RECADO_TEST_POSTGRES chooses the embedded version.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.keys import ApiKeys
from local.stack import Stack, start_whatsapp
from tests import unfinished

pytest_plugins = ["tests.fixtures"]

POSTGRES_VERSION = int(os.environ.get("RECADO_TEST_POSTGRES", "18"))


@dataclass(frozen=True, slots=True)
class NamedProject:
    """The same attributes as a Stack, for a project started by somebody else.

    `database_url` is for arranging and looking; on hosted it is of postgres, not of a superuser.
    """

    url: str
    database_url: str
    keys: ApiKeys
    whatsapp_url: str


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack | NamedProject]:
    """The project with the repository's migrations applied."""
    folder = Path(tempfile.mkdtemp(prefix="recado-test-"))
    try:
        if "SUPABASE_URL" not in os.environ:
            async with Stack(folder, postgres_version=POSTGRES_VERSION) as embedded:
                yield embedded
        else:
            async with AsyncExitStack() as running:
                yield await _named_project(running, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that waited in vain shows what it waited for."""
    report = yield
    used = getattr(item, "funcargs", {})
    stack = used.get("stack") or getattr(used.get("site"), "stack", None)
    if report.when == "call" and report.failed and stack is not None:
        report.sections.append(("The queues", unfinished.report(stack.database_url)))
    return report


async def _named_project(running: AsyncExitStack, folder: Path) -> NamedProject:
    """The environment's project; either kind of key will do for both."""
    found = os.environ
    publishable = found.get("SUPABASE_PUBLISHABLE_KEY") or found["SUPABASE_ANON_KEY"]
    secret = found.get("SUPABASE_SECRET_KEY") or found["SUPABASE_SERVICE_ROLE_KEY"]
    keys = ApiKeys(
        anon_key=found.get("SUPABASE_ANON_KEY") or publishable,
        service_role_key=found.get("SUPABASE_SERVICE_ROLE_KEY") or secret,
        publishable_key=publishable,
        secret_key=secret,
    )
    whatsapp_url = await start_whatsapp(running, folder)
    return NamedProject(found["SUPABASE_URL"], found["DATABASE_URL"], keys, whatsapp_url)
