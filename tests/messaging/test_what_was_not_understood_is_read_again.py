"""Items are visible with what became of them, and the parser of the day reads them again."""

from typing import Any

import httpx
import pytest

from functions.providers.base import Provider
from functions.providers.events import Unknown
from functions.providers.meta import Meta
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number, Person, Project

Json = dict[str, Any]

SENDER = "5511987654321"


def bearer(person: Person) -> dict[str, str]:
    return {"authorization": f"Bearer {person.token}"}


async def listed(company: Company, role: str = "admin", **params: Any) -> list[Json]:
    """All pages of the list, two items each."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await company.api.http.get(
            "/api/inbound",
            params={"limit": 2} | params | cursor,
            headers=bearer(company.tenant.people[role]),
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def reprocess(company: Company, role: str = "admin", **which: Any) -> httpx.Response:
    return await company.api.http.post(
        "/api/inbound/reprocess", json=which, headers=bearer(company.tenant.people[role])
    )


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A parser of Meta's that does not know statuses."""
    parse = Meta.parse

    def blind(self: Provider, kind: str, raw: Json) -> Any:
        return [Unknown("no idea")] if kind == "statuses" else parse(self, kind, raw)  # type: ignore[arg-type]

    monkeypatch.setattr(Meta, "parse", blind)
    return monkeypatch


async def test_a_mended_parser_reads_what_was_unknown_and_nothing_twice(
    company: Company, defect: pytest.MonkeyPatch
) -> None:
    number = company.tenant.meta
    sent = [bodies.echo(number, SENDER, f"oi {n}", id=f"OUT{n}") for n in range(3)]
    reports = [bodies.status(number, SENDER, f"OUT{n}", "read") for n in range(3)]
    await company.post(number, *sent, *reports)
    await company.settled()
    unknown = await listed(company, outcome="unknown")
    assert [(item["state"], item["reason"]) for item in unknown] == [("processed", "no idea")] * 3
    assert {row["status"] for row in await company.rows("messages")} == {"accepted"}
    defect.undo()
    assert (await reprocess(company, provider="meta")).json()["reprocessed"] == 3
    await company.settled()
    assert {row["status"] for row in await company.rows("messages")} == {"read"}
    assert await listed(company, outcome="unknown") == []
    assert (await reprocess(company)).json() == {"reprocessed": 0, "next_cursor": None}


async def test_reading_everything_again_changes_nothing(company: Company) -> None:
    for number in company.tenant.numbers:
        await company.post(number, bodies.text(number, SENDER, "oi", id="IN"))
        await company.post(number, bodies.echo(number, SENDER, "olá", id="OUT"))
        await company.post(number, bodies.status(number, SENDER, "OUT", "delivered"))
    await company.settled()
    tables = ("messages", "conversations", "contacts", "message_status_events")
    before = {table: await company.rows(table) for table in tables}
    answer = await reprocess(company, state="processed")
    assert answer.json()["reprocessed"] == 6
    await company.settled()
    assert {table: await company.rows(table) for table in tables} == before
    assert {item["state"] for item in await listed(company)} == {"processed"}


async def test_a_message_that_was_unsupported_is_filled_in(company: Company) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.text(number, SENDER, "oi", id="NEW-TYPE"))
    await company.settled()
    # As a parser would have left it that does not know texts.
    unsupported = {"type": "unsupported", "body": None}
    await company.project.update("messages", unsupported, company_id=f"eq.{company.id}")
    item = {"outcome": "unsupported"}
    await company.project.update("inbound_events", item, company_id=f"eq.{company.id}")
    assert (await reprocess(company)).json()["reprocessed"] == 1
    await company.settled()
    (message,) = await company.rows("messages")
    assert (message["type"], message["body"]) == ("text", "oi")
    (conversation,) = await company.rows("conversations")
    assert (conversation["unread"], conversation["last_message_preview"]) == (1, "oi")


async def test_an_unsupported_message_is_found_by_its_outcome(company: Company) -> None:
    number = company.tenant.evolution
    strange = bodies.text(number, SENDER)
    strange["data"]["message"] = {"hologramMessage": {"depth": 3}}
    await company.post(number, strange, bodies.text(number, SENDER))
    await company.settled()
    (item,) = await listed(company, outcome="unsupported")
    assert item["kind"] == "messages.upsert"


async def test_a_limit_goes_through_all_in_parts(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, *(bodies.text(number, SENDER, f"{n}") for n in range(5)))
    await company.settled()
    which: Json = {"state": "processed", "limit": 2}
    counts = []
    while True:
        answer = (await reprocess(company, **which)).json()
        counts.append(answer["reprocessed"])
        if answer["next_cursor"] is None:
            break
        which["cursor"] = answer["next_cursor"]
    assert counts == [2, 2, 1]
    await company.settled()
    assert len(await company.rows("messages")) == 5


async def test_filters_mean_what_they_say(company: Company) -> None:
    for number in company.tenant.numbers:
        await company.post(number, bodies.text(number, SENDER), bodies.text(number, SENDER))
    await company.post(company.tenant.meta, bodies.status(company.tenant.meta, SENDER, "X", "read"))
    await company.settled()
    everything = await listed(company)
    assert [item["id"] for item in everything] == sorted(
        (item["id"] for item in everything), reverse=True
    )
    assert len(everything) == 5
    assert len(await listed(company, provider="meta")) == 3
    assert [item["outcome"] for item in await listed(company, kind="statuses")] == ["status"]
    assert len(await listed(company, outcome="message")) == 4
    assert await listed(company, before="2020-01-01T00:00:00Z") == []
    assert len(await listed(company, after="2020-01-01T00:00:00Z")) == 5
    assert len(await listed(company, endpoint_id=everything[0]["endpoint_id"])) == 3


async def test_lists_have_no_bodies_and_an_item_has_its_own(company: Company) -> None:
    number = company.tenant.meta
    await company.post(number, bodies.text(number, SENDER, "segredo"))
    await company.settled()
    page = await company.api.get("/api/inbound", company.tenant.people["admin"])
    assert "segredo" not in page.text
    assert SENDER not in page.text
    (item,) = page.json()["data"]
    one = await company.api.get(f"/api/inbound/{item['id']}", company.tenant.people["admin"])
    assert one.json()["raw"]["value"]["text"]["body"] == "segredo"
    unsaid = {"raw", "dedupe_key", "route_kind", "route_value", "body_dropped_at"}
    assert {name: one.json()[name] for name in one.json().keys() - unsaid} == item


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_only_admins_look_and_reprocess(role: str, company: Company) -> None:
    await company.post(company.tenant.meta, bodies.text(company.tenant.meta, SENDER))
    await company.settled()
    (item,) = await listed(company)
    person = company.tenant.people[role]
    answer = await company.api.get("/api/inbound", person)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    answer = await company.api.get(f"/api/inbound/{item['id']}", person)
    assert (answer.status_code, answer.json()["code"]) == (404, "inbound_event_not_found")
    answer = await reprocess(company, role, state="processed")
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")
    (item,) = await listed(company)
    assert item["state"] == "processed"


async def test_what_came_before_its_number_reaches_it_afterwards(
    company: Company, project: Project
) -> None:
    number = company.tenant.meta
    (instance,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    await project.update("instances", {"external_id": "elsewhere"}, id=f"eq.{instance['id']}")
    await company.post(number, bodies.text(number, SENDER, "cedo"))
    (item,) = await company.events(number)
    assert (item["state"], item["route_value"]) == ("ignored", number.external_id)
    assert item["error"] == "this address serves no such number"
    which = {"p_endpoint_id": instance["endpoint_id"], "p_state": "ignored"}
    answer = await project.rpc("reprocess_inbound", which)
    assert answer["reprocessed"] == 0, "nobody is meant yet"
    await project.update(
        "instances", {"external_id": number.external_id}, id=f"eq.{instance['id']}"
    )
    answer = await project.rpc("reprocess_inbound", which)
    assert answer["reprocessed"] == 1
    await company.api.tick()
    await company.settled()
    assert [row["body"] for row in await company.rows("messages")] == ["cedo"]


@pytest.mark.parametrize(
    "which",
    [
        {"cursor": "x"}, {"cursor": "1_2"}, {"limit": 0}, {"state": "odd"}, {"endpoint_id": "x"},
        {"unheard": 1},
    ],
)  # fmt: skip
async def test_a_senseless_filter_is_refused(which: Json, company: Company) -> None:
    answer = await reprocess(company, **which)
    assert answer.status_code == 422, answer.text


async def test_reprocessing_is_written_down(company: Company) -> None:
    await reprocess(company, outcome="unknown")
    (row,) = await company.rows("job_operations", operation="eq.reprocess")
    assert row["user_id"] == company.tenant.people["admin"].id
    assert row["target"]["outcome"] == "unknown"


async def test_news_of_a_provider_are_rows_and_stay_one(company: Company) -> None:
    number: Number = company.tenant.meta
    stop = {"wa_id": SENDER, "category": "marketing_messages", "value": "stop"}
    content = bodies.meta(
        number,
        "user_preferences",
        {
            "contacts": [{"wa_id": SENDER, "profile": {"name": "Ana"}}],
            "user_preferences": [stop | {"timestamp": bodies.NOON}],
        },
    )
    await company.post(number, content, content)
    await company.settled()
    (told,) = await company.rows("provider_events")
    (contact,) = await company.rows("contacts")
    assert (told["event"], told["contact_id"]) == ("preference", contact["id"])
    assert told["data"]["wanted"] is False
    assert told["occurred_at"].startswith("2025-10-09T08:53:20")
    assert (await reprocess(company, state="processed")).json()["reprocessed"] == 1
    await company.settled()
    assert await company.rows("provider_events") == [told]
