"""How numbers send is set by admins alone, field by field; what makes no sense is refused."""

from typing import Any

import httpx
import pytest

from tests.messaging.conftest import Company

Json = dict[str, Any]


async def ask(
    company: Company, method: str, path: str, body: Json | None = None, role: str = "admin"
) -> httpx.Response:
    headers = {"authorization": f"Bearer {company.tenant.people[role].token}"}
    return await company.api.http.request(method, path, json=body, headers=headers)


async def test_without_rules_no_hour_is_quiet(company: Company) -> None:
    rules = (await ask(company, "GET", "/api/sending-rules", role="viewer")).json()
    assert (rules["quiet_from"], rules["quiet_until"]) == ("00:00:00", "00:00:00")
    assert rules["quiet_days"] == []


async def test_rules_change_by_what_is_given(company: Company) -> None:
    for change, expected in (
        ({"quiet_from": "21:00"}, ("21:00:00", "08:00:00", [])),
        ({"quiet_days": [7]}, ("21:00:00", "08:00:00", [7])),
        ({"quiet_until": "07:30"}, ("21:00:00", "07:30:00", [7])),
        ({}, ("21:00:00", "07:30:00", [7])),
    ):
        answer = await ask(company, "PATCH", "/api/sending-rules", change)
        assert answer.status_code == 200, answer.text
        rules = (await ask(company, "GET", "/api/sending-rules")).json()
        assert rules == answer.json()
        assert (rules["quiet_from"], rules["quiet_until"], rules["quiet_days"]) == expected


async def test_the_pace_of_a_number_changes_by_what_is_given(company: Company) -> None:
    path = f"/api/numbers/{company.tenant.evolution.instance_id}/pace"
    full = {"rate_per_minute": 30, "gap_seconds": 2, "jitter_seconds": 3, "daily_cap": 50}
    answer = await ask(company, "PATCH", path, full | {"warmup_started_on": "2026-01-01"})
    assert answer.status_code == 200, answer.text
    pace = answer.json()
    assert {name: pace[name] for name in full} == full
    pace = (await ask(company, "PATCH", path, {"daily_cap": None})).json()
    assert {name: pace[name] for name in full} == full | {"daily_cap": None}
    assert pace["warmup_started_on"] == "2026-01-01"


async def test_a_person_lets_a_number_send_again(company: Company) -> None:
    number = company.tenant.meta.instance_id
    paused = {"cooldown_until": "infinity", "cold_blocked_until": "infinity"}
    await company.project.update("instances", paused, id=f"eq.{number}")
    answer = await ask(company, "POST", f"/api/numbers/{number}/resumption", {})
    assert answer.json() == {"id": number}
    (row,) = await company.rows("instances", id=f"eq.{number}")
    assert (row["cooldown_until"], row["cold_blocked_until"]) == (None, None)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/api/sending-rules", {"quiet_days": [1, 2, 3, 4, 5, 6, 7]}),
        ("/api/sending-rules", {"quiet_days": [0]}),
        ("/api/sending-rules", {"quiet_from": "25:00"}),
        ("/api/sending-rules", {"quiet": True}),
        ("pace", {"rate_per_minute": 0}),
        ("pace", {"gap_seconds": -1}),
        ("pace", {"daily_cap": 10**12}),
        ("pace", {"cooldown_until": None}),
    ],
)
async def test_what_makes_no_sense_is_refused(path: str, change: Json, shop: Company) -> None:
    if path == "pace":
        path = f"/api/numbers/{shop.tenant.meta.instance_id}/pace"
    answer = await ask(shop, "PATCH", path, change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text


@pytest.mark.parametrize("role", ["agent", "viewer"])
async def test_it_needs_an_admin(role: str, shop: Company) -> None:
    number = f"/api/numbers/{shop.tenant.meta.instance_id}"
    for method, path in (
        ("PATCH", "/api/sending-rules"),
        ("PATCH", f"{number}/pace"),
        ("POST", f"{number}/resumption"),
    ):
        answer = await ask(shop, method, path, {}, role)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required"), path
