"""A transaction commits and its answer is lost, or a request is: the caller asks again."""

import asyncio

import pytest

from functions.app import create_runner
from functions.core.db import Database
from functions.core.http import HttpClient
from tests.faults.proof import prove
from tests.faults.proxy import Place, Proxy
from tests.faults.site import Site, deployed
from tests.faults.traffic import Traffic

FUNCTIONS = [
    "find_inbound_endpoint",
    "receive_inbound",
    "exchange_jobs",
    "get_inbound_events",
    "ingest_inbound",
    "begin_send",
    "record_send_result",
    "send_message",
]


# Once: the call is repeated at once. Twice: its caller is told that the database is away.
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("place", ["answer", "request"])
async def test_calls_that_broke_are_made_again(
    place: Place, times: int, site: Site, traffic: Traffic, proxy: Proxy
) -> None:
    faults = [proxy.cut(function, place, times) for function in FUNCTIONS]
    http = HttpClient()
    settings = site.through(proxy.url)
    runner = create_runner(settings, Database(settings, http), http)
    async with deployed(settings) as api:
        await site.connect(traffic.tenant, api)
        traffic.api = api
        await asyncio.gather(
            traffic.say_much(traffic.tenant.numbers, contacts=2, each=2),
            traffic.hear_much(traffic.tenant.numbers, contacts=2, each=2),
        )
        await site.quiet(traffic.tenant)
        while any(fault.hits < times for fault in faults):
            await runner.drain(10.0)
            await site.quiet(traffic.tenant)
            await site.end_leases()
        await site.settle(traffic.tenant)
    await http.close()
    outcome = await prove(traffic)
    assert {fault.function: fault.hits for fault in faults} == dict.fromkeys(FUNCTIONS, times)
    assert outcome.statuses() == {"read": 8}
    assert all(outcome.outcomes(id) == ["accepted"] for id in traffic.sent)
