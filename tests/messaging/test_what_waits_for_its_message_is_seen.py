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


async def test_words_are_set_listed_and_forgotten_by_admins(company: Company) -> None:
    async def put(word: str, effect: str | None, role: str = "admin") -> tuple[int, Json]:
        content = {"word": word, "effect": effect}
        person = company.tenant.people[role]
        answer = await call(company, "PUT", "/api/consent-words", person, json=content)
        return answer.status_code, answer.json()

    assert await put("  Chega!! ", "stop") == (
        200,
        {"word": "chega", "effect": "stop", "means": "stop"},
    )
    assert (await put("voltar", "none"))[1]["means"] is None
    assert (await put("voltar", None))[1]["means"] == "start", "the usual meaning is back"
    listed = (await call(company, "GET", "/api/consent-words")).json()
    assert listed == {"data": [{"word": "chega", "effect": "stop"}]}
    for word, effect, role, expected in (
        ("!!!", "stop", "admin", (422, "invalid_word")),
        ("a " * 60, "stop", "admin", (422, "invalid_word")),
        ("x", "stop", "agent", (403, "role_required")),
    ):
        status, problem = await put(word, effect, role)
        assert (status, problem["code"]) == expected
