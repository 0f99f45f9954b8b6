"""Set, pause, resume and delete: checked before anything is stored, and only one's own."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from functions.core.errors import Conflict, InvalidRequest, NotFound
from tests.jobs.conftest import Calendar, this_year
from tests.tenants import Tenant

INCOMPRESSIBLE = "".join(sha256(bytes([n])).hexdigest() for n in range(256)) * 2


async def test_a_pause_holds_and_its_slots_stay_missed(calendar: Calendar) -> None:
    name = await calendar.due_since(2020, catch_up="all")
    assert (await calendar.schedules.pause(name))["paused"] is True
    assert (await calendar.rpc.due_schedules(100))[1] == []
    assert await calendar.schedules.run_due() == 0
    row = await calendar.schedules.resume(name)
    assert row["paused"] is False
    assert row["next_run_at"] == f"{this_year() + 1}-01-01T00:00:00+00:00"
    assert await calendar.schedules.run_due() == 0


async def test_resuming_what_is_not_paused_loses_no_slot(calendar: Calendar) -> None:
    name = await calendar.due_since(2020)
    await calendar.schedules.resume(name)
    assert await calendar.schedules.run_due() == 1


async def test_setting_the_same_again_keeps_what_is_due(calendar: Calendar) -> None:
    schedule = calendar.new()
    await calendar.schedules.set(schedule)
    await calendar.change(schedule.name, next_run_at="2020-01-01T00:00:00Z")
    row = await calendar.schedules.set(replace(schedule, data={"new": True}))
    assert row["next_run_at"] == "2020-01-01T00:00:00+00:00"
    assert await calendar.schedules.run_due() == 1
    (job,) = await calendar.jobs(schedule.name)
    assert job["data"]["new"] is True


async def test_other_times_start_from_now(calendar: Calendar) -> None:
    schedule = calendar.new()
    await calendar.schedules.set(schedule)
    for other in (
        replace(schedule, cron="0 0 2 1 *"),
        replace(schedule, time_zone="America/Sao_Paulo"),
    ):
        await calendar.change(schedule.name, next_run_at="2020-01-01T00:00:00Z")
        row = await calendar.schedules.set(other)
        assert row["next_run_at"] > datetime.now(UTC).isoformat()


async def test_a_pause_survives_setting_unless_it_is_ended(calendar: Calendar) -> None:
    schedule = calendar.new()
    await calendar.schedules.set(schedule)
    await calendar.schedules.pause(schedule.name)
    await calendar.change(schedule.name, next_run_at="2020-01-01T00:00:00Z")
    assert (await calendar.schedules.set(schedule))["paused"] is True
    row = await calendar.schedules.set(replace(schedule, paused=False))
    assert row["paused"] is False
    assert row["next_run_at"] > datetime.now(UTC).isoformat()


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"cron": "every day"}, "invalid_cron", "five fields"),
        ({"cron": "61 * * * *"}, "invalid_cron", "Bad minute"),
        ({"cron": "0 0 30 2 *"}, "invalid_cron", "Bad day-of-month"),
        ({"time_zone": "Brasilia"}, "invalid_time_zone", "no such time zone"),
        ({"name": "a@b"}, "invalid_value", "a_schedule_name_is_a_word"),
        ({"name": "a\0"}, "invalid_value", "."),
        ({"type": ""}, "invalid_value", "a_schedule_has_a_type"),
        ({"catch_up": "some"}, "invalid_value", "a_catch_up_is_known"),
        ({"priority": 10}, "invalid_value", "a_scheduled_priority_is_a_digit"),
        ({"max_attempts": 0}, "invalid_value", "a_scheduled_max_attempts_is_positive"),
        ({"data": []}, "invalid_value", "scheduled_data_is_an_object"),
        ({"data": {"x": INCOMPRESSIBLE}}, "invalid_value", "at_most_16_kilobytes"),
        ({"queue": "no-such-queue"}, "invalid_value", "queue_schedules_queue_fkey"),
        ({"company_id": str(uuid4())}, "invalid_value", "queue_schedules_company_id_fkey"),
    ],
)
async def test_a_wrong_schedule_is_refused_by_name_and_not_stored(
    fields: dict[str, Any], code: str, reason: str, calendar: Calendar
) -> None:
    schedule = calendar.new(**fields)
    with pytest.raises(InvalidRequest, match=reason) as refused:
        await calendar.schedules.set(schedule)
    assert refused.value.code == code
    rows = await calendar.queue.project.rows("queue_schedules", queue=f"eq.{calendar.queue.name}")
    assert rows == []


async def test_what_is_not_there_is_not_found(calendar: Calendar) -> None:
    for call in (calendar.schedules.pause, calendar.schedules.resume):
        with pytest.raises(NotFound) as refused:
            await call("no.such.schedule")
        assert refused.value.code == "schedule_not_found"


async def test_a_company_reaches_its_own_schedules_only(calendar: Calendar, tenant: Tenant) -> None:
    mine, theirs = tenant.company_id, str(uuid4())
    await calendar.queue.project.insert("companies", {"id": theirs, "name": "Rival"})
    schedule = calendar.new(company_id=mine)
    await calendar.schedules.set(schedule)
    before = await calendar.row(schedule.name)
    for call in (calendar.schedules.pause, calendar.schedules.resume):
        with pytest.raises(NotFound):
            await call(schedule.name, theirs)
    assert await calendar.schedules.delete(schedule.name, theirs) is False
    for other in (theirs, None):
        with pytest.raises(Conflict) as refused:
            await calendar.schedules.set(replace(schedule, company_id=other, paused=True))
        assert refused.value.code == "schedule_name_taken"
    assert await calendar.row(schedule.name) == before
    assert (await calendar.schedules.pause(schedule.name, mine))["paused"] is True
    assert (await calendar.schedules.resume(schedule.name, mine))["paused"] is False
    assert await calendar.schedules.delete(schedule.name, mine) is True


async def test_members_see_the_schedules_of_their_company_from_admin_up(
    calendar: Calendar, tenant: Tenant
) -> None:
    name = await calendar.add(company_id=tenant.company_id)
    await calendar.add()
    seen = {
        role: [row["name"] for row in await calendar.queue.project.rows("queue_schedules", token)]
        for role, token in ((role, person.token) for role, person in tenant.people.items())
    }
    assert seen == {"owner": [name], "admin": [name], "agent": [], "viewer": []}
