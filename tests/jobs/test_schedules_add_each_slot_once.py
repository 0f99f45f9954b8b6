"""Schedules in the database: one job per slot, whatever ticks overlap, fail or come late."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.core.db import Database
from functions.core.errors import InvalidRequest
from functions.core.http import HttpClient
from functions.core.settings import Settings
from functions.jobs.models import CatchUp
from functions.jobs.rpc import Queue
from functions.jobs.schedules import Schedules, decide
from tests.fixtures import Api
from tests.jobs.conftest import YEARLY, Calendar, new_years, this_year
from tests.tenants import Tenant


async def test_a_due_slot_becomes_a_job_with_everything_said(calendar: Calendar) -> None:
    year = this_year()
    fields = {"data": {"report": "daily"}, "priority": 8, "max_attempts": 2}
    name = await calendar.due_since(year, **fields)
    assert await calendar.schedules.run_due() == 1
    (job,) = await calendar.jobs(name)
    slot = f"{year}-01-01T00:00:00Z"
    assert job["data"] == {"report": "daily", "slot": slot}
    assert (job["priority"], job["max_attempts"]) == (8, 2)
    assert (job["type"], job["queue"], job["company_id"]) == ("test", calendar.queue.name, None)
    row = await calendar.row(name)
    assert row["next_run_at"] == f"{year + 1}-01-01T00:00:00+00:00"
    assert row["last_run_at"] == f"{year}-01-01T00:00:00+00:00"
    assert await calendar.schedules.run_due() == 0


async def test_a_type_brings_its_defaults(calendar: Calendar) -> None:
    queue, kind = calendar.queue, f"{calendar.queue.name}.x"
    await queue.project.insert("job_types", {"type": kind, "queue": queue.name, "priority": 7})
    name = await calendar.due_since(this_year(), type=kind, queue=None)
    await calendar.schedules.run_due()
    (job,) = await calendar.jobs(name)
    assert (job["queue"], job["priority"]) == (queue.name, 7)


async def test_nothing_runs_before_its_time(calendar: Calendar) -> None:
    name = await calendar.add()
    assert await calendar.schedules.run_due() == 0
    assert await calendar.jobs(name) == []


async def test_twenty_ticks_at_once_add_each_slot_once(calendar: Calendar) -> None:
    names = [await calendar.due_since(2020, catch_up="all") for _ in range(3)]
    counts = await asyncio.gather(*(calendar.schedules.run_due() for _ in range(20)))
    assert sum(counts) == 3 * len(new_years(2020))
    for name in names:
        assert await calendar.slots(name) == new_years(2020)


async def test_ticks_that_decided_the_same_add_it_once(calendar: Calendar) -> None:
    """The worst overlap: all have listed before one has run."""
    name = await calendar.due_since(2020, catch_up="all")
    now, due = await calendar.rpc.due_schedules(100)
    runs = [decide(schedule, now) for schedule in due]
    counts = await asyncio.gather(*(calendar.rpc.run_schedules(runs) for _ in range(20)))
    assert sorted(counts) == [0] * 19 + [len(new_years(2020))]
    assert await calendar.slots(name) == new_years(2020)


async def test_a_tick_that_was_overtaken_turns_nothing_back(calendar: Calendar) -> None:
    name = await calendar.due_since(2020)
    now, due = await calendar.rpc.due_schedules(100)
    await calendar.change(name, next_run_at="2099-01-01T00:00:00Z")
    assert await calendar.rpc.run_schedules([decide(schedule, now) for schedule in due]) == 0
    assert (await calendar.row(name))["next_run_at"] == "2099-01-01T00:00:00+00:00"


async def test_a_slot_whose_job_has_ended_is_not_added_again(calendar: Calendar) -> None:
    name = await calendar.due_since(2020)
    now, due = await calendar.rpc.due_schedules(100)
    runs = [decide(schedule, now) for schedule in due]
    await calendar.rpc.run_schedules(runs)
    await calendar.queue.settle(await calendar.queue.claim(), "ok")
    assert await calendar.rpc.run_schedules(runs) == 0
    # Not even when somebody turns the schedule back.
    await calendar.change(name, next_run_at="2020-01-01T00:00:00Z", catch_up="all")
    assert await calendar.schedules.run_due() == 0
    assert len(await calendar.jobs(name)) == 1
    assert (await calendar.row(name))["next_run_at"] > datetime.now(UTC).isoformat()


@pytest.mark.parametrize(
    ("catch_up", "slots"),
    [("one", new_years(2020)[-1:]), ("all", new_years(2020)), ("none", [])],
)
async def test_an_outage_is_caught_up_as_the_schedule_says(
    catch_up: CatchUp, slots: list[str], calendar: Calendar
) -> None:
    name = await calendar.due_since(2020, catch_up=catch_up)
    assert await calendar.schedules.run_due() == len(slots)
    assert await calendar.slots(name) == slots
    row = await calendar.row(name)
    assert row["next_run_at"] == f"{this_year() + 1}-01-01T00:00:00+00:00"


async def test_a_long_outage_is_caught_up_over_several_ticks(calendar: Calendar) -> None:
    name = await calendar.add(cron="* * * * *", catch_up="all")
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=250)
    await calendar.change(name, next_run_at=start.isoformat())
    counts = [await calendar.schedules.run_due() for _ in range(3)]
    assert counts[:2] == [100, 100]
    expected = [start + n * timedelta(minutes=1) for n in range(sum(counts))]
    assert await calendar.slots(name) == [f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in expected]
    assert sum(counts) >= 251


async def test_more_schedules_than_a_round_takes_all_run(calendar: Calendar) -> None:
    names = await asyncio.gather(*(calendar.add() for _ in range(130)))
    await calendar.queue.project.update(
        "queue_schedules",
        {"next_run_at": f"{this_year()}-01-01T00:00:00Z"},
        queue=f"eq.{calendar.queue.name}",
    )
    assert await calendar.schedules.run_due() == len(names)


async def test_what_is_deleted_paused_or_changed_while_due_does_not_run(
    calendar: Calendar,
) -> None:
    deleted, paused = await calendar.due_since(2020), await calendar.due_since(2020)
    changed = calendar.new(cron="0 0 1 6 *")
    await calendar.schedules.set(changed)
    await calendar.change(changed.name, next_run_at="2020-01-01T00:00:00Z")
    now, due = await calendar.rpc.due_schedules(100)
    runs = [decide(schedule, now) for schedule in due]
    assert await calendar.schedules.delete(deleted) is True
    await calendar.schedules.pause(paused)
    await calendar.schedules.set(replace(changed, cron=YEARLY))
    await calendar.change(changed.name, next_run_at="2020-01-01T00:00:00Z")
    assert await calendar.rpc.run_schedules(runs) == 0
    for name in (deleted, paused, changed.name):
        assert await calendar.jobs(name) == []
    assert await calendar.schedules.delete(deleted) is False


async def test_nonsense_in_a_row_pauses_it_and_stops_no_other(calendar: Calendar) -> None:
    good = await calendar.due_since(2020)
    schedule = calendar.new()
    await calendar.schedules.set(schedule)
    due_at = "2019-01-01T00:00:00Z"
    await calendar.change(schedule.name, cron="nonsense", next_run_at=due_at)
    nowhere = await calendar.due_since(2020)
    await calendar.change(nowhere, time_zone="Mars/Base")
    assert await calendar.schedules.run_due() == 1
    assert len(await calendar.jobs(good)) == 1
    bad = await calendar.row(schedule.name)
    assert (bad["paused"], bad["error"].split(":")[0]) == (True, "invalid_cron")
    assert (await calendar.row(nowhere))["error"].startswith("invalid_time_zone")
    with pytest.raises(InvalidRequest):
        await calendar.schedules.resume(schedule.name)
    mended = await calendar.schedules.set(schedule)
    assert (mended["paused"], mended["error"]) == (False, None)
    assert mended["next_run_at"] > datetime.now(UTC).isoformat()


async def test_the_jobs_are_of_the_company_and_end_with_it(
    calendar: Calendar, tenant: Tenant
) -> None:
    name = await calendar.due_since(2020, company_id=tenant.company_id)
    await calendar.schedules.run_due()
    (job,) = await calendar.jobs(name)
    assert job["company_id"] == tenant.company_id
    project = calendar.queue.project
    await project.http.delete(
        f"{project.url}/rest/v1/companies",
        params={"id": f"eq.{tenant.company_id}"},
        headers=project.headers(),
    )
    assert await project.rows("queue_schedules", name=f"eq.{name}") == []


async def test_a_tick_runs_what_is_due_and_says_so(calendar: Calendar, api: Api) -> None:
    name = await calendar.due_since(2020, catch_up="all")
    answer = await api.tick()
    assert answer["scheduled"] == len(new_years(2020))
    # Added before draining: the same tick has come to them.
    assert {job["status"] for job in await calendar.jobs(name)} == {"failed"}
    assert (await api.tick())["scheduled"] == 0
    tick = (await api.http.get("/openapi.json")).json()["components"]["schemas"]["Tick"]
    assert "scheduled" in tick["required"]
    assert tick["properties"]["scheduled"]["description"]


async def test_a_database_that_is_down_puts_schedules_off(settings: Settings) -> None:
    """The tick says 503 then, and the next one finds what is due."""
    http = HttpClient()
    down = Database(replace(settings, supabase_url="http://127.0.0.1:9"), http)
    assert await Schedules(Queue(down)).run_due() == 0
    await http.close()
