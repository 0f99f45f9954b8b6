"""Webhooks come twice, late and in any order; what they leave behind is the same."""

import itertools
import os
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from local.stack import Stack
from tests.fixtures import Api
from tests.messaging import bodies, stories
from tests.messaging.conftest import Company
from tests.messaging.snapshots import now, snapshot
from tests.providers import samples
from tests.tenants import Number, Project

Json = dict[str, Any]

# From before everything a test does, so that nothing of the samples counts as new.
STARTED = now()


def for_number(name: str, number: Number) -> Json:
    """A sample as if it were of this number."""
    body: Json = orjson.loads(samples.read(name))
    if number.provider == "evolution":
        return body | {"instance": number.external_id}
    for entry in body["entry"]:
        entry["id"] = number.waba_id
        for change in entry["changes"]:
            if "metadata" in change["value"]:
                change["value"]["metadata"]["phone_number_id"] = number.external_id
    return body


# One person of Brazil under both forms of the number.
NINTH_DIGIT = ("5531988880020", "553188880020")


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_all_samples_in_any_order_and_twice(
    provider: str, project: Project, api: Api, stack: Stack
) -> None:
    names = [name for name in samples.webhook_names() if name.startswith(provider)]
    ends = []
    for seed in range(4):
        company = Company(await project.new_tenant(stack.whatsapp_url), api, project)
        number: Number = getattr(company.tenant, provider)
        contents = [for_number(name, number) for name in names]
        for at, sender in enumerate(NINTH_DIGIT):
            said = bodies.text(number, sender, id=f"NINTH{at}", at=bodies.NOON + at)
            contents.append(said)
        contents *= 2
        random.Random(seed).shuffle(contents)
        await company.post(number, *contents)
        await company.settled()
        ends.append(await snapshot(company, STARTED))
    assert {item[1] for end in ends for item in end["items"]} <= {"processed", "ignored"}
    assert len(ends[0]["messages"]) >= 8
    person = [ids for ids in ends[0]["contacts"] if "+5531988880020" in ids]
    assert person == ["phone +5531988880020 wa_id 553188880020 wa_id 5531988880020"]
    for part in ends[0]:
        for seed, end in enumerate(ends[1:], 1):
            assert end[part] == ends[0][part], f"{part}, order {seed}"


CASES = {
    "all reports": ("message", "sent", "delivered", "read"),
    "failed, then arrived": ("message", "sent", "failed", "delivered"),
    "failed": ("message", "sent", "failed"),
    "read without delivered": ("message", "read"),
}
STATUS = {
    "all reports": "read",
    "failed, then arrived": "delivered",
    "failed": "failed",
    "read without delivered": "read",
}
AT = {"sent": 10, "failed": 15, "delivered": 20, "read": 30}


def history(number: Number, n: int, steps: Sequence[str]) -> list[Json]:
    """The bodies of one message of ours to a person of its own."""
    to, id = f"55119{80_000_000 + n:08d}", f"ORDER{n:04d}"
    return [
        bodies.echo(number, to, "oi", id=id)
        if step == "message"
        else bodies.status(number, to, id, step, at=bodies.NOON + AT[step])
        for step in steps
    ]


@pytest.mark.parametrize("provider", ["evolution", "meta"])
@pytest.mark.parametrize("case", CASES)
async def test_reports_and_their_message_in_any_order(
    case: str, provider: str, company: Company
) -> None:
    number: Number = getattr(company.tenant, provider)
    orders = list(itertools.permutations(CASES[case]))
    histories = [history(number, n, steps) for n, steps in enumerate(orders)]
    for step in zip(*histories, strict=True):
        await company.post(number, *step)
        await company.settled()
    found = await snapshot(company, STARTED)
    messages = {id: row | {"in": None} for id, row in found["messages"].items()}
    assert len(messages) == len(orders)
    expected = messages["ORDER0000"]
    assert expected["status"] == STATUS[case]
    assert (expected["error_code"] is None) == (case != "failed")
    assert (expected["failed_at"] is None) == (case != "failed")
    if provider == "meta":
        assert expected["sent_at"] is None or expected["sent_at"].startswith("2025-10-09T08:53:30")
    for n, steps in enumerate(orders):
        assert messages[f"ORDER{n:04d}"] == expected, steps


# More of them for a longer look: RECADO_SEEDS=100.
SEEDS = range(int(os.environ.get("RECADO_SEEDS", "4")))


async def end_of(story: Sequence[Json], provider: str, company: Company) -> Json:
    """What is left when these bodies have come, one after the other, and a person has said which
    contacts are one: ids that came apart before a body tied them wait for that."""
    number: Number = getattr(company.tenant, provider)
    for body in story:
        await company.post(number, body)
    await company.settled()
    await company.make_due()
    await company.settled()
    for pair in await company.rows("contact_conflicts"):
        names = {"p_kept_id": pair["contact_id"], "p_other_id": pair["other_id"]}
        await company.project.rpc("merge_contacts", names | {"p_company_id": company.id})
    return await snapshot(company, STARTED)


@pytest.mark.parametrize("provider", ["evolution", "meta"])
async def test_a_story_in_any_order_and_twice(
    provider: str, project: Project, api: Api, stack: Stack
) -> None:
    ends: dict[object, Json] = {}
    for seed in (None, *SEEDS):
        company = Company(await project.new_tenant(stack.whatsapp_url), api, project)
        number: Number = getattr(company.tenant, provider)
        story = stories.of(number)
        if seed is not None:
            story = story * 2
            random.Random(seed).shuffle(story)
        ends[seed] = await end_of(story, provider, company)
    for part in ends[None]:
        for seed, end in ends.items():
            assert end[part] == ends[None][part], f"{part}, seed {seed}"
