"""Credentials are sealed before the database gets them, and no client gets even that."""

import base64
import hashlib
from dataclasses import replace
from uuid import uuid4

import asyncpg
import httpx
import pytest

from functions.app import create_app
from functions.core.errors import NotConfigured
from functions.core.settings import Settings
from functions.messaging.credentials import Vault, place_of_address, place_of_number
from tests.fixtures import serving
from tests.messaging import bodies
from tests.messaging.conftest import Company, Phones
from tests.messaging.test_provider_faults_end_in_the_right_status import retried
from tests.tenants import CREDENTIALS_KEY, VAULT, Project, body


def key(word: str) -> str:
    return base64.b64encode(hashlib.sha256(word.encode()).digest()).decode()


def test_what_was_sealed_opens_for_its_place_only() -> None:
    vault = Vault(key("a"))
    sealed = vault.seal({"api_key": "segredo"}, place_of_number("1"))
    assert vault.open(sealed, place_of_number("1")) == {"api_key": "segredo"}
    assert "segredo" not in sealed
    assert vault.seal({"api_key": "segredo"}, place_of_number("1")) != sealed
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    for text, place in ((sealed, "2"), (changed, "1"), ("v1.00000000.AA", "1"), ("{}", "1")):
        with pytest.raises(NotConfigured) as refused:
            vault.open(text, place_of_number(place))
        assert refused.value.code == "credentials_unreadable"
        assert "segredo" not in refused.value.detail


def test_old_keys_open_and_the_newest_seals() -> None:
    old, both = Vault(key("old")), Vault(f"{key('new')}, {key('old')}")
    assert both.open(old.seal({"a": 1}, "x"), "x") == {"a": 1}
    assert Vault(key("new")).open(both.seal({"a": 1}, "x"), "x") == {"a": 1}
    with pytest.raises(NotConfigured):
        Vault(key("new")).open(old.seal({"a": 1}, "x"), "x")


@pytest.mark.parametrize("given", ["", " , ", "short", "á" * 44, key("a")[:-8]])
def test_a_missing_or_wrong_key_is_said(given: str) -> None:
    with pytest.raises(NotConfigured) as refused:
        Vault(given).seal({}, "x")
    wanted = "invalid_credentials_key" if given.strip(" ,") else "not_configured"
    assert refused.value.code == wanted
    assert "openssl rand -base64 32" in (refused.value.hint or "")
    assert given.strip(" ,") == "" or given not in refused.value.detail


async def test_the_database_never_holds_the_plaintext(
    company: Company, database: asyncpg.Connection
) -> None:
    for number in company.tenant.numbers:
        rows = await database.fetch(
            """select secret.credentials, endpoint.secrets from public.instances as instance
               join private.instance_secrets as secret on secret.instance_id = instance.id
               join private.inbound_endpoints as endpoint on endpoint.id = instance.endpoint_id
               where instance.id = $1::text::uuid""",
            number.instance_id,
        )
        ((credentials, secrets),) = [tuple(row) for row in rows]
        opened = VAULT.open(credentials, place_of_number(number.instance_id))
        assert list(opened.values()) == [number.key]
        for sealed in (credentials, secrets):
            assert number.key not in sealed
            assert number.secret not in sealed


async def test_the_database_takes_no_plaintext(project: Project, company: Company) -> None:
    for params in ({"api_key": "segredo"}, "segredo", ""):
        answer = await project.http.post(
            f"{project.url}/rest/v1/rpc/create_inbound_endpoint",
            json={"p_provider": "evolution", "p_token_hash": "0" * 64, "p_secrets": params},
            headers=project.headers(),
        )
        assert answer.status_code == 400, answer.text


async def test_no_client_reads_them(company: Company, database: asyncpg.Connection) -> None:
    for role in ("anon", "authenticated"):
        for table in ("private.instance_secrets", "private.inbound_endpoints"):
            granted = await database.fetchval(
                "select has_any_column_privilege($1, $2, 'select, insert, update')", role, table
            )
            assert not granted, f"{role} {table}"
    for person in company.tenant.people.values():
        answer = await company.api.get("/api/conversations", person)
        rows = await company.project.rows("instances", person.token)
        for number in company.tenant.numbers:
            assert number.key not in answer.text + str(rows)
            assert number.secret not in answer.text + str(rows)


async def test_without_the_right_key_nothing_is_lost(
    connected_company: Company, phones: Phones, settings: Settings, database: asyncpg.Connection
) -> None:
    """Webhooks are answered 503, which providers repeat; a message waits for its number."""
    company, number = connected_company, connected_company.tenant.meta
    conversation = await company.conversation(number, "5511987654321")
    agent = company.tenant.people["agent"]
    wrong = replace(settings, credentials_key=key("another"))
    raw = body(bodies.text(number, "5511987654321"))
    said = {"id": str(uuid4()), "conversation_id": conversation, "body": "Olá"}
    async with serving(create_app(wrong)) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.post(number.path, content=raw, headers=number.headers(raw))
        assert (answer.status_code, answer.json()["code"]) == (503, "credentials_unreadable")
        sent = await http.post(
            "/api/messages", json=said, headers={"authorization": f"Bearer {agent.token}"}
        )
        assert sent.status_code == 202
        await retried(company, said["id"], 1)
    (attempt,) = await company.rows("send_attempts", message_id=f"eq.{said['id']}")
    assert (attempt["outcome"], attempt["code"]) == ("paused", "credentials_unreadable")
    assert await phones.received(number) == []
    paused = {"id": f"eq.{number.instance_id}", "cooldown_until": "eq.infinity"}
    assert await company.rows("instances", **paused)
    await database.execute(
        "update private.instance_secrets set credentials = $1 where instance_id = $2::text::uuid",
        VAULT.seal({"access_token": number.key}, place_of_number(number.instance_id)),
        number.instance_id,
    )
    assert not await company.rows("instances", **paused), "the key ends what waited for it"
    await company.make_due()
    await company.settled()
    assert len(await phones.received(number)) == 1
    assert CREDENTIALS_KEY not in repr(settings)
    assert place_of_address("x") != place_of_number("x")
