"""docs/realtime.md as its readers follow it: its programs, against the product."""

import asyncio
import json
import re
import shutil
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from supabase import AsyncClientOptions, acreate_client

from functions.realtime import topics
from functions.realtime.subscriber import Subscriber
from local.stack import Stack
from tests.realtime.playing import ROOM
from tests.tenants import PASSWORD, Project, Tenant

PAGE = Path(__file__).parents[2] / "docs" / "realtime.md"
SECONDS = 30
READER = """
globalThis.WebSocket ??= (await import('ws')).default
const [url, publishableKey, email, password, companyId] = process.argv.slice(2)
const show = (rows, status) =>
  console.log(JSON.stringify([rows.map((row) => row.last_message_preview), status]))
%s
process.stdin.on('data', () => {
  stop()
  const again = ({ rows, status }) => show([...rows.values()], `again ${status}`)
  live.follow(`inbox:${companyId}`, again)
})
"""

Shown = tuple[list[str], str]


def program(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


async def say(project: Project, tenant: Tenant, body: str) -> None:
    params = {"p_id": str(uuid4()), "p_body": body, "p_to": "+5511987654321"}
    params["p_instance_id"] = tenant.evolution.instance_id
    await project.rpc("send_message", params, tenant.people["agent"].token)


async def test_an_inbox_is_followed_in_javascript(
    tmp_path: Path, javascript: Path, stack: Stack, project: Project, tenant: Tenant
) -> None:
    for name in ("ledger.js", "subscriber.js"):
        shutil.copy(ROOM / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(javascript)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "page.js").write_text(READER % program("js"))
    person = (tenant.people["viewer"].email, PASSWORD, tenant.company_id)
    node = await asyncio.create_subprocess_exec(
        *("node", "page.js", stack.url, stack.keys.publishable_key, *person),
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await shown(node, [], "live")
        await say(project, tenant, "oi")
        await shown(node, ["oi"], "live")
        await write(node, "draw anew")
        await shown(node, ["oi"], "again live")
        await say(project, tenant, "tudo bem?")
        await shown(node, ["tudo bem?"], "again live")
    finally:
        node.kill()
        await node.wait()


async def shown(node: asyncio.subprocess.Process, previews: Sequence[str], status: str) -> None:
    """Returns when the page shows this."""
    assert node.stdout is not None
    async with asyncio.timeout(SECONDS):
        while json.loads(await node.stdout.readline()) != [previews, status]:
            pass


async def write(node: asyncio.subprocess.Process, line: str) -> None:
    assert node.stdin is not None
    node.stdin.write(f"{line}\n".encode())
    await node.stdin.drain()


async def test_an_inbox_is_followed_in_python(
    stack: Stack, project: Project, tenant: Tenant
) -> None:
    screen: asyncio.Queue[Shown] = asyncio.Queue()

    def show(rows: list[Any], status: str) -> None:
        screen.put_nowait(([row["last_message_preview"] for row in rows], status))

    # The client's own connections warn when nobody closes them.
    http = httpx.AsyncClient()
    options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False)
    names: dict[str, Any] = {
        "acreate_client": partial(acreate_client, options=options),
        "Subscriber": Subscriber, "topics": topics, "show": show,
        "url": stack.url, "publishable_key": stack.keys.publishable_key, "password": PASSWORD,
        "email": tenant.people["viewer"].email, "company_id": UUID(tenant.company_id),
    }  # fmt: skip
    exec(f"async def follow():\n{textwrap.indent(program('python'), '    ')}", names)
    following = asyncio.create_task(names["follow"]())
    try:
        async with asyncio.timeout(SECONDS):
            await screen.get()
            await say(project, tenant, "oi")
            while (await screen.get())[0] != ["oi"]:
                pass
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await http.aclose()
