"""POST /realtime/v1/api/broadcast and .../{topic}/events/{event}: statuses and bodies of hosted."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from local.gateway.realtime.limits import MAX_PAYLOAD_BYTES
from local.stack import Stack
from tests.local.realtime_rooms import create_policies, token, topic
from tests.realtime.phoenix import Phoenix, dial

BATCH = "/realtime/v1/api/broadcast"
BLANK, INVALID = ["can't be blank"], ["is invalid"]
GOOD = {"topic": "t", "event": "e", "payload": {}}


@pytest.fixture(scope="module", autouse=True)
async def policies(migrator: asyncpg.Pool) -> None:
    await create_policies(migrator)


@pytest.fixture
async def http(league: Stack) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": league.keys.publishable_key}
    async with httpx.AsyncClient(base_url=league.url, headers=headers) as client:
        yield client


@pytest.fixture
async def listener(league: Stack) -> AsyncIterator[Phoenix]:
    async with dial(league, league.keys.secret_key, "1.0.0") as client:
        yield client


def bearer(given: str) -> dict[str, str]:
    return {"authorization": f"Bearer {given}"}


async def test_a_batch_arrives_with_the_ids_of_its_messages(
    http: httpx.AsyncClient, listener: Phoenix
) -> None:
    name = topic("public")
    await listener.join(f"realtime:{name}")
    message = GOOD | {"topic": name}
    messages = [message, message | {"id": "mine", "payload": {"n": 2}, "private": False}]
    answer = await http.post(BATCH, json={"messages": messages})
    assert (answer.status_code, answer.content) == (202, b"")
    assert (await listener.next()).payload == {"type": "broadcast", "event": "e", "payload": {}}
    second = {"type": "broadcast", "event": "e", "payload": {"n": 2}, "meta": {"id": "mine"}}
    assert (await listener.next()).payload == second


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, BLANK),
        ([1], BLANK),
        ({"messages": None}, BLANK),
        ({"messages": []}, BLANK),
        ({"messages": "text"}, INVALID),
        ({"messages": ["text"]}, INVALID),
        (
            {"messages": [{"topic": "t"}, {"payload": {}}, GOOD]},
            [{"event": BLANK, "payload": BLANK}, {"topic": BLANK, "event": BLANK}, {}],
        ),
        ({"messages": [GOOD | {"topic": " ", "event": ""}]}, [{"topic": BLANK, "event": BLANK}]),
        (
            {"messages": [{"topic": 1, "event": [], "payload": "x", "private": "maybe"}]},
            [{"topic": INVALID, "event": INVALID, "payload": INVALID, "private": INVALID}],
        ),
    ],
)
async def test_a_batch_is_refused_with_the_fault_of_each_message(
    http: httpx.AsyncClient, body: Any, errors: Any
) -> None:
    answer = await http.post(BATCH, json=body)
    assert (answer.status_code, answer.json()) == (422, {"errors": {"messages": errors}})


@pytest.mark.parametrize("path", [BATCH, f"{BATCH}/t/events/e"])
async def test_what_is_no_json_is_a_bad_request(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.post(path, content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize("path", [BATCH, f"{BATCH}/t/events/e"])
async def test_a_token_that_does_not_do_is_unauthorized(
    http: httpx.AsyncClient, league: Stack, path: str
) -> None:
    for given in (token(league, seconds=-100), "nonsense", token(league, role=None)):
        answer = await http.post(path, json={"messages": [GOOD]}, headers=bearer(given))
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


async def test_a_private_batch_is_skipped_where_the_sender_may_not_write(
    http: httpx.AsyncClient, league: Stack, listener: Phoenix
) -> None:
    names = [topic("read"), topic("unsure"), topic("room")]
    for name in names:
        await listener.join(f"realtime:{name}", private=True)
    messages = [GOOD | {"topic": name, "private": True} for name in names]
    answer = await http.post(BATCH, json={"messages": messages}, headers=bearer(token(league)))
    assert answer.status_code == 202
    assert (await listener.next()).topic == f"realtime:{names[2]}"
    await listener.heartbeat()


async def test_a_single_private_message_tells_why_it_is_not_sent(
    http: httpx.AsyncClient, league: Stack, listener: Phoenix
) -> None:
    async def send(name: str, **claims: Any) -> tuple[int, Any]:
        path = f"{BATCH}/{name}/events/e?private=true"
        answer = await http.post(path, json={"n": 1}, headers=bearer(token(league, **claims)))
        return answer.status_code, answer.json() if answer.content else None

    assert await send(topic("read")) == (403, {"message": "Unauthorized"})
    assert await send(topic("unsure")) == (422, {"message": "RLS policy error"})
    assert await send(topic("room"), role="potato") == (422, {"message": "RLS policy error"})
    name = topic("room")
    await listener.join(f"realtime:{name}", private=True)
    assert await send(name) == (202, None)
    assert (await listener.next()).payload["payload"] == {"n": 1}


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (b'{"a": [1, 2.50]}', {"a": [1, 2.5]}),
        (b"", {}),
        (b"{}", {}),
        (b"[1]", {"_json": [1]}),
        (b'"text"', {"_json": "text"}),
    ],
)
async def test_a_single_json_message_is_always_an_object(
    http: httpx.AsyncClient, listener: Phoenix, sent: bytes, heard: Any
) -> None:
    name = topic("public")
    await listener.join(f"realtime:{name}")
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = await http.post(f"{BATCH}/{name}/events/e%2F1", content=sent, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")
    assert (await listener.next()).payload == {
        "type": "broadcast",
        "event": "e/1",
        "payload": heard,
    }


async def test_a_single_message_of_another_type_is_unsupported(http: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/plain"}
    answer = await http.post(f"{BATCH}/t/events/e", content=b"x", headers=headers)
    assert answer.status_code == 415
    assert answer.json() == {
        "error": "Unsupported Media Type. Use application/json or application/octet-stream"
    }


async def test_payloads_above_the_cap_are_refused(http: httpx.AsyncClient) -> None:
    large = {"text": "x" * MAX_PAYLOAD_BYTES}
    too_large = ["Payload size exceeds tenant limit"]
    answer = await http.post(BATCH, json={"messages": [GOOD, GOOD | {"payload": large}]})
    assert answer.status_code == 422
    assert answer.json() == {"errors": {"messages": [{}, {"payload": too_large}]}}
    path, octets = f"{BATCH}/t/events/e", {"content-type": "application/octet-stream"}
    for answer in (
        await http.post(path, json=large),
        await http.post(path, content=b"\x00" * (MAX_PAYLOAD_BYTES + 1), headers=octets),
    ):
        assert (answer.status_code, answer.json()) == (422, {"errors": {"payload": too_large}})
    answer = await http.post(path, content=b"\x00" * MAX_PAYLOAD_BYTES, headers=octets)
    assert answer.status_code == 202
