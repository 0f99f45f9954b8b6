"""recado messages undecided, resolve."""

from uuid import uuid4

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
    await found.post(found.tenant.evolution, bodies.text(found.tenant.evolution, ANA, "Oi"))
    await found.settled()
    return found


async def undecided(company: Company, body: str) -> str:
    """A message whose worker died, and of which nothing was found."""
    id = str(uuid4())
    wish = {"p_id": id, "p_company_id": company.id, "p_body": body, "p_to": f"+{ANA}"}
    number = {"p_instance_id": company.tenant.evolution.instance_id}
    await company.project.rpc("send_message", wish | number)
    for claim in (1, 2):
        begin = {"p_message_id": id, "p_job_id": 0, "p_claim": claim}
        await company.project.rpc("begin_send", begin)
    await company.project.rpc("ask_for_decision", {"p_message_id": id})
    return id


async def test_what_needs_a_word_is_listed_and_resolved(recado: Recado, company: Company) -> None:
    listing = ("messages", "undecided", "--company", company.id)
    nothing = await recado(*listing)
    assert (nothing.code, nothing.err) == (0, "No message needs a decision.\n")
    first, second = [await undecided(company, body) for body in ("um\x1b[31m", "dois")]
    lines = (await recado(*listing)).out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", second, first]
    assert "worker_died" in lines[1]
    assert "\x1b" not in "".join(lines)
    page = await recado(*listing, "--limit", "1", "--json")
    rest = await recado(*listing, "--json", "--cursor", page.json["next_cursor"])
    assert [row["id"] for row in page.json["data"] + rest.json["data"]] == [second, first]

    for _ in range(2):
        said = await recado("messages", "resolve", first, "sent")
        assert said.out == f"Message {first} was sent.\n"
    said = await recado("messages", "resolve", second, "not_sent")
    assert said.out == f"Message {second} was not sent; to send it again, send another message.\n"
    assert (await recado(*listing)).err == "No message needs a decision.\n"


async def test_a_word_too_many_says_why(recado: Recado, company: Company) -> None:
    id = await undecided(company, "um")
    await recado("messages", "resolve", id, "sent")
    refused = await recado("messages", "resolve", id, "not_sent")
    assert (refused.code, refused.out) == (1, "")
    assert "decision_not_needed" in refused.err
    assert "message_not_found" in (await recado("messages", "resolve", str(uuid4()), "sent")).err
    assert (await recado("messages", "resolve", id, "perhaps")).code == 2
    assert (await recado("messages", "resolve", "1", "sent")).code == 2
