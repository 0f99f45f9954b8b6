"""Changes of messages that are not known: listed page by page, and gone when the message comes."""

from typing import Any

import pytest

from tests.messaging import bodies, changes
from tests.messaging.conftest import Company
from tests.messaging.somebody import call

Json = dict[str, Any]


async def waiting(shop: Company, instance_id: str, limit: int) -> list[Json]:
    found: list[Json] = []
    cursor = None
    while cursor is not None or not found:
        params = {"instance_id": instance_id, "limit": str(limit)}
        params |= {"cursor": cursor} if cursor else {}
        answer = await call(shop, "GET", "/api/changes/waiting", params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    return found


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_what_waits_is_listed_until_its_message_comes(limit: int, company: Company) -> None:
    number = company.tenant.evolution
    ids = [bodies.new_id() for _ in range(3)]
    for place, id in enumerate(ids):
        for emoji in range(place + 1):
            said = changes.reaction(number, id, "👍", bodies.NOON + emoji, id=bodies.new_id())
            await company.post(number, said)
    await company.settled()
    found = await waiting(company, number.instance_id, limit)
    assert len({row["change_id"] for row in found}) == len(found) == 6
    assert {row["target"] for row in found} == set(ids)
    await company.post(number, bodies.text(number, changes.SENDER, id=ids[2]))
    await company.settled()
    left = await waiting(company, number.instance_id, limit)
    assert {row["target"] for row in left} == set(ids[:2])
    for params, expected in (
        ({"instance_id": number.instance_id, "cursor": "x"}, (422, "invalid_cursor")),
        ({"instance_id": ids[0].lower()}, (404, "instance_not_found")),
    ):
        answer = await call(company, "GET", "/api/changes/waiting", params=params)
        assert (answer.status_code, answer.json()["code"]) == expected


async def test_every_type_of_change_waits(company: Company) -> None:
    number, target = company.tenant.evolution, bodies.new_id()
    await company.post(
        number,
        changes.reaction(number, target, "👍", bodies.NOON, id=bodies.new_id()),
        changes.edit(number, target, "melhor assim", bodies.NOON + 1),
        changes.vote(number, target, ["Sim"], bodies.NOON + 2, id=bodies.new_id()),
        changes.revoke(number, target, bodies.NOON + 3),
    )
    await company.settled()
    found = await waiting(company, number.instance_id, 50)
    assert {row["type"] for row in found} == {"reaction", "edit", "vote", "revoke"}
