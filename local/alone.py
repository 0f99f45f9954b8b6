"""`python -m local stack`: the stack without the API and the demo, for other programs.

Prints what an application or a test suite needs to reach it, as lines for a shell or an .env file.
"""

import asyncio
import sys
from pathlib import Path

from local.keys import ApiKeys
from local.running import Running, announced, with_resets
from local.stack import Ports, Stack


async def run(
    folder: Path, ports: Ports, project: Path | None, *, postgres_version: int | None
) -> None:
    """Runs until it is cancelled. Raises StackError."""
    stack = Stack(folder, ports, postgres_version=postgres_version, project=project, seeded=True)
    await with_resets(lambda: _run(stack), folder)


async def _run(stack: Stack) -> None:
    async with stack:
        with announced(stack) as running:
            print(environment(running, stack.keys), flush=True)
            print(f"Running; Ctrl-C stops. Logs: {stack.logs}", file=sys.stderr)
            await asyncio.Event().wait()


def environment(running: Running, keys: ApiKeys) -> str:
    """The variables, one `NAME=value` on each line."""
    values = {
        "SUPABASE_URL": running.url,
        "SUPABASE_PUBLISHABLE_KEY": keys.publishable_key,
        "SUPABASE_SECRET_KEY": keys.secret_key,
        "SUPABASE_ANON_KEY": keys.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": keys.service_role_key,
        "DATABASE_URL": running.database_url,
    }
    return "\n".join(f"{name}={value}" for name, value in values.items())
