"""Files of messages: fetched by their job, kept under their hash, shown to members, sent again."""

import base64
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from functions.app import create_app
from functions.core.db import Database
from functions.core.http import HttpClient
from functions.core.settings import Settings
from local.stack import Stack
from tests.fixtures import serving, until
from tests.messaging.conftest import Company
from tests.tenants import Number, Person

Json = dict[str, Any]
SENDER = "5511987650001"
# Nobody listens there.
CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def shop(connected_company: Company, whatsapp: httpx.AsyncClient) -> "Files":
    return Files(connected_company, whatsapp)


class Files:
    """A company, and contacts that send it files."""

    def __init__(self, company: Company, whatsapp: httpx.AsyncClient) -> None:
        self.company, self.whatsapp = company, whatsapp

    async def receive(
        self, number: Number, content: bytes, type: str = "image", mime: str = "image/png"
    ) -> str:
        """The provider's id of a message that a contact has sent with this file."""
        order = {"number": number.external_id, "from": SENDER, "type": type, "mime_type": mime}
        order |= {"content": base64.b64encode(content).decode(), "file_name": "foto.png"}
        answer = await self.whatsapp.post("/_fake/inbound", json=order)
        assert answer.status_code == 202, answer.text
        id: str = answer.json()["id"]
        return id

    async def move(self, number: Number, server: str) -> None:
        """The number's server is at this address."""
        await self.company.project.update(
            "instances", {"base_url": server}, id=f"eq.{number.instance_id}"
        )

    async def message(self, id: str) -> Json | None:
        rows = await self.company.rows("messages", provider_message_id=f"eq.{id}")
        return rows[0] if rows else None

    async def ended(self, id: str, state: str) -> Json:
        """The message once its file is in this state."""

        async def is_there() -> Json | None:
            row = await self.message(id)
            return row if row and row["media"].get("state") == state else None

        row: Json = await until(is_there, what=f"the file {state}")
        return row

    async def get(self, message_id: str, person: Person) -> httpx.Response:
        return await self.company.api.get(f"/api/messages/{message_id}/media", person)


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_file_comes_is_kept_and_shown(provider: str, shop: Files) -> None:
    content = uuid4().bytes
    id = await shop.receive(getattr(shop.company.tenant, provider), content)
    message = await shop.ended(id, "stored")
    media = message["media"]
    assert media["object"] == f"{shop.company.id}/{sha256(content).hexdigest()}"
    assert media["size"] == len(content)
    assert message["rev"] > message["seq"], "its arrival is a version of the conversation"
    answer = await shop.get(message["id"], shop.company.tenant.people["viewer"])
    assert (answer.status_code, answer.headers["cache-control"]) == (307, "private, no-store")
    async with httpx.AsyncClient() as browser:
        shown = await browser.get(answer.headers["location"])
    assert (shown.content, shown.headers["content-type"]) == (content, "image/png")


async def test_a_message_that_is_told_again_keeps_its_file(shop: Files) -> None:
    """Reading an item again writes the media as the provider told it."""
    id = await shop.receive(shop.company.tenant.meta, uuid4().bytes)
    message = await shop.ended(id, "stored")
    ours = {"state", "object", "size", "error"}
    told = {name: value for name, value in message["media"].items() if name not in ours}
    project, where = shop.company.project, {"id": f"eq.{message['id']}"}
    await project.update("messages", {"media": told}, **where)
    assert (await shop.message(id)) == message, "nothing changed: not even its version"
    await project.update("messages", {"media": told | {"id": "another"}}, **where)
    assert (await shop.ended(id, "pending"))["media"].get("object") is None


async def test_the_same_file_is_kept_once_per_company(
    shop: Files, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    number = shop.company.tenant.meta
    ids = [await shop.receive(number, content) for _ in range(3)]
    names = {(await shop.ended(id, "stored"))["media"]["object"] for id in ids}
    assert len(names) == 1
    (name,) = names
    query = "select count(*) from storage.objects where bucket_id = 'media' and name = $1"
    assert await database.fetchval(query, name) == 1


async def test_no_other_company_gets_it(shop: Files, rival: Any) -> None:
    id = await shop.receive(shop.company.tenant.meta, uuid4().bytes)
    message = await shop.ended(id, "stored")
    stranger = rival.people["owner"]
    answer = await shop.get(message["id"], stranger)
    assert (answer.status_code, answer.json()["code"]) == (404, "message_not_found")
    project = shop.company.project
    where = f"{project.url}/storage/v1/object/authenticated/media/{message['media']['object']}"
    assert (await project.http.get(where, headers=project.headers(stranger.token))).is_error
    member = shop.company.tenant.people["viewer"]
    assert (await project.http.get(where, headers=project.headers(member.token))).is_success
    # Nobody but the backend puts a file under a hash.
    forged = f"{project.url}/storage/v1/object/media/{shop.company.id}/{'0' * 64}"
    for person in (stranger, member, shop.company.tenant.people["owner"]):
        answer = await project.http.post(
            forged, content=b"x", headers=project.headers(person.token)
        )
        assert answer.is_error, answer.text


async def test_what_runs_in_browsers_is_only_saved(shop: Files) -> None:
    id = await shop.receive(
        shop.company.tenant.meta, b"<script>alert(1)</script>", "document", "text/html"
    )
    message = await shop.ended(id, "stored")
    answer = await shop.get(message["id"], shop.company.tenant.people["viewer"])
    async with httpx.AsyncClient() as browser:
        shown = await browser.get(answer.headers["location"])
    assert shown.headers["content-type"] == "application/octet-stream"


async def test_limits_are_kept_and_said(shop: Files, settings: Settings) -> None:
    number = shop.company.tenant.meta
    async with with_limits(settings, media_max_mb=0.001, media_types="image/") as url:
        registration = number.registration(url)
        await shop.whatsapp.post("/_fake/numbers", json=registration)
        large = await shop.receive(number, b"x" * 2000)
        other = await shop.receive(number, b"x", "document", "application/zip")
        too_large = await shop.ended(large, "too_large")
        refused = await shop.ended(other, "failed")
    assert refused["media"]["error"] == "type_refused"
    viewer = shop.company.tenant.people["viewer"]
    for message, code in ((too_large, "media_too_large"), (refused, "media_failed")):
        answer = await shop.get(message["id"], viewer)
        assert (answer.status_code, answer.json()["code"]) == (404, code)


def with_limits(settings: Settings, **limits: Any) -> Any:
    return serving(create_app(replace(settings, **limits)))


async def due(company: Company) -> None:
    """What time does: the pauses between tries are over."""
    past = {"run_at": "2000-01-01T00:00:00Z"}
    await company.project.update(
        "queue_jobs", past, company_id=f"eq.{company.id}", status="eq.pending"
    )
    await company.api.tick()


async def test_what_the_provider_lost_is_gone_after_some_tries(shop: Files) -> None:
    from tests.messaging import bodies

    number = shop.company.tenant.meta
    id = bodies.new_id()
    content = {"id": "404404404404", "mime_type": "image/png"}
    body = bodies.text(number, SENDER, id=id)
    message = body["entry"][0]["changes"][0]["value"]["messages"][0]
    message |= {"type": "image", "image": content}
    message.pop("text")
    await shop.company.post(number, body)
    pending = await shop.ended(id, "pending")
    answer = await shop.get(pending["id"], shop.company.tenant.people["viewer"])
    assert (answer.status_code, answer.json()["code"]) == (409, "media_pending")
    for _ in range(3):
        await shop.company.idle()
        await due(shop.company)
    gone = await shop.ended(id, "gone")
    answer = await shop.get(gone["id"], shop.company.tenant.people["viewer"])
    assert (answer.status_code, answer.json()["code"]) == (404, "media_gone")


async def test_an_outage_of_the_provider_ends_in_the_file(shop: Files, stack: Stack) -> None:
    number, content = shop.company.tenant.evolution, uuid4().bytes
    await shop.move(number, CLOSED)
    id = await shop.receive(number, content)
    await shop.ended(id, "pending")
    for _ in range(3):
        await shop.company.idle()
        await due(shop.company)
    await shop.ended(id, "pending")
    await shop.move(number, stack.whatsapp_url)
    await due(shop.company)
    await shop.ended(id, "stored")


async def test_a_job_that_gives_up_fails_its_file_and_a_replay_fetches_it(
    shop: Files, stack: Stack
) -> None:
    number = shop.company.tenant.evolution
    await shop.move(number, CLOSED)
    id = await shop.receive(number, uuid4().bytes)
    await shop.ended(id, "pending")
    await shop.company.idle()
    where = {"company_id": f"eq.{shop.company.id}", "type": "eq.messages.fetch_media"}
    (job,) = await shop.company.project.rows("queue_jobs", **where)
    owner = shop.company.tenant.people["owner"]
    await shop.company.project.rpc("cancel_job", {"p_id": job["id"]}, owner.token)
    await shop.ended(id, "failed")
    await shop.move(number, stack.whatsapp_url)
    await shop.company.project.rpc("replay_job", {"p_id": job["id"]}, owner.token)
    await shop.company.api.tick()
    await shop.ended(id, "stored")


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_stored_file_is_sent_and_only_by_its_company(
    provider: str, shop: Files, rival: Any
) -> None:
    number = getattr(shop.company.tenant, provider)
    id = await shop.receive(number, uuid4().bytes)
    came = await shop.ended(id, "stored")
    agent = shop.company.tenant.people["agent"]
    media = {"object": came["media"]["object"], "mime_type": "image/png"}
    said = {"id": str(uuid4()), "conversation_id": came["conversation_id"], "type": "image"}
    sent = await shop.company.api.send(agent, said | {"media": media})
    assert sent.status_code == 202, sent.text
    foreign = {"object": f"{rival.company_id}/{'0' * 64}"}
    other = said | {"id": str(uuid4()), "media": foreign}
    assert (await shop.company.api.send(agent, other)).status_code == 202

    async def both_ended() -> bool:
        rows = [await shop.company.message(each["id"]) for each in (said, other)]
        return not {row["status"] for row in rows} & {"queued", "sending"}

    await until(both_ended, what="both messages ended")
    assert (await shop.company.message(said["id"]))["status"] not in ("failed", "unknown")
    refused = await shop.company.message(other["id"])
    assert (refused["status"], refused["error_code"]) == ("failed", "no_object")


async def test_agents_upload_what_they_send(shop: Files) -> None:
    project = shop.company.project
    where = f"{project.url}/storage/v1/object/media/{shop.company.id}/uploads/{uuid4()}"
    for role, allowed in (("viewer", False), ("agent", True)):
        token = shop.company.tenant.people[role].token
        answer = await project.http.post(
            where, content=b"x", headers=project.headers(token) | {"content-type": "image/png"}
        )
        assert answer.is_success == allowed, answer.text


async def test_a_senseless_job_ends(shop: Files, settings: Settings) -> None:
    http = HttpClient()
    jobs = [
        {"type": "messages.fetch_media", "company_id": shop.company.id, "data": data}
        for data in ({}, {"message_id": "x"}, {"message_id": str(uuid4())})
    ]
    db = Database(settings, http)
    await db.as_service().call("enqueue_jobs", {"p_jobs": jobs})
    await shop.company.api.tick()
    await shop.company.settled()
    where = {"company_id": f"eq.{shop.company.id}", "type": "eq.messages.fetch_media"}
    rows = await shop.company.project.rows("queue_jobs", **where)
    assert sorted(row["status"] for row in rows) == ["completed", "failed", "failed"]
    await http.close()
