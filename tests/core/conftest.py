"""Two companies with content: one that asks, and one whose everything must stay its own."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import jwt
import pytest

from local.stack import Stack
from tests.fixtures import Api
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Project

Json = dict[str, Any]

CALLERS = ("nobody", "garbage", "expired", "viewer", "agent", "owner")


@dataclass(frozen=True, slots=True)
class Rivals:
    """`mine` asks with `tokens` or `api_key`; `ids` are of `theirs`."""

    mine: Company
    theirs: Company
    tokens: dict[str, str | None] = field(repr=False)
    api_key: str = field(repr=False)
    ids: dict[str, Any]
    database: asyncpg.Connection

    def bearer(self, caller: str) -> dict[str, str]:
        token = self.api_key if caller == "api key" else self.tokens[caller]
        return {"authorization": f"Bearer {token}"} if token else {}

    def rest(self, caller: str) -> dict[str, str]:
        """Headers for PostgREST."""
        return {"apikey": self.mine.project.publishable_key, **self.bearer(caller)}

    async def everything_of_theirs(self) -> dict[str, list[str]]:
        """Each row of the other company, as text."""
        tables = await self.database.fetch(
            """select table_schema || '.' || table_name as name from information_schema.columns
               join information_schema.tables using (table_schema, table_name)
               where table_schema in ('public', 'private') and column_name = 'company_id'
                 and table_type = 'BASE TABLE'"""
        )
        found = {
            row["name"]: await self.database.fetch(
                f"select t::text from {row['name']} as t where company_id::text = $1 order by 1",
                self.theirs.id,
            )
            for row in tables
        }
        found["public.companies"] = await self.database.fetch(
            "select t::text from public.companies as t where id::text = $1", self.theirs.id
        )
        return {name: [row["t"] for row in rows] for name, rows in found.items()}


async def company_with_content(api: Api, project: Project, stack: Stack) -> Company:
    """Conversations, statuses, a failed send and a key."""
    assert stack.whatsapp_url
    company = Company(await project.new_tenant(stack.whatsapp_url), api, project)
    for number in company.tenant.numbers:
        now = int(time.time())  # Meta's API takes free text only for a day after
        await company.post(number, bodies.text(number, "5511987654321", "confidencial", at=now))
        await company.post(number, bodies.status(number, "5511987654321", "orphan", "read"))
    await company.settled()
    # The fake does not know the number, which ends the send at once.
    message = {"id": str(uuid4()), "instance_id": company.tenant.meta.instance_id}
    message |= {"to": "+5511987654321", "body": "confidencial"}
    answer = await api.send(company.tenant.people["agent"], message)
    assert answer.status_code == 202, answer.text
    await company.settled()
    later = {"type": "test", "company_id": company.id, "delay_seconds": 3600}
    (job_id,) = await project.rpc("enqueue_jobs", {"p_jobs": [later]})
    await project.rpc("cancel_job", {"p_id": job_id}, company.tenant.people["owner"].token)
    schedule = {"name": f"report.{company.id}", "company_id": company.id, "type": "report"}
    schedule |= {"cron": "0 8 * * *", "time_zone": "UTC", "next_run_at": "2100-01-01T08:00:00Z"}
    await project.insert("queue_schedules", schedule)
    await add_people(company)
    await add_changes(company)
    return company


async def add_changes(company: Company) -> None:
    """What a provider told beside messages and statuses, and what a company does about it."""
    of_number = {"company_id": company.id, "instance_id": company.tenant.meta.instance_id}
    reaction = {"target": "wamid.X", "change_id": "wamid.Y", "type": "reaction", "body": "👍"}
    await company.project.insert("message_changes", of_number | reaction)
    (item, *_) = await company.rows("inbound_events")
    told = {"event": "call", "occurred_at": item["received_at"], "data": {}}
    told |= {"inbound_event_id": item["id"], "place": 1}
    await company.project.insert("provider_events", of_number | told)
    refused = {"class": "spam", "action": "pause_campaigns", "subject": "confidencial"}
    await company.project.insert("send_reactions", of_number | refused)
    await company.project.insert("sending_rules", {"company_id": company.id})


async def add_people(company: Company) -> None:
    """A row of each table about contacts."""
    project, contact = company.project, (await company.rows("contacts"))[0]
    token = company.tenant.people["owner"].token
    other = {"id": str(uuid4()), "company_id": company.id, "name": "confidencial"}
    await project.insert("contacts", other)
    one, two = sorted((contact["id"], other["id"]))
    pair = {"company_id": company.id, "contact_id": one, "other_id": two}
    said = {"kind": "lid", "value": "777", "evidence": "test"}
    await project.insert("contact_conflicts", pair | said)
    about = {"p_contact_id": contact["id"], "p_note": "confidencial"}
    await project.rpc("add_suppression", about, token)
    await project.rpc("set_consent_word", {"p_word": "chega", "p_effect": "stop"}, token)
    await project.rpc("export_contact", {"p_id": contact["id"]}, token)


async def ids_of(company: Company) -> dict[str, Any]:
    message = (await company.rows("messages", direction="eq.out"))[0]
    return {
        "company_id": company.id,
        "conversation_id": message["conversation_id"],
        "message_id": message["id"],
        "instance_id": message["instance_id"],
        "endpoint_id": (await company.rows("instances"))[0]["endpoint_id"],
        "job_id": (await company.rows("queue_jobs", status="eq.cancelled"))[0]["id"],
        "contact_id": (await company.rows("suppressions"))[0]["contact_id"],
        "suppression_id": (await company.rows("suppressions"))[0]["id"],
        "event_ids": [row["id"] for row in await company.rows("inbound_events")],
    }


def expired(token: str, stack: Stack) -> str:
    """The same token an hour after its end; where the project's keys are not ours, with a
    signature that does not fit either."""
    claims = jwt.decode(token, options={"verify_signature": False})
    claims |= {"iat": claims["iat"] - 9999, "exp": claims["iat"] - 3600}
    if hasattr(stack.keys, "sign_user_token"):
        return stack.keys.sign_user_token(claims)
    return jwt.encode(claims, "x" * 32, "HS256")


@pytest.fixture(scope="module")
async def rivals(api: Api, project: Project, stack: Stack) -> AsyncIterator[Rivals]:
    mine = await company_with_content(api, project, stack)
    theirs = await company_with_content(api, project, stack)
    people = mine.tenant.people
    tokens: dict[str, str | None] = {role: people[role].token for role in people}
    tokens |= {
        "nobody": None,
        "garbage": "not.a.token",
        "expired": expired(people["owner"].token, stack),
    }
    keys = [
        await project.rpc("create_api_key", {"p_name": "erp"}, company.tenant.people["owner"].token)
        for company in (mine, theirs)
    ]
    database = await asyncpg.connect(stack.database_url)
    yield Rivals(mine, theirs, tokens, keys[0]["key"], await ids_of(theirs), database)
    await database.close()
