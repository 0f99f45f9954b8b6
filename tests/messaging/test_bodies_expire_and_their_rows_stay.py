"""What was posted is kept for some weeks, what became of it for good."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Project

Json = dict[str, Any]

SENDER = "5511987654321"


async def arrived(company: Company, *days_ago: int) -> None:
    """Items that came so many days ago."""
    number = company.tenant.meta
    for days in days_ago:
        id = bodies.new_id()
        await company.post(number, bodies.text(number, SENDER, f"{days}", id=id))
        await company.settled()
        await age(company, id, days)


async def age(company: Company, id: str, days: int) -> None:
    then = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    change = {"received_at": then}
    await company.project.update("inbound_events", change, dedupe_key=f"like.*{id}*")


async def kept(company: Company) -> list[str]:
    """The texts of the bodies that are still there."""
    rows = await company.rows("inbound_events", order="id")
    return [row["raw"]["value"]["text"]["body"] for row in rows if row["raw"] is not None]


async def expire(project: Project, limit: int = 1000) -> int:
    """Until nothing is left to drop; how often that took."""
    rounds = 0
    while await project.rpc("expire_inbound_bodies", {"p_limit": limit}):
        rounds += 1
    return rounds


async def test_after_thirty_days_the_body_goes_and_the_row_stays(company: Company) -> None:
    await arrived(company, 31, 29, 0)
    await expire(company.project)
    assert await kept(company) == ["29", "0"]
    rows = await company.rows("inbound_events", order="id")
    assert [row["state"] for row in rows] == ["processed"] * 3
    assert rows[0]["body_dropped_at"] is not None
    assert len(await company.rows("messages")) == 3


async def test_a_company_may_keep_them_longer_or_shorter(company: Company) -> None:
    project = company.project
    await arrived(company, 40, 8, 6)
    for days, left in ((60, ["40", "8", "6"]), (7, ["6"])):
        answer = await project.rpc(
            "set_inbound_retention", {"p_days": days, "p_company_id": company.id}
        )
        assert answer == {"company_id": company.id, "days": days}
        await expire(project)
        assert await kept(company) == left
    ended = await project.rpc("set_inbound_retention", {"p_days": None, "p_company_id": company.id})
    assert ended["days"] == 30


async def test_what_is_still_to_be_read_keeps_its_body(company: Company) -> None:
    await arrived(company, 90)
    waiting = {"state": "received"}
    await company.project.update("inbound_events", waiting, company_id=f"eq.{company.id}")
    await expire(company.project)
    assert await kept(company) == ["90"]


async def test_each_call_drops_a_bounded_number(company: Company) -> None:
    await arrived(company, 50, 50, 50)
    assert await expire(company.project, limit=1) >= 3
    assert await kept(company) == []


async def test_an_item_without_a_body_is_not_read_again(company: Company) -> None:
    await arrived(company, 50)
    await expire(company.project)
    which = {"p_company_id": company.id, "p_state": "processed"}
    answer = await company.project.rpc("reprocess_inbound", which)
    assert answer == {"reprocessed": 0, "next_cursor": None}
    (job,) = await company.rows("queue_jobs", type="eq.messages.ingest")
    failed = {"state": "failed", "error": "defect"}
    await company.project.update("inbound_events", failed, company_id=f"eq.{company.id}")
    await company.project.update("queue_jobs", {"status": "failed"}, id=f"eq.{job['id']}")
    await company.project.rpc(
        "replay_job", {"p_id": job["id"]}, company.tenant.people["admin"].token
    )
    await company.api.tick()
    await company.settled()
    (item,) = await company.rows("inbound_events")
    assert (item["state"], item["error"]) == ("failed", "defect")


async def test_a_schedule_does_it_every_night(company: Company) -> None:
    await arrived(company, 50)
    (schedule,) = await company.project.rows("queue_schedules", name="eq.inbound.expire")
    assert (schedule["cron"], schedule["paused"]) == ("17 3 * * *", False)
    await company.project.rpc("enqueue_jobs", {"p_jobs": [{"type": schedule["type"]}]})
    await company.api.tick()
    assert await kept(company) == []
