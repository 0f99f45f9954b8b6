"""docs/connect.md as its readers follow it: its commands, in its order, at the fake WhatsApp."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from local.stack import Stack
from tests.fixtures import Api
from tests.tenants import CREDENTIALS_KEY, OTHER_CREDENTIALS_KEY, Project, Tenant

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def blocks(title: str) -> list[str]:
    """The commands of a chapter, without its exports: those values are the test's own."""
    (chapter,) = re.findall(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    found = re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)
    kept = [re.sub(r"^export .*\n", "", block, flags=re.MULTILINE) for block in found]
    return [block for block in kept if block.strip()]


@dataclass(slots=True)
class Reader:
    """A shell in a folder where ./recado is the command."""

    folder: Path
    variables: dict[str, str] = field(repr=False)

    async def run(self, block: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", block,
            cwd=self.folder, env=self.variables, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, f"{block}\n{err.decode()}"
        return out.decode()

    async def connect(self, block: str) -> None:
        """Runs a block that prints the id of a number, and exports it, as the page says."""
        found = UUID.search(await self.run(block))
        assert found, "no id is printed"
        self.variables["NUMBER"] = found[0]


@pytest.fixture
async def reader(
    tmp_path: Path, stack: Stack, api: Api, tenant: Tenant, project: Project
) -> Reader:
    command = tmp_path / "recado"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m functions.cli "$@"\n')
    command.chmod(0o755)
    owner = tenant.people["owner"].token
    key = await project.rpc("create_api_key", {"p_name": "page"}, owner)
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SUPABASE_URL": stack.url,
        "SUPABASE_SECRET_KEY": stack.keys.secret_key,
        # Both, as while keys rotate: numbers of other tests are sealed with the second.
        "CREDENTIALS_KEY": f"{CREDENTIALS_KEY},{OTHER_CREDENTIALS_KEY}",
        "PUBLIC_URL": api.url,
        "API": api.url,
        "KEY": key["key"],
        "COMPANY": tenant.company_id,
        "SERVER": str(stack.whatsapp_url),
        "EVOLUTION_API_KEY": "fake-global-key",
        "META_ACCESS_TOKEN": "EAAB",
        "META_APP_SECRET": "app secret",
        "ACCOUNT": tenant.meta.waba_id or "",
        "PHONE_ID": tenant.meta.external_id[::-1],
    }
    return Reader(tmp_path, variables)


async def test_an_evolution_number(reader: Reader, whatsapp: httpx.AsyncClient) -> None:
    connect, link, look = blocks("Evolution")
    await reader.connect(connect)
    assert "█" in await reader.run(link) or "▄" in await reader.run(link)
    await whatsapp.post("/_fake/numbers/front-desk/state", json={"state": "open"})
    assert re.search(r"state +open", await reader.run(look))
    (send,) = blocks("Send")
    assert '"status":"queued"' in await reader.run(send)
    listed, *rest = (line for line in blocks("Later")[0].splitlines() if line)
    assert "Front desk" in await reader.run(listed)
    for line in rest:
        await reader.run(line)
    assert "Front desk" not in await reader.run(listed)


async def test_a_number_of_meta(
    reader: Reader, whatsapp: httpx.AsyncClient, stack: Stack, api: Api
) -> None:
    number = {"provider": "meta", "id": reader.variables["PHONE_ID"], "key": "EAAB"}
    number |= {"phone": "5511933330003", "waba": reader.variables["ACCOUNT"], "state": "close"}
    assert (await whatsapp.post("/_fake/numbers", json=number)).status_code == 201
    at_the_fake = f' --server "{stack.whatsapp_url}/v24.0"\n'
    connect, again, register, look = blocks("Meta")
    await reader.connect(connect.rstrip() + at_the_fake)
    shown = await reader.run(again.rstrip() + at_the_fake)
    assert '"verify_token": "' in shown
    assert f'"url": "{api.url}/in/meta/' in shown
    assert reader.variables["NUMBER"] in shown
    await reader.run(register)
    text = await reader.run(look)
    assert re.search(r"state +open", text)
    assert re.search(r"quality +green", text)
    for secret in ("EAAB", "app secret"):
        assert secret not in shown + text
