"""Quality and limits of a number are the latest that its provider told, in any order."""

import itertools
from typing import Any

import pytest

from tests.messaging.conftest import Company

Json = dict[str, Any]

# (day, what was said); the phone stands for the company's number.
TOLD: list[tuple[int, Json]] = [
    (1, {"scope": "number", "number": "PHONE", "quality": "green", "daily_limit": 250}),
    (2, {"scope": "account", "restriction": "restricted_biz_initiated"}),
    (3, {"scope": "number", "number": "PHONE", "quality": "red"}),
    (3, {"scope": "number", "number": "+5511900000000", "quality": "yellow"}),
    (4, {"scope": "account", "daily_limit": 2000, "restriction": ""}),
]
SHOWN = ("quality", "portfolio_limit", "campaigns_paused_until", "cold_blocked_until")


async def told(company: Company, place: int, day: int, data: Json) -> None:
    number = company.tenant.meta
    phone = f"+{number.phone}"
    said = {key: phone if value == "PHONE" else value for key, value in data.items()}
    await company.project.insert(
        "provider_events",
        {
            "company_id": company.id,
            "instance_id": number.instance_id,
            "event": "limit",
            "occurred_at": f"2026-01-0{day}T12:00:00Z",
            "data": said,
            "inbound_event_id": -int(number.phone),
            "place": place,
        },
    )


async def shown(company: Company) -> tuple[Any, ...]:
    (row,) = await company.rows("instances", id=f"eq.{company.tenant.meta.instance_id}")
    return tuple(row[name] for name in SHOWN)


@pytest.mark.parametrize("order", [*itertools.permutations(range(5))][::17])
async def test_any_order_ends_the_same(order: tuple[int, ...], company: Company) -> None:
    for place in order:
        await told(company, place, *TOLD[place])
    assert await shown(company) == ("red", 2000, None, None)


async def test_a_part_that_nobody_told_later_still_counts(company: Company) -> None:
    await told(company, 0, 4, {"scope": "account", "daily_limit": -1})
    await told(company, 1, 1, {"scope": "account", "restriction": "x", "until": "2100-01-01"})
    (_, limit, campaigns, cold) = await shown(company)
    assert (limit, campaigns[:10], cold[:10]) == (None, "2100-01-01", "2100-01-01")


async def test_a_template_that_is_taken_away_stops_who_sends_it(company: Company) -> None:
    number = company.tenant.meta
    event = {"company_id": company.id, "instance_id": number.instance_id, "event": "template"}
    for place, (day, name, status) in enumerate(
        [(1, "a", "paused"), (3, "b", "approved"), (2, "b", "paused"), (4, "c", "approved")]
    ):
        said = {"data": {"name": name, "language": "pt_BR", "status": status}, "place": place}
        at = {"occurred_at": f"2026-01-0{day}T12:00:00Z", "inbound_event_id": -int(number.phone)}
        await company.project.insert("provider_events", event | said | at)
    rows = await company.rows("send_reactions")
    assert [(row["action"], row["class"], row["subject"], row["code"]) for row in rows] == [
        ("pause_campaign", "template", "a", "paused")
    ]
