"""POST /in: what is not the provider's is refused and leaves no trace; the rest is kept whole."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number, body

LIMIT = 4_500_000

NO_OBJECTS = {
    "empty": b"",
    "garbage": b"\x00\x01\xfe\xff" * 9,
    "null": b"null",
    "a list": b'[{"event": "messages.upsert"}]',
    "a text": b'"messages.upsert"',
    "a number": b"1e999",
    "cut off": b'{"event": "messages.upsert", "data": {',
    "two objects": b"{}{}",
    "not a number": b'{"event": NaN}',
    "not UTF-8": b'{"event": "\xff\xfe"}',
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"data":' * 100_000 + b"1" + b"}" * 100_000,
}


@pytest.fixture(params=["evolution", "meta"])
def number(request: pytest.FixtureRequest, shop: Company) -> Number:
    found: Number = getattr(shop.tenant, request.param)
    return found


async def assert_a_correct_body_works(shop: Company, number: Number) -> None:
    id = bodies.new_id()
    await shop.post(number, bodies.text(number, "5511987650000", id=id))
    await shop.settled()
    assert len(await shop.rows("messages", provider_message_id=f"eq.{id}")) == 1


async def test_a_body_that_is_no_object_is_refused(shop: Company, number: Number) -> None:
    before = await shop.events(number)
    for name, raw in NO_OBJECTS.items():
        answer = await shop.api.post_webhook(number, raw)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body"), name
        assert answer.headers["content-type"] == "application/problem+json"
    assert await shop.events(number) == before
    await assert_a_correct_body_works(shop, number)


async def test_a_body_over_the_limit_is_refused(shop: Company, number: Number) -> None:
    before = await shop.events(number)
    raw = body({"event": "x", "padding": ""})
    for size, expected in ((LIMIT, 200), (LIMIT + 1, 413), (2 * LIMIT, 413)):
        padded = raw.replace(b'"padding":"', b'"padding":"' + b"x" * (size - len(raw)))
        answer = await shop.api.post_webhook(number, padded)
        assert answer.status_code == expected, (size, answer.text)
        if expected == 413:
            assert answer.json()["code"] == "body_too_large"
    assert len(await shop.events(number)) == len(before) + 1
    await assert_a_correct_body_works(shop, number)


async def test_a_body_that_is_not_the_providers_is_refused(shop: Company, number: Number) -> None:
    before = await shop.events(number)
    raw = body(bodies.text(number, "5511987650000"))
    right = number.headers(raw)
    name, value = next(iter(right.items()))
    wrong: dict[str, dict[str, str]] = {
        "no header": {},
        "an empty one": {name: ""},
        "cut off": {name: value[:-1]},
        "too long": {name: value + "0"},
        "of another body": {name: number.headers(raw + b" ")[name][:-4] + "0000"},
        "another scheme": {name: value.replace("Bearer ", "Basic ").replace("sha256", "sha1")},
    }
    for what, headers in wrong.items():
        answer = await shop.api.http.post(number.path, content=raw, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature"), what
    assert await shop.events(number) == before
    await assert_a_correct_body_works(shop, number)


async def test_a_changed_byte_breaks_metas_signature(shop: Company) -> None:
    number = shop.tenant.meta
    raw = body(bodies.text(number, "5511987650000"))
    answer = await shop.api.http.post(number.path, content=raw + b"\n", headers=number.headers(raw))
    assert answer.status_code == 401


async def test_unknown_addresses_are_not_found(shop: Company, number: Number) -> None:
    raw = body(bodies.text(number, "5511987650000"))
    other = "meta" if number.provider == "evolution" else "evolution"
    token = number.path.rsplit("/", 1)[1]
    for path, code in (
        (f"/in/{number.provider}/{token[:-1]}", "unknown_endpoint"),
        (f"/in/{number.provider}/{token.upper()}", "unknown_endpoint"),
        (f"/in/{number.provider}/%00", "unknown_endpoint"),
        (f"/in/{number.provider}/é", "unknown_endpoint"),
        (f"/in/{other}/{token}", "unknown_endpoint"),
        (f"/in/telegram/{token}", "unknown_provider"),
        (f"/in/{token}", "not_found"),
        ("/in", "not_found"),
    ):
        answer = await shop.api.http.post(path, content=raw, headers=number.headers(raw))
        assert (answer.status_code, answer.json()["code"]) == (404, code), path


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("A\x00na", "A\ufffdna"),
        ("Ana \ud83d", "Ana \ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("Ana\x1b[31m", "Ana\x1b[31m"),
        ("👩‍👧", "👩‍👧"),
    ],
)
async def test_a_strange_name_is_stored(
    shop: Company, number: Number, written: str, kept: str
) -> None:
    sender = f"55119{uuid4().int % 10**8:08d}"
    # Escaped, halves of pairs too, as JavaScript writes them.
    raw = json.dumps(bodies.text(number, sender, f"de {written}", name=written)).encode()
    await shop.post(number, raw)
    await shop.settled()
    (contact,) = await shop.rows("contacts", phone=f"eq.+{sender}")
    assert contact["name"] == kept
    (identity,) = await shop.rows("messages", body=f"eq.de {kept}", limit="1")
    assert identity["status"] == "received"
    assert {event["state"] for event in await shop.events(number)} <= {"processed", "ignored"}


async def test_three_megabytes_are_kept(shop: Company, number: Number) -> None:
    id = bodies.new_id()
    await shop.post(number, bodies.text(number, "5511987650001", "é" * 1_400_000, id=id))
    await shop.settled()
    (message,) = await shop.rows("messages", provider_message_id=f"eq.{id}")
    assert message["body"] == "é" * 16_000
    assert "é" * 1_400_000 in str((await shop.events(number))[-1]["raw"])


UNDERSTOOD_BY_NOBODY: dict[str, Any] = {
    "nothing in it": {},
    "an unknown event": {"event": "messages.teleported", "data": {"key": {"id": "1"}}},
    "an unknown field": {"entry": [{"id": "1", "changes": [{"field": "dreams", "value": {}}]}]},
    "other types": {"event": 7, "instance": [], "data": "x", "entry": {"changes": 3}},
    "500 levels": orjson.loads(b'{"event":"x","data":' + b"[" * 500 + b"]" * 500 + b"}"),
    "strange names": {"\x00": 1, "entry": [None, {"id": None, "changes": [None]}], "event": "\x00"},
}


async def test_what_nobody_understands_is_kept(shop: Company, number: Number) -> None:
    for name, content in UNDERSTOOD_BY_NOBODY.items():
        before = len(await shop.events(number))
        answer = await shop.api.post_webhook(number, content)
        assert answer.status_code == 200, name
        told = answer.json()
        assert told["stored"] + told["ignored"] + told["duplicates"] >= 1, name
        stored = await shop.events(number)
        assert len(stored) == before + told["stored"] + told["ignored"], name
    await shop.settled()
    assert {event["state"] for event in await shop.events(number)} <= {"processed", "ignored"}
    await assert_a_correct_body_works(shop, number)


async def test_the_same_body_fifty_times_at_once_is_one_message(
    shop: Company, number: Number
) -> None:
    id = bodies.new_id()
    content = bodies.text(number, "5511987650002", id=id)
    answers = await asyncio.gather(*(shop.api.post_webhook(number, content) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    told = [answer.json() for answer in answers]
    assert sum(answer["stored"] for answer in told) == 1
    assert sum(answer["duplicates"] for answer in told) == 49
    await shop.settled()
    assert len(await shop.rows("messages", provider_message_id=f"eq.{id}")) == 1
    conversations = await shop.rows(
        "conversations", address="like.5511987650002*", instance_id=f"eq.{number.instance_id}"
    )
    assert len(conversations) == 1


async def test_the_event_in_the_address_changes_nothing(shop: Company) -> None:
    number = shop.tenant.evolution
    id = bodies.new_id()
    raw = body(bodies.text(number, "5511987650003", id=id))
    for suffix in ("", "/messages-upsert", "/anything"):
        answer = await shop.api.http.post(
            number.path + suffix, content=raw, headers=number.headers(raw)
        )
        assert answer.status_code == 200
    await shop.settled()
    assert len(await shop.rows("messages", provider_message_id=f"eq.{id}")) == 1
