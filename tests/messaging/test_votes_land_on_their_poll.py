"""A poll shows who chose what: the latest vote of each, in any order and twice."""

import itertools
from typing import Any

import pytest

from tests.messaging import bodies, changes
from tests.messaging.conftest import Company
from tests.tenants import Number

Json = dict[str, Any]

NOON, SENDER = bodies.NOON, changes.SENDER
GROUP = "120363000000000001@g.us"
BIA = "5521912345678@s.whatsapp.net"
# As they stand in WhatsApp, encrypted; a server that knows the poll adds the names.
ENCRYPTED: Json = {"encPayload": "eA==", "encIv": "eQ=="}


def upsert(number: Number, id: str, message: Json, at: int, **key: Any) -> Json:
    body = bodies.text(number, SENDER, id=id, at=NOON + at)
    body["data"]["message"] = message
    body["data"]["key"] |= key
    return body


def poll(number: Number, **key: Any) -> Json:
    options = [{"optionName": "Hoje"}, {"optionName": "Amanhã"}]
    return upsert(
        number, "POLL", {"pollCreationMessage": {"name": "?", "options": options}}, 0, **key
    )


def vote(number: Number, id: str, names: list[str] | None, at: int, **key: Any) -> Json:
    said = ENCRYPTED if names is None else ENCRYPTED | {"selectedOptions": names}
    content = {"pollCreationMessageKey": {"id": "POLL"}, "vote": said}
    return upsert(number, id, {"pollUpdateMessage": content}, at, **key)


def copy(number: Number, name: str, at: int) -> Json:
    """How servers before 2.3.7 say what a vote chose: beside it, without its time."""
    voters = [{"name": name, "voters": [f"{SENDER}@s.whatsapp.net"]}]
    data = {"keyId": "POLL", "remoteJid": f"{SENDER}@s.whatsapp.net", "status": "SERVER_ACK"}
    body = bodies.evolution(number, "messages.update", data | {"pollUpdates": voters})
    return body | {"date_time": f"2025-10-09T12:00:{at:02d}.000Z"}


def shown(voter: str, options: list[str] | None, at: int) -> Json:
    return {"voter": voter, "options": options, "at": f"2025-10-09T08:53:{20 + at:02d}+00:00"}


def changed_mind(number: Number) -> list[Json]:
    return [poll(number), vote(number, "V1", ["Hoje"], 10), vote(number, "V2", ["Amanhã"], 20)]


def taken_back(number: Number) -> list[Json]:
    return [poll(number), vote(number, "V1", ["Hoje"], 10), vote(number, "V2", [], 20)]


def unreadable(number: Number) -> list[Json]:
    return [poll(number), vote(number, "V1", ["Hoje"], 10), vote(number, "V2", None, 20)]


def made_readable(number: Number) -> list[Json]:
    votes = [vote(number, "V1", None, 10), vote(number, "V2", None, 20)]
    return [poll(number), *votes, copy(number, "Hoje", 10), copy(number, "Amanhã", 20)]


def of_several(number: Number) -> list[Json]:
    there = {"remoteJid": GROUP}
    return [
        poll(number, **there, participant=BIA),
        vote(number, "V1", ["Hoje"], 10, **there, participant=BIA),
        vote(number, "V2", ["Hoje", "Amanhã"], 20, **there, fromMe=True),
    ]


CASES = {
    "the latest counts": (changed_mind, [shown("contact", ["Amanhã"], 20)]),
    "taken back": (taken_back, [shown("contact", [], 20)]),
    "encrypted": (unreadable, [shown("contact", None, 20)]),
    "encrypted, and told beside": (made_readable, [shown("contact", ["Amanhã"], 20)]),
    "of several": (of_several, [shown(BIA, ["Hoje"], 10), shown("us", ["Hoje", "Amanhã"], 20)]),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_poll_shows_the_latest_vote_of_each(case: str, company: Company) -> None:
    make, expected = CASES[case]
    number = company.tenant.evolution
    contents = make(number)
    for n in range(len(contents)):
        await company.post(number, *contents[n:], *contents[:n])
    await company.settled()
    (message,) = await company.rows("messages")
    assert (message["type"], message["votes"]) == ("poll", expected)


@pytest.mark.parametrize("turn", range(6))
async def test_whatever_comes_first(turn: int, company: Company) -> None:
    number = company.tenant.evolution
    order = list(itertools.permutations(range(3)))[turn]
    contents = changed_mind(number)
    for place in order:
        await company.post(number, contents[place])
        await company.settled()
    (message,) = await company.rows("messages")
    assert message["votes"] == [shown("contact", ["Amanhã"], 20)]
    # A vote is no message: nobody has to answer it.
    (conversation,) = await company.rows("conversations")
    assert conversation["unread"] == 1
