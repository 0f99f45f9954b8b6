"""Files under races and deaths: what a message has is there, and what nothing has is not."""

import asyncio
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.messaging.somebody import call
from tests.messaging.test_media_is_kept_once_and_lent_out import CLOSED, Files, due

Json = dict[str, Any]


@pytest.fixture
def shop(connected_company: Company, whatsapp: httpx.AsyncClient) -> Files:
    return Files(connected_company, whatsapp)


async def objects(shop: Files, database: asyncpg.Connection) -> list[str]:
    query = "select name from storage.objects where bucket_id = 'media' and name like $1"
    return [row["name"] for row in await database.fetch(query, f"{shop.company.id}/%")]


async def waiting(shop: Files, content: bytes) -> Json:
    """A message whose file waits for the next try, since its server does not answer."""
    number = shop.company.tenant.evolution
    await shop.move(number, CLOSED)
    message = await shop.ended(await shop.receive(number, content), "pending")
    await shop.company.idle()
    return message


async def claim(shop: Files, message: Json, content: bytes) -> tuple[str, str]:
    """What the worker of this message does before it stores: (object, what it is told)."""
    name = f"{shop.company.id}/{sha256(content).hexdigest()}"
    params = {"p_message_id": message["id"], "p_media": message["media"], "p_object": name}
    return name, await shop.company.project.rpc("claim_media", params)


async def put(shop: Files, name: str, content: bytes) -> None:
    project = shop.company.project
    where = f"{project.url}/storage/v1/object/media/{name}"
    headers = project.headers() | {"content-type": "image/png"}
    assert (await project.http.post(where, content=content, headers=headers)).is_success


async def erase(shop: Files, message: Json) -> None:
    where = {"id": f"eq.{message['conversation_id']}"}
    (conversation,) = await shop.company.rows("conversations", **where)
    answer = await call(shop.company, "DELETE", f"/api/contacts/{conversation['contact_id']}")
    assert answer.status_code == 202, answer.text


async def test_two_equal_files_at_once_are_one_object(
    shop: Files, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    numbers = shop.company.tenant.numbers * 3
    ids = await asyncio.gather(*(shop.receive(number, content) for number in numbers))
    messages = [await shop.ended(id, "stored") for id in ids]
    assert {message["media"]["object"] for message in messages} == set(
        await objects(shop, database)
    )
    assert await database.fetchval("select count(*) from private.media_uploads") == 0


async def test_a_worker_that_died_after_the_upload_leaves_nothing_behind(
    shop: Files, stack: Any, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    message = await waiting(shop, content)
    name, told = await claim(shop, message, content)
    assert told == "go"
    await put(shop, name, content)
    # The next one finds the file there, and links it.
    await shop.move(shop.company.tenant.evolution, stack.whatsapp_url)
    await due(shop.company)
    stored = await shop.ended(message["provider_message_id"], "stored")
    assert [stored["media"]["object"]] == await objects(shop, database) == [name]


async def test_what_a_dead_worker_uploaded_is_erased_too(
    shop: Files, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    message = await waiting(shop, content)
    name, _ = await claim(shop, message, content)
    await put(shop, name, content)
    await erase(shop, message)

    async def is_gone() -> bool:
        return not await objects(shop, database)

    await until(is_gone, what="the object removed")
    assert (await claim(shop, message, content))[1] == "settled"


async def test_a_file_that_arrives_during_the_erasure_is_removed_after_it(
    shop: Files, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    message = await waiting(shop, content)
    name, _ = await claim(shop, message, content)
    job = {"company_id": f"eq.{shop.company.id}", "type": "eq.messages.fetch_media"}
    project = shop.company.project
    await project.update("queue_jobs", {"lease_until": "2100-01-01T00:00:00Z"}, **job)
    await erase(shop, message)

    async def waits() -> bool:
        rows = await shop.company.rows("queue_jobs", type="eq.contacts.erase")
        return [row["status"] for row in rows if row["started_at"] and not row["lease_until"]] == [
            "pending"
        ]

    await until(waits, what="the erasure waiting for the worker")
    await put(shop, name, content)
    params = {"p_message_id": message["id"], "p_media": message["media"]}
    result = {"state": "stored", "object": name, "size": 16}
    assert await project.rpc("record_media", params | {"p_result": result}) is False
    await project.update("queue_jobs", {"lease_until": None}, **job)
    # The worker's job ends, then the erasure looks again.
    for _ in range(2):
        await due(shop.company)
        await shop.company.settled()
    assert await objects(shop, database) == []
    assert await database.fetchval("select count(*) from private.media_removals") == 0


async def test_what_is_being_removed_is_stored_again_only_after_that(
    shop: Files, stack: Any, database: asyncpg.Connection
) -> None:
    content = uuid4().bytes
    message = await waiting(shop, content)
    name = f"{shop.company.id}/{sha256(content).hexdigest()}"
    add = "insert into private.media_removals (object, company_id) values ($1, $2)"
    await database.execute(add, name, shop.company.id)
    await shop.move(shop.company.tenant.evolution, stack.whatsapp_url)
    await due(shop.company)
    await shop.ended(message["provider_message_id"], "pending")
    assert await objects(shop, database) == []
    await database.execute("delete from private.media_removals where object = $1", name)
    await shop.company.idle()
    await due(shop.company)
    await shop.ended(message["provider_message_id"], "stored")
    assert await objects(shop, database) == [name]


async def test_a_message_that_was_deleted_for_everyone_keeps_its_file(
    shop: Files, stack: Any
) -> None:
    """Its text stays for the company, and so does its file."""
    number = shop.company.tenant.evolution
    message = await waiting(shop, uuid4().bytes)
    id = message["provider_message_id"]
    key = {"remoteJid": "5511987650001@s.whatsapp.net", "fromMe": False, "id": id}
    gone = {"protocolMessage": {"key": key, "type": "REVOKE"}}
    data = {"key": key | {"id": bodies.new_id()}, "message": gone, "messageTimestamp": bodies.NOON}
    await shop.company.post(number, bodies.evolution(number, "messages.upsert", data))
    await shop.move(number, stack.whatsapp_url)

    async def is_revoked() -> bool:
        row = await shop.message(id)
        return bool(row and row["revoked_at"])

    await until(is_revoked, what="the message revoked")
    await due(shop.company)
    assert (await shop.ended(id, "stored"))["revoked_at"]


async def test_a_type_that_the_bucket_refuses_fails_at_once(
    shop: Files, database: asyncpg.Connection
) -> None:
    limit = "update storage.buckets set allowed_mime_types = $1 where id = 'media'"
    await database.execute(limit, ["audio/*"])
    try:
        id = await shop.receive(shop.company.tenant.meta, uuid4().bytes)
        failed = await shop.ended(id, "failed")
    finally:
        await database.execute(limit, None)
    assert failed["media"]["error"] == "type_refused"
