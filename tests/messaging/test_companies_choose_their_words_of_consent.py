"""Admins set the words by which contacts opt out and in again, beside the usual ones."""

from typing import Any

from tests.messaging.conftest import Company
from tests.messaging.somebody import call

Json = dict[str, Any]


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
