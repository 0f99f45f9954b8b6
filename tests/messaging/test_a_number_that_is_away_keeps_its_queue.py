"""What a number that is logged out or banned has to send waits for it, and burns no attempt."""

from typing import Any

import pytest

from tests.messaging.conftest import Company
from tests.messaging.test_provider_faults_end_in_the_right_status import attempts, becomes, send
from tests.tenants import Number


async def set_state(company: Company, number: Number, state: str, **more: Any) -> None:
    here = {"id": f"eq.{number.instance_id}"}
    await company.project.update("instances", {"state": state} | more, **here)


async def cooldown(company: Company, number: Number) -> tuple[str | None, str | None]:
    (row,) = await company.rows("instances", id=f"eq.{number.instance_id}")
    return row["cooldown_until"], row["cooldown_reason"]


@pytest.mark.parametrize("away", [["closed"], ["banned"], ["closed", "qr", "connecting"]])
async def test_it_waits_and_goes_when_the_number_is_back(
    away: list[str], connected_company: Company
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    await set_state(company, number, "open")
    for state in away:
        await set_state(company, number, state)
    assert await cooldown(company, number) == ("infinity", "not_connected")
    ids = [await send(company, number, f"oi {n}") for n in range(3)]
    await company.api.tick()
    assert [await attempts(company, id) for id in ids] == [[], [], []]
    await set_state(company, number, "open")
    assert await cooldown(company, number) == (None, None)
    await company.api.tick()
    for id in ids:
        await becomes(company, id, "read")


async def test_a_short_rest_ends_by_itself_whatever_the_state(
    connected_company: Company,
) -> None:
    company, number = connected_company, connected_company.tenant.evolution
    until = "2100-01-01T00:00:00+00:00"
    await set_state(company, number, "open", cooldown_until=until, cooldown_reason="throttle")
    for state in ("connecting", "open", "degraded", "open"):
        await set_state(company, number, state)
    assert await cooldown(company, number) == (until, "throttle")
