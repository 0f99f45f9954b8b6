"""docs/cli.md: each of its commands is one, and does what it says."""

import re
import shlex
from uuid import uuid4

import pytest

from functions.cli.__main__ import parser
from tests.cli.conftest import ROOT, Recado
from tests.jobs.conftest import TestQueue
from tests.tenants import Tenant

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\./recado (.+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_one(
    command: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("page")
    (folder / "invoice.json").write_text("{}")
    monkeypatch.chdir(folder)
    ids = dict.fromkeys(("COMPANY", "NUMBER", "CONVERSATION"), str(uuid4()))
    assert parser().parse_args([ids.get(word, word) for word in shlex.split(command)]).run


async def test_the_page_reads_from_top_to_bottom(
    recado: Recado, queue: TestQueue, tenant: Tenant
) -> None:
    """Its commands on what is there, in its order, in a queue and a company of this test."""
    (failed,) = await queue.enqueue({})
    await queue.settle(await queue.claim(), "dead", error="timeout")
    ids = {"COMPANY": tenant.company_id, "NUMBER": tenant.evolution.instance_id}
    where = ("--company", ids["COMPANY"], "--number", ids["NUMBER"], "--to", "+5511987654321")
    sent = (await recado("messages", "send", "oi", *where, "--json")).json
    replaced = {"42": str(failed), "webhooks": queue.name, "invoices.remind": queue.name}
    replaced |= ids | {"CONVERSATION": sent["conversation_id"]}
    for command in COMMANDS:
        words = [replaced.get(word, word) for word in shlex.split(command)]
        if {"work", "watch", "--data"} & set(words):
            continue
        ended = await recado(*words)
        if "42" in command and words[1] in ("cancel", "replay", "copy"):
            assert ended.code in (0, 1), ended.err  # it has ended, or has not
        else:
            assert ended.code == 0, f"{command}: {ended.err}"
