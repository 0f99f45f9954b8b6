"""Edits, revokes, reactions and answers find the message they mean, in any order and twice."""

import random
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.messaging import bodies, changes
from tests.messaging.conftest import Company, Phones
from tests.tenants import Number

Json = dict[str, Any]
History = Callable[[Number, str], list[Json]]

NOON = bodies.NOON
SENDER = changes.SENDER
ORDERS = 24


def edited_twice(number: Number, id: str) -> list[Json]:
    return [
        bodies.text(number, SENDER, "um", id=id),
        changes.edit(number, id, "dois", NOON + 10, id=f"{id}-e1"),
        changes.edit(number, id, "três", NOON + 20, id=f"{id}-e2"),
    ]


def edited_with_copies(number: Number, id: str) -> list[Json]:
    copies = [changes.copy_of_edit(number, id, text) for text in ("dois", "três")]
    return [*edited_twice(number, id), *copies, changes.maybe_gone(number, id)]


def revoked(number: Number, id: str) -> list[Json]:
    gone = changes.revoke(number, id, NOON + 15, id=f"{id}-r")
    return [*edited_twice(number, id), gone]


def reacted_to(number: Number, id: str) -> list[Json]:
    return [
        bodies.text(number, SENDER, "um", id=id),
        changes.reaction(number, id, "👍", NOON + 10, id=f"{id}-1"),
        changes.reaction(number, id, "😂", NOON + 20, id=f"{id}-2"),
        changes.reaction(number, id, "❤️", NOON + 12, id=f"{id}-3", by="us"),
    ]


def taken_back(number: Number, id: str) -> list[Json]:
    within_a_second = changes.reaction(number, id, "", NOON + 20, id=f"{id}-0")
    return [*reacted_to(number, id)[:3], within_a_second]


def everything(number: Number, id: str) -> list[Json]:
    return [*revoked(number, id), *reacted_to(number, id)[1:]]


def at(seconds: int) -> str:
    return f"2025-10-09T08:53:{20 + seconds:02d}+00:00"


OURS = {"actor": "us", "emoji": "❤️", "at": at(12)}
THEIRS = {"actor": "contact", "emoji": "😂", "at": at(20)}
EDITED: Json = {"body": "três", "edited_at": at(20), "original": {"body": "um"}}
CASES: dict[str, tuple[History, Json]] = {
    "edited twice": (edited_twice, EDITED),
    "edited, with copies that have no time": (edited_with_copies, EDITED | {"revoked_at": None}),
    "revoked between two edits": (revoked, EDITED | {"revoked_at": at(15)}),
    "reactions": (reacted_to, {"body": "um", "reactions": [THEIRS, OURS]}),
    "a reaction taken back": (taken_back, {"reactions": None}),
    "everything": (everything, EDITED | {"revoked_at": at(15), "reactions": [THEIRS, OURS]}),
}
SHOWN = (
    "type", "body", "media", "payload", "edited_at", "revoked_at", "reactions", "original",
    "direction", "status",
)  # fmt: skip


async def shown(company: Company) -> dict[str, Json]:
    return {
        row["provider_message_id"]: {name: row[name] for name in SHOWN}
        for row in await company.rows("messages")
    }


@pytest.mark.parametrize("provider", ["evolution", "meta"])
@pytest.mark.parametrize("case", CASES)
async def test_in_any_order_and_twice(case: str, provider: str, company: Company) -> None:
    history, expected = CASES[case]
    if provider == "meta" and history is edited_with_copies:
        return  # Meta sends none
    number: Number = getattr(company.tenant, provider)
    orders = []
    for n in range(ORDERS):
        steps = history(number, f"CHANGED{n}") * 2
        if n:
            random.Random(n).shuffle(steps)
        orders.append(steps)
    for step in zip(*orders, strict=True):
        await company.post(number, *step)
        await company.settled()
    found = await shown(company)
    assert len(found) == ORDERS
    first = found["CHANGED0"]
    for name, value in expected.items():
        subset = isinstance(value, dict)
        assert (first[name] | value if subset else value) == first[name], name
    for n in range(ORDERS):
        assert found[f"CHANGED{n}"] == first, f"order {n}"
    (conversation,) = await company.rows("conversations")
    assert conversation["unread"] == ORDERS, "a change is no message"


@pytest.mark.parametrize("is_last", [True, False])
async def test_deleted_counts_unless_the_message_was_edited_or_voted_on(
    is_last: bool, company: Company
) -> None:
    number = company.tenant.evolution
    await company.post(number, bodies.text(number, SENDER, "gone", id="GONE"))
    poll = bodies.text(number, SENDER, id="POLL")
    poll["data"]["message"] = {"pollCreationMessage": {"name": "Quando?", "options": []}}
    vote = bodies.text(number, SENDER, id="VOTE")
    key = {"remoteJid": f"{SENDER}@s.whatsapp.net", "id": "POLL"}
    vote["data"]["message"] = {"pollUpdateMessage": {"pollCreationMessageKey": key, "vote": {}}}
    await company.post(number, poll)
    deleted = [changes.maybe_gone(number, id) for id in ("GONE", "POLL")]
    for content in [vote, *deleted] if is_last else [*deleted, vote]:
        await company.post(number, content)
        await company.settled()
    found = await shown(company)
    assert found["GONE"]["revoked_at"] is not None
    assert found["POLL"]["revoked_at"] is None


@pytest.mark.parametrize("provider", ["evolution", "meta"])
@pytest.mark.parametrize("answer_first", [False, True])
async def test_an_answer_names_what_it_quotes(
    answer_first: bool, provider: str, company: Company
) -> None:
    number: Number = getattr(company.tenant, provider)
    question = bodies.echo(number, SENDER, "Posso ajudar?", id="QUESTION")
    reply = changes.answer(number, "QUESTION", "pode", id="REPLY")
    for content in (reply, question) if answer_first else (question, reply):
        await company.post(number, content)
        await company.settled()
    rows = {row["provider_message_id"]: row for row in await company.rows("messages")}
    assert rows["REPLY"]["reply_to"] == "QUESTION"
    assert rows["REPLY"]["reply_to_id"] == rows["QUESTION"]["id"]
    assert rows["REPLY"]["quoted"]["author"] == "us"
    assert rows["QUESTION"]["reply_to_id"] is None


async def test_a_change_is_a_step_of_the_conversation_and_shows_in_the_inbox(
    company: Company,
) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.text(number, SENDER, "um", id="M"))
    await company.settled()
    (before,) = await company.rows("messages")
    await company.post(number, changes.edit(number, "M", "dois", NOON + 5))
    await company.settled()
    (after,) = await company.rows("messages")
    (conversation,) = await company.rows("conversations")
    assert after["rev"] == before["rev"] + 1
    assert (after["seq"], conversation["version"]) == (before["seq"], after["rev"])
    assert conversation["last_message_preview"] == "dois"
    await company.post(number, changes.revoke(number, "M", NOON + 9))
    await company.settled()
    (conversation,) = await company.rows("conversations")
    assert conversation["last_message_preview"] == "[revoke]"
    changed = {"p_id": conversation["id"], "p_after": before["rev"]}
    (company_row,) = await company.project.rows("companies", id=f"eq.{company.id}")
    answer = await company.project.rpc(
        "sync_conversation",
        changed | {"p_epoch": company_row["epoch"]},
        company.tenant.people["viewer"].token,
    )
    (row,) = answer["rows"]
    assert (row["body"], row["original"]["body"]) == ("dois", "um")
    assert row["revoked_at"] is not None


async def test_a_change_of_what_never_came_opens_nothing_and_stays_visible(
    company: Company,
) -> None:
    number = company.tenant.meta
    await company.post(number, changes.reaction(number, "BEFORE-US", "👍", NOON, id="R"))
    await company.settled()
    assert await company.rows("conversations") == []
    assert await company.rows("contacts") == []
    (change,) = await company.project.rows(
        "message_changes", company_id=f"eq.{company.id}", select="target,type,actor,body"
    )
    expected = {"target": "BEFORE-US", "type": "reaction", "actor": "contact", "body": "👍"}
    assert change == expected


async def test_the_same_id_at_another_number_is_another_message(company: Company) -> None:
    for number in company.tenant.numbers:
        await company.post(number, bodies.text(number, SENDER, number.provider, id="SAME"))
    await company.post(company.tenant.meta, changes.revoke(company.tenant.meta, "SAME", NOON + 1))
    await company.settled()
    gone = [row["body"] for row in await company.rows("messages") if row["revoked_at"]]
    assert gone == ["meta"]


async def test_an_edited_message_that_becomes_readable_keeps_its_edit(company: Company) -> None:
    number = company.tenant.evolution
    unreadable = bodies.text(number, SENDER, id="LATE")
    unreadable["data"] |= {"message": None, "messageStubType": "CIPHERTEXT"}
    contents = [
        unreadable,
        changes.edit(number, "LATE", "dois", NOON + 5),
        bodies.text(number, SENDER, "um", id="LATE"),
    ]
    for content in contents:
        await company.post(number, content)
        await company.settled()
    (message,) = await company.rows("messages")
    assert (message["type"], message["body"]) == ("text", "dois")
    assert message["original"]["body"] == "um"


async def test_our_reaction_shows_once_the_provider_has_it(
    connected_company: Company, phones: Phones
) -> None:
    company, number = connected_company, connected_company.tenant.meta
    await company.post(number, bodies.text(number, SENDER, "oi", id="HELLO", at=int(time.time())))
    await company.settled()
    (message,) = await company.rows("messages")
    sent = {"id": str(uuid4()), "conversation_id": message["conversation_id"], "type": "reaction"}
    answer = await company.api.send(
        company.tenant.people["agent"], sent | {"target": "HELLO", "body": "👍"}
    )
    assert answer.status_code == 202, answer.text
    await company.settled()
    ours = await company.message(sent["id"])
    assert ours["status"] in ("accepted", "sent", "delivered", "read"), ours["error_detail"]
    (reaction,) = (await company.message(message["id"]))["reactions"]
    assert (reaction["actor"], reaction["emoji"]) == ("us", "👍")
    # Another one counts from then on, wherever it comes from.
    later = changes.reaction(number, "HELLO", "", 4_000_000_000, id="PHONE", by="us")
    await company.post(number, later)
    await company.settled()
    assert (await company.message(message["id"]))["reactions"] is None
