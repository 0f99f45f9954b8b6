"""recado conversations list, show, assign, close, search."""

from typing import Any

import pytest

from local.stack import Stack
from tests.cli.conftest import Recado
from tests.fixtures import Api
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Project

ANA = "5511987654321"


@pytest.fixture
async def company(project: Project, stack: Stack, api: Api) -> Company:
    """A company to which one person wrote."""
    assert stack.whatsapp_url
    found = Company(await project.new_tenant(stack.whatsapp_url), api, project)
    number = found.tenant.meta
    await found.post(number, bodies.text(number, ANA, "Tem promoção?\x1b[31m"))
    await found.settled()
    return found


async def conversation(company: Company) -> Any:
    (row,) = await company.rows("conversations")
    return row


async def test_the_inbox_is_listed_and_narrowed(recado: Recado, company: Company) -> None:
    id = (await conversation(company))["id"]
    words = ("conversations", "list", "--company", company.id)
    shown = (await recado(*words)).out.splitlines()
    assert shown[0].split()[:3] == ["ID", "STATUS", "ASSIGNEE"]
    assert shown[1].split()[:4] == [id, "open", "-", "1"]
    page = (await recado(*words, "--unread", "--sort", "waiting", "--json")).json
    assert [row["id"] for row in page["data"]] == [id]
    nothing = await recado(*words, "--status", "closed")
    assert (nothing.code, nothing.err) == (0, "No such conversation.\n")
    assert (await recado("conversations", "list")).code == 2


async def test_a_conversation_is_assigned_closed_and_shown(
    recado: Recado, company: Company
) -> None:
    id, agent = (await conversation(company))["id"], company.tenant.people["agent"].id
    given = await recado("conversations", "assign", id, agent)
    assert given.out == f"Conversation {id} is {agent}'s.\n"
    assert (await recado("conversations", "close", id)).out == f"Conversation {id} is closed.\n"
    row = await conversation(company)
    assert (row["assignee_id"], row["status"]) == (agent, "closed")
    shown = (await recado("conversations", "show", id)).out
    assert f"+{ANA}" in shown
    assert [line.split()[4] for line in shown.splitlines()[-2:]] == ["status", "assignee"]
    assert (await recado("conversations", "assign", id, "none")).code == 0
    assert (await conversation(company))["assignee_id"] is None


async def test_words_and_names_are_found(recado: Recado, company: Company) -> None:
    words = ("conversations", "search", "--company", company.id)
    found = await recado(*words, "promocao")
    assert "Tem promoção?" in found.out
    assert "\x1b" not in found.out
    assert (await recado(*words, "an", "--contacts", "--json")).json["data"][0]["name"] == "Ana"
    nothing = await recado(*words, "xyz")
    assert (nothing.code, nothing.err) == (0, "Nothing found.\n")


async def test_what_is_refused_is_one_line(recado: Recado, company: Company) -> None:
    id = (await conversation(company))["id"]
    refused = await recado("conversations", "assign", id, company.id)
    assert (refused.code, refused.err.partition(":")[0]) == (1, "invalid_assignee")
    missing = await recado("conversations", "show", company.id)
    assert (missing.code, missing.err.partition(":")[0]) == (1, "conversation_not_found")
