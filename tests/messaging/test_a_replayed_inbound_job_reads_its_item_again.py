"""Replaying a job of messages.ingest: its item is understood after all, and once."""

from tests.messaging import bodies
from tests.messaging.conftest import Company


async def test_a_failed_item_is_processed_when_its_job_is_replayed(company: Company) -> None:
    number = company.tenant.evolution
    await company.post(number, bodies.text(number, "5511987654321", "oi"))
    await company.settled()
    (event,) = await company.events(number)
    # What a defect of the parser would have left.
    failed = {"state": "failed", "error": "defect", "processed_at": None}
    await company.project.update("inbound_events", failed, id=f"eq.{event['id']}")
    (job,) = await company.rows("queue_jobs", type="eq.messages.ingest")
    await company.project.update("queue_jobs", {"status": "failed"}, id=f"eq.{job['id']}")
    await company.project.rpc(
        "replay_job", {"p_id": job["id"]}, company.tenant.people["admin"].token
    )
    await company.api.tick()
    await company.settled()
    (event,) = await company.events(number)
    assert (event["state"], event["error"]) == ("processed", None)
    assert len(await company.rows("messages")) == 1
