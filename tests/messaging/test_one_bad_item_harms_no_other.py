"""An item that the database cannot take fails alone and at once, and keeps its body."""

from typing import Any

from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Number

Json = dict[str, Any]

SENDER = "5511987654321"


def poison(number: Number) -> Json:
    """Its id is longer than an index takes."""
    return bodies.text(number, SENDER, "veneno", id="".join(bodies.new_id() for _ in range(400)))


async def test_it_ends_failed_and_the_others_are_processed(company: Company) -> None:
    number = company.tenant.meta
    bad = poison(number)
    good = [bodies.text(number, SENDER, f"bom {n}") for n in range(3)]
    # In one body and in one batch with the others, before and after them.
    entries = [entry for content in (good[0], bad, good[1]) for entry in content["entry"]]
    await company.post(number, {"entry": entries}, good[2])
    await company.settled()
    assert {row["body"] for row in await company.rows("messages")} == {f"bom {n}" for n in range(3)}
    (failed,) = await company.rows("inbound_events", state="neq.processed")
    assert failed["state"] == "failed"
    assert failed["error"]
    assert failed["raw"]["value"]["text"]["body"] == "veneno"
    assert SENDER not in failed["error"]
    # The conversation goes on.
    await company.post(number, bodies.text(number, SENDER, "depois"))
    await company.settled()
    assert len(await company.rows("messages")) == 4


async def test_an_endless_identity_is_left_out_and_its_message_is_not(company: Company) -> None:
    number = company.tenant.meta
    content = bodies.text(number, SENDER, "oi")
    (message,) = content["entry"][0]["changes"][0]["value"]["messages"]
    message["from_user_id"] = "BR." + "1" * 500
    await company.post(number, content)
    await company.settled()
    assert [row["body"] for row in await company.rows("messages")] == ["oi"]
    assert {row["kind"] for row in await company.rows("contact_identities")} == {"phone", "wa_id"}
