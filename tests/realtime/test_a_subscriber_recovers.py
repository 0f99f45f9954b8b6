"""A subscriber ends up equal to the database, whatever happens between the two."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from functions.realtime.ledger import Status
from functions.realtime.subscriber import Pace
from local.gateway.realtime import Faults
from local.postgres import Postgres
from tests.realtime.following import Reader, following, until
from tests.realtime.project import Project, Tenant
from tests.realtime.proxy import Proxy
from tests.realtime.server import Server

RARE = Pace(heads=3600)


async def write_much(tenant: Tenant, source: random.Random, times: int) -> None:
    """New rows, edits, deletions, several rows at once, rows too large for an event, silence."""
    for _ in range(times):
        known = list(await tenant.rows())
        ids = [source.choice(known)] if known and source.random() < 0.4 else []
        ids += [str(uuid4()) for _ in range(source.choice([0, 1, 1, 3]))]
        size = 20_000 if source.random() < 0.05 else 10
        rows = [
            {"id": id, "body": source.randbytes(size // 2).hex(), "deleted": source.random() < 0.2}
            for id in ids
        ]
        if rows:
            await tenant.write(*rows, silent=source.random() < 0.05)


@pytest.mark.parametrize("seed", range(5))
async def test_loss_duplication_delay_and_cut_sockets(project: Project, seed: int) -> None:
    faults = Faults(drop=0.3, duplicate=0.3, delay=0.3, kill=0.02, seed=seed)
    tenant = await project.tenant()
    others = [await second_scope(tenant) for _ in range(2)]
    async with (
        Server(project, faults) as server,
        following(server.url, tenant, *others) as reader,
    ):
        writers = (
            write_much(each, random.Random(seed * 10 + number), 60)
            for number, each in enumerate((tenant, *others))
        )
        await asyncio.gather(*writers)
        await reader.until_equal(tenant, *others)


async def second_scope(tenant: Tenant) -> Tenant:
    """Another scope of the same company and user."""
    other = Tenant(tenant.project, tenant.company, tenant.user, f"conversation:{uuid4()}")
    await tenant.project.pool.execute(
        "insert into probe.scopes (scope, company_id) values ($1, $2)", other.scope, other.company
    )
    return other


async def test_every_event_is_lost(project: Project, tenant: Tenant) -> None:
    async with (
        Server(project, Faults(drop=1.0)) as server,
        following(server.url, tenant) as reader,
    ):
        await tenant.say("one")
        await reader.until_equal(tenant)
        await tenant.say("two")
        await reader.until_equal(tenant)


async def test_the_last_event_is_lost(server: Server, tenant: Tenant) -> None:
    async with following(server.url, tenant) as reader:
        await reader.until_live(tenant)
        await tenant.say("unheard", silent=True)
        await reader.until_equal(tenant)


async def test_a_hole_is_filled_long_before_the_heads_check(server: Server, tenant: Tenant) -> None:
    async with following(server.url, tenant, pace=RARE) as reader:
        await reader.until_live(tenant)
        await tenant.say("unheard", silent=True)
        await tenant.say("heard")
        async with asyncio.timeout(2.0):
            await reader.until_equal(tenant)


async def test_no_gateway_at_all_leaves_the_heads_checks(project: Project, tenant: Tenant) -> None:
    nowhere = Server(project)  # never started
    async with following(nowhere.url, tenant) as reader:
        await tenant.say("polled")
        truth = await tenant.rows()
        await until(lambda: reader.told.get(tenant.scope) == truth)
        assert reader.status(tenant) is Status.STALE


async def test_the_gateway_restarts(project: Project, tenant: Tenant) -> None:
    async with Server(project) as server, following(server.url, tenant) as reader:
        for number in range(3):
            await tenant.say(f"before {number}")
            await reader.until_equal(tenant)
            await server.stop()
            await until(lambda: reader.status(tenant) is Status.STALE)
            await tenant.say(f"meanwhile {number}")
            await server.start()
            await reader.until_equal(tenant)


async def test_the_database_restarts(project: Project, postgres: Postgres, tenant: Tenant) -> None:
    async with Server(project) as server, following(server.url, tenant) as reader:
        await tenant.say("before")
        await reader.until_equal(tenant)
        await postgres.stop()
        await postgres.__aenter__()
        await tenant.say("after")
        await reader.until_equal(tenant)
        await heard_live(reader, tenant)


async def heard_live(reader: Reader, tenant: Tenant) -> None:
    """Broadcasts from the database arrive again, not only what heads checks find."""
    received = reader.subscriber.received
    heard: list[str] = []

    def listen(topic: str, payload: dict[str, Any]) -> None:
        heard.append(topic)
        received(topic, payload)

    reader.subscriber.received = listen  # type: ignore[method-assign]
    while not heard:
        await tenant.say("again")
        await asyncio.sleep(0.05)
    await reader.until_equal(tenant)


async def test_a_restore_replaces_everything(server: Server, tenant: Tenant) -> None:
    async with following(server.url, tenant) as reader:
        for number in range(20):
            await tenant.say(str(number))
        await reader.until_equal(tenant)
        await tenant.restore()
        await tenant.say("the first after the restore")
        await reader.until_equal(tenant)
        assert len(reader.told[tenant.scope]) == 11


async def test_a_long_absence_brings_the_newest_rows_only(project: Project, tenant: Tenant) -> None:
    async with Server(project) as server, following(server.url, tenant) as reader:
        await tenant.say("old")
        await reader.until_equal(tenant)
        await server.stop()
        await tenant.write(*({"body": str(number)} for number in range(600)), silent=True)
        await server.start()
        await until(lambda: reader.subscriber.ledger(tenant.scope).version == 601)
        assert [*reader.told[tenant.scope].values()] == [str(n) for n in range(500, 600)]


# Tokens and rights


async def test_tokens_that_live_two_seconds(project: Project, tenant: Tenant) -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return tenant.token(seconds=2)

    async with Server(project) as server, following(server.url, tenant, token=token) as reader:
        while asked < 4:
            await tenant.say("on and on")
            await reader.until_equal(tenant)


async def test_a_token_source_that_answers_expired_tokens_for_a_while(
    server: Server, tenant: Tenant
) -> None:
    answers = iter([tenant.token(seconds=-60)] * 2)

    async def token() -> str:
        return next(answers, "") or tenant.token()

    async with following(server.url, tenant, token=token) as reader:
        await tenant.say("at last")
        await reader.until_equal(tenant)


async def test_a_token_source_that_fails_for_a_while(server: Server, tenant: Tenant) -> None:
    failures = iter(range(3))

    async def token() -> str:
        if next(failures, None) is not None:
            raise ConnectionError("auth is down")
        return tenant.token()

    async with following(server.url, tenant, token=token) as reader:
        await tenant.say("at last")
        await reader.until_equal(tenant)


async def test_a_token_that_is_never_renewed_until_it_expired(
    project: Project, tenant: Tenant
) -> None:
    tokens = {"present": tenant.token(seconds=2)}

    async def token() -> str:
        return tokens["present"]

    async with Server(project) as server, following(server.url, tenant, token=token) as reader:
        await reader.until_live(tenant)
        await until(lambda: reader.status(tenant) is Status.STALE)
        tokens["present"] = tenant.token()
        await tenant.say("joined again")
        await reader.until_equal(tenant)


async def test_a_forbidden_topic_does_not_disturb_the_others(
    server: Server, project: Project, tenant: Tenant
) -> None:
    foreign = await project.tenant()
    async with following(server.url, tenant, foreign) as reader:
        await tenant.say("mine")
        await reader.until_equal(tenant)
        assert reader.status(foreign) is not Status.LIVE
        assert reader.status(tenant) is Status.LIVE


async def test_rights_given_later_are_found(
    server: Server, project: Project, tenant: Tenant
) -> None:
    foreign = await project.tenant()
    async with following(server.url, tenant, foreign) as reader:
        await reader.until_live(tenant)
        await project.pool.execute(
            "insert into probe.members values ($1, $2)", foreign.company, tenant.user
        )
        await foreign.say("now yours too")
        await reader.until_equal(foreign)


# The socket


async def test_a_socket_that_is_dead_without_saying_so(server: Server, tenant: Tenant) -> None:
    async with Proxy(server.port) as proxy, following(proxy.url, tenant) as reader:
        await tenant.say("before")
        await reader.until_equal(tenant)
        proxy.freeze()
        while proxy.accepted < 2:
            await tenant.say("unheard")
            await reader.until_equal(tenant)
        await reader.until_live(tenant)
        await heard_live(reader, tenant)


# Other failures


async def test_an_rpc_that_fails_is_asked_again(server: Server, tenant: Tenant) -> None:
    failures = iter(range(4))

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        if next(failures, None) is not None:
            raise ConnectionError("no database")
        return await tenant.rpc(name, params)

    async with following(server.url, tenant, rpc=rpc) as reader:
        await tenant.say("at last")
        await reader.until_equal(tenant)


async def test_an_event_that_cannot_be_read_is_asked_for(
    server: Server, project: Project, tenant: Tenant
) -> None:
    async with following(server.url, tenant, pace=RARE) as reader:
        await reader.until_live(tenant)
        await tenant.say("unheard", silent=True)
        await project.pool.execute("select realtime.send('{\"v\": 7}', 'change', $1)", tenant.scope)
        await reader.until_equal(tenant)


async def test_scopes_come_and_go_while_it_runs(server: Server, tenant: Tenant) -> None:
    other = await second_scope(tenant)
    async with following(server.url, tenant) as reader:
        await reader.until_live(tenant)
        reader.subscriber.follow(other.scope)
        await other.say("new")
        await reader.until_equal(other)
        reader.subscriber.unfollow(tenant.scope)
        with pytest.raises(KeyError):
            reader.subscriber.ledger(tenant.scope)
        await tenant.say("unheard")
        await other.say("heard")
        await reader.until_equal(other)
        assert reader.told.get(tenant.scope, {}) == {}
        reader.subscriber.follow(tenant.scope)
        await reader.until_equal(tenant)
