"""Every type of job, its worker killed at every call that it makes, and every call of it lost:
in the end it is done, and done once."""

from collections.abc import AsyncIterator

import pytest

from functions.app import create_runner
from functions.core.db import Database
from functions.core.http import HttpClient
from tests.faults.proxy import Place, Proxy
from tests.faults.scene import Scene
from tests.faults.site import Site
from tests.faults.test_a_killed_worker_loses_and_doubles_nothing import kill_at
from tests.faults.traffic import Traffic
from tests.faults.workers import Workers
from tests.faults.works import WORKS, Work

# test_a_killed_worker_loses_and_doubles_nothing.py and test_a_lost_answer_does_no_harm.py.
ELSEWHERE = {"messages.send", "messages.ingest"}


@pytest.fixture
async def scene(site: Site, traffic: Traffic, outside: Proxy) -> AsyncIterator[Scene]:
    scene = Scene(site, traffic)
    await site.look(
        "update instances set base_url = replace(base_url, $1, $2)"
        " where company_id = $3::text::uuid",
        site.stack.whatsapp_url,
        outside.url,
        scene.company,
    )
    yield scene
    # The watch of another test passes them over.
    await scene.rows("update instances set state = 'closed' where company_id = $1")


async def is_done_once(work: Work, scene: Scene) -> None:
    if work.end:
        await work.end(scene)
    await scene.site.settle(scene.traffic.tenant)
    assert await work.effect(scene) == work.expected


def test_no_type_is_missing(site: Site) -> None:
    http = HttpClient()
    runner = create_runner(site.settings, Database(site.settings, http), http)
    assert set(runner._handlers) == ELSEWHERE | {work.type for work in WORKS}


@pytest.mark.parametrize("work", WORKS, ids=str)
async def test_no_call_is_missing(work: Work, scene: Scene, proxy: Proxy, outside: Proxy) -> None:
    await work.arrange(scene)
    outside.calls.clear()
    await scene.site.drain(url=proxy.url)
    made = {*proxy.calls, *outside.calls} - {"exchange_jobs"}
    await is_done_once(work, scene)
    assert made == set(work.calls)


def outside_calls(work: Work) -> set[str]:
    return {call for call in work.calls if "/" in call and not call.startswith("storage/")}


ANSWERS = [pytest.param(work, call, id=f"{work}-{call}") for work in WORKS for call in work.calls]


async def killed_at(
    work: Work, call: str, place: Place, scene: Scene, ways: tuple[Proxy, Proxy], workers: Workers
) -> None:
    await work.arrange(scene)
    step = ways[call in outside_calls(work)].hold(call, place)
    await kill_at(step, scene.site, ways[0], workers)
    await is_done_once(work, scene)


@pytest.mark.parametrize("work", WORKS, ids=str)
async def test_killed_before_its_first_call(
    work: Work, scene: Scene, proxy: Proxy, outside: Proxy, workers: Workers
) -> None:
    await killed_at(work, work.calls[0], "request", scene, (proxy, outside), workers)


@pytest.mark.parametrize(("work", "call"), ANSWERS)
async def test_killed_when_a_call_was_made(
    work: Work, call: str, scene: Scene, proxy: Proxy, outside: Proxy, workers: Workers
) -> None:
    """Before the next one: nothing of what it did is remembered but outside of it."""
    await killed_at(work, call, "answer", scene, (proxy, outside), workers)


@pytest.mark.parametrize(("work", "call"), ANSWERS)
async def test_an_answer_is_lost(
    work: Work, call: str, scene: Scene, proxy: Proxy, outside: Proxy
) -> None:
    """The database's twice, since it is asked again at once."""
    await work.arrange(scene)
    if call in outside_calls(work):
        fault = outside.cut(call)
    else:
        fault = proxy.cut(call, times=2)
    await scene.site.drain(url=proxy.url)
    assert fault.hits
    await scene.site.end_leases()
    await is_done_once(work, scene)
