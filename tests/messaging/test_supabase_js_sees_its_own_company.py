"""The official JavaScript client, as a web page of a company uses it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from local.stack import Stack
from tests.fixtures import Api, until
from tests.tenants import PASSWORD, Person, Project, Tenant

SCRIPT = Path(__file__).with_name("supabase_client.cjs")


class Page:
    """A running supabase_client.cjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        step: dict[str, Any] = json.loads(line)
        return step

    async def send(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"send\n")
        await self._process.stdin.drain()


@asynccontextmanager
async def page(
    modules: Path, stack: Stack, person: Person, company_id: str, conversation_id: str
) -> AsyncIterator[Page]:
    arguments = (stack.url, stack.keys.publishable_key, person.email, PASSWORD)
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), *arguments, company_id, conversation_id),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NODE_PATH": str(modules)},
    )
    try:
        yield Page(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def conversation_with(body: str, tenant: Tenant, api: Api, project: Project) -> str:
    """A customer has written this; the id of the conversation."""
    number = tenant.evolution
    key = {
        "remoteJid": "5511955551234@s.whatsapp.net",
        "fromMe": False,
        "id": f"JS{tenant.company_id}",
    }
    message = {"key": key, "message": {"conversation": body}, "messageTimestamp": 1763326182}
    event = {"event": "messages.upsert", "instance": number.external_id, "data": message}
    assert (await api.post_webhook(number, event)).status_code == 200

    async def stored() -> list[Any]:
        return await project.rows("conversations", company_id=f"eq.{tenant.company_id}")

    (conversation,) = await until(stored, what="the conversation")
    return str(conversation["id"])


async def test_a_page_reads_hears_and_sends_only_in_its_company(
    javascript: Path, connected: Tenant, api: Api, project: Project, stack: Stack
) -> None:
    assert stack.whatsapp_url
    other = await project.new_tenant(stack.whatsapp_url)
    foreign = await conversation_with("de outra empresa", other, api, project)
    own = await conversation_with("da nossa empresa", connected, api, project)
    agent = connected.people["agent"]

    async with page(javascript, stack, agent, connected.company_id, own) as ours:
        company_id = connected.company_id
        expected = [{"body": "da nossa empresa", "company_id": company_id}]
        assert await ours.next() == {"messages": expected}
        assert await ours.next() == {"inbox": "SUBSCRIBED"}
        await ours.send()
        steps = [await ours.next(), await ours.next()]
        assert {"sent": "queued"} in steps
        assert {"heard": "do navegador"} in steps

    async with page(javascript, stack, agent, other.company_id, foreign) as theirs:
        assert [row["company_id"] for row in (await theirs.next())["messages"]] == [company_id] * 2
        assert "Unauthorized" in (await theirs.next())["inbox"]
        await theirs.send()
        while "sent" not in (step := await theirs.next()):
            pass
        assert step == {"sent": "conversation_not_found"}
