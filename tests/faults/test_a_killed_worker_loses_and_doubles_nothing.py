"""SIGKILL at every step of a worker, and at any moment."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.history import log
from tests.faults.proof import Outcome, prove
from tests.faults.proxy import Fault, Place, Proxy
from tests.faults.site import Site
from tests.faults.traffic import Traffic
from tests.faults.workers import Workers
from tests.fixtures import until


def settles_a_send(params: Any) -> bool:
    return any("outcome" in (result.get("result") or {}) for result in params["p_results"])


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a worker, as the call at which it stands still, and what a send comes to when
    nobody but the database remembers it."""

    name: str
    function: str
    place: Place
    outcome: str
    on_phone: bool
    only: Callable[[Any], bool] = lambda _: True

    def __str__(self) -> str:
        return self.name


POINTS = [
    Point("claimed and never told so", "exchange_jobs", "answer", "accepted", True),
    Point("claimed and not begun", "begin_send", "request", "accepted", True),
    Point("begun and not called", "begin_send", "answer", "unknown", False),
    Point("sent and not recorded", "record_send_result", "request", "unknown", True),
    Point("recorded and never told so", "record_send_result", "answer", "accepted", True),
    Point("recorded and not settled", "exchange_jobs", "request", "accepted", True, settles_a_send),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_killed_at_a_step_of_sending(
    point: Point, site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """Without echoes and reports, so that nothing but the attempt tells what happened."""
    for number in traffic.tenant.numbers:
        await site.set_faults(number.external_id, drop_echoes=True, drop_statuses=True)
    await traffic.say_much(traffic.tenant.numbers, contacts=1, each=2)
    step = proxy.hold(point.function, point.place, point.only)
    await kill_at(step, site, proxy, workers)
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)

    hit = [id for id in traffic.sent if outcome.outcomes(id) == [point.outcome]]
    others = [outcome.outcomes(id) for id in traffic.sent if id not in hit]
    assert hit
    assert all(outcomes == ["accepted"] for outcomes in others)
    on_phone = {entry["body"] for entry in outcome.phones}
    assert all((traffic.sent[id] in on_phone) == point.on_phone for id in hit)


async def kill_at(
    step: Fault, site: Site, proxy: Proxy, workers: Workers, *, hits: int = 1
) -> None:
    """A worker comes to the step so many times, dies there, and a minute passes."""
    worker = await workers.start(site.through(proxy.url))
    await until(step.has(hits), what=f"{step.function} called {hits} times")
    await workers.kill(worker)
    step.lift()
    await site.end_leases()


async def test_what_the_provider_has_is_found_without_any_report(
    site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """The worker dies with the answer in its hands, and nothing is heard of the message."""
    number = traffic.tenant.evolution
    await site.set_faults(number.external_id, drop_echoes=True, drop_statuses=True)
    await traffic.say_much([number], contacts=2, each=2)
    await kill_at(proxy.hold("record_send_result", "request"), site, proxy, workers, hits=2)
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"accepted": 4}
    assert len(outcome.phones) == 4


@pytest.mark.parametrize(
    ("function", "place"),
    [
        ("begin_reconcile", "request"),
        ("begin_reconcile", "answer"),
        ("record_reconciled", "request"),
        ("record_reconciled", "answer"),
    ],
)
async def test_killed_while_looking_for_a_message(
    function: str, place: Place, site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    number = traffic.tenant.evolution
    await site.set_faults(number.external_id, drop_echoes=True, drop_statuses=True)
    await traffic.say_much([number], contacts=1, each=1)
    await kill_at(proxy.hold("record_send_result", "request"), site, proxy, workers)
    await site.drain()
    assert (await Outcome.read(traffic)).statuses() == {"unknown": 1}
    await site.end_leases()
    await kill_at(proxy.hold(function, place), site, proxy, workers)
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"accepted": 1}


async def test_what_the_provider_has_is_known_again_by_its_reports(
    site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """The worker dies with the answer in its hands; echo or report bring it back."""
    await traffic.say_much(traffic.tenant.numbers, contacts=2, each=2)
    await kill_at(proxy.hold("record_send_result", "request"), site, proxy, workers, hits=4)
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.statuses() == {"read": 8}


@pytest.mark.parametrize("fault", [{"delay_seconds": 0.5}, {"hang_times": 4}], ids=str)
async def test_killed_while_the_provider_is_called(
    fault: dict[str, Any], site: Site, traffic: Traffic, workers: Workers
) -> None:
    """Before the provider has the message, or after; its answer finds nobody."""
    for number in traffic.tenant.numbers:
        await site.set_faults(number.external_id, **fault)
    await traffic.say_much(traffic.tenant.numbers, contacts=2, each=1)
    worker = await workers.start(site.settings)

    async def called() -> bool:
        outcome = await Outcome.read(traffic)
        if "hang_times" in fault:
            return len(outcome.phones) == 4
        return outcome.statuses() == {"sending": 4}

    await until(called, what="all calls under way")
    await workers.kill(worker)
    await site.quiet(traffic.tenant)
    await site.end_leases()
    for number in traffic.tenant.numbers:
        await site.set_faults(number.external_id, delay_seconds=0, hang_times=0)
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert all(outcome.outcomes(id) == ["unknown"] for id in traffic.sent)
    on_phone = {entry["body"] for entry in outcome.phones}
    for id, body in traffic.sent.items():
        assert outcome.sent(id)["status"] == ("read" if body in on_phone else "unknown")


@pytest.mark.parametrize(
    ("function", "place"),
    [
        ("get_inbound_events", "request"),
        ("ingest_inbound", "request"),
        ("ingest_inbound", "answer"),
    ],
)
async def test_killed_while_reading_what_came_in(
    function: str, place: Place, site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    await traffic.hear_much(traffic.tenant.numbers, contacts=2, each=5)
    await site.quiet(traffic.tenant)
    await kill_at(proxy.hold(function, place), site, proxy, workers)
    await site.settle(traffic.tenant)
    await prove(traffic)


async def test_a_worker_that_was_frozen_until_its_leases_ended_changes_nothing(
    site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """Another one has taken over meanwhile; the late result still tells the truth."""
    for number in traffic.tenant.numbers:
        await site.set_faults(number.external_id, drop_echoes=True, drop_statuses=True)
    await traffic.say_much(traffic.tenant.numbers, contacts=2, each=2)
    step = proxy.hold("record_send_result", "request")
    await workers.start(site.through(proxy.url))
    await until(step.has(4), what="all four calls made")
    await site.end_leases()
    await site.settle(traffic.tenant)
    taken_over = await Outcome.read(traffic)
    # A look at Evolution found its two; Meta's two wait for a person.
    assert taken_over.statuses() == {"unknown": 2, "accepted": 6}
    step.lift()

    async def recorded() -> bool:
        return (await Outcome.read(traffic)).statuses() == {"accepted": 8}

    await until(recorded, what="the late results")
    await workers.kill_all()
    await prove(traffic)


async def test_a_frozen_worker_may_say_late_that_nothing_was_sent(
    site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """Nobody tries an unknown message again, so what is known not to be sent has failed."""
    number = traffic.tenant.evolution
    await site.set_faults(number.external_id, fail_times=2, fail_status=503)
    await traffic.say_much([number], contacts=2, each=1)
    step = proxy.hold("record_send_result", "request")
    await workers.start(site.through(proxy.url))
    await until(step.has(2), what="both calls made")
    await site.end_leases()
    await site.settle(traffic.tenant)
    assert (await Outcome.read(traffic)).statuses() == {"unknown": 2}
    step.lift()

    async def recorded() -> bool:
        return (await Outcome.read(traffic)).statuses() == {"failed": 2}

    await until(recorded, what="the late results")
    await workers.kill_all()
    outcome = await prove(traffic)
    assert outcome.phones == []


async def test_an_echo_is_taken_for_the_message_that_is_being_sent(
    site: Site, traffic: Traffic, proxy: Proxy, workers: Workers
) -> None:
    """An earlier message with the same text is unknown, and stays what it is."""
    number, contact = traffic.tenant.evolution, traffic.contact(traffic.tenant.evolution, 0)
    first = await traffic.say(number, contact, "Oi")
    await kill_at(proxy.hold("begin_send", "answer"), site, proxy, workers)
    await site.settle(traffic.tenant)
    second = await traffic.say(number, contact, "Oi")
    step = proxy.hold("record_send_result", "request")
    await workers.start(site.through(proxy.url))
    await until(step.has(1), what="the second call made")
    await site.settle(traffic.tenant)
    step.lift()

    async def recorded() -> bool:
        outcome = await Outcome.read(traffic)
        return outcome.outcomes(second) == ["accepted"]

    await until(recorded, what="the answer")
    await workers.kill_all()
    await site.end_leases()
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    assert outcome.sent(first)["status"] == "unknown"
    assert outcome.sent(second)["status"] == "read"


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment_again_and_again(
    seed: int, site: Site, traffic: Traffic, workers: Workers
) -> None:
    """Three at once, while messages flow in both directions, until everything has been said."""
    chance = random.Random(seed)
    for number in traffic.tenant.numbers:
        await site.set_faults(number.external_id, delay_seconds=0.03, copies=2)
    talk = asyncio.gather(
        traffic.say_much(traffic.tenant.numbers, contacts=6, each=5),
        traffic.hear_much(traffic.tenant.numbers, contacts=6, each=5),
    )
    for _ in range(6):
        pids = [await workers.start(site.settings, batch=chance.randint(3, 30)) for _ in range(3)]
        for pid in pids:
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await workers.kill(pid)
        await site.quiet_phones(traffic.tenant)
        await site.end_leases()
    await talk
    await site.settle(traffic.tenant)
    outcome = await prove(traffic)
    log.info("%s: %s jobs, %s", seed, len(outcome.jobs), outcome.statuses())
    on_phone = {entry["body"] for entry in outcome.phones}
    for id, body in traffic.sent.items():
        assert outcome.sent(id)["status"] == ("read" if body in on_phone else "unknown")
