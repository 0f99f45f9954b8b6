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
from tests.realtime.probe import Member, Probe
from tests.realtime.proxy import Proxy
from tests.realtime.server import Server

RARE = Pace(heads=3600)


async def write_much(member: Member, source: random.Random, times: int) -> None:
    """New rows, edits, deletions, several rows at once, rows too large for an event, silence."""
    for _ in range(times):
        known = list(await member.rows())
        ids = [source.choice(known)] if known and source.random() < 0.4 else []
        ids += [str(uuid4()) for _ in range(source.choice([0, 1, 1, 3]))]
        size = 20_000 if source.random() < 0.05 else 10
        rows = [
            {"id": id, "body": source.randbytes(size // 2).hex(), "deleted": source.random() < 0.2}
            for id in ids
        ]
        if rows:
            await member.write(*rows, silent=source.random() < 0.05)


@pytest.mark.parametrize("seed", range(5))
async def test_loss_duplication_delay_and_cut_sockets(probe: Probe, seed: int) -> None:
    faults = Faults(drop=0.3, duplicate=0.3, delay=0.3, close=0.02, seed=seed)
    member = await probe.member()
    others = [await second_scope(member) for _ in range(2)]
    async with (
        Server(probe, faults) as server,
        following(server.url, member, *others) as reader,
    ):
        writers = (
            write_much(each, random.Random(seed * 10 + number), 60)
            for number, each in enumerate((member, *others))
        )
        await asyncio.gather(*writers)
        await reader.until_equal(member, *others)


async def second_scope(member: Member) -> Member:
    """Another scope of the same company and user."""
    other = Member(member.probe, member.company, member.user, f"conversation:{uuid4()}")
    await member.probe.pool.execute(
        "insert into probe.scopes (scope, company_id) values ($1, $2)", other.scope, other.company
    )
    return other


async def test_every_event_is_lost(probe: Probe, member: Member) -> None:
    async with (
        Server(probe, Faults(drop=1.0)) as server,
        following(server.url, member) as reader,
    ):
        await member.say("one")
        await reader.until_equal(member)
        await member.say("two")
        await reader.until_equal(member)


async def test_the_last_event_is_lost(server: Server, member: Member) -> None:
    async with following(server.url, member) as reader:
        await reader.until_live(member)
        await member.say("unheard", silent=True)
        await reader.until_equal(member)


async def test_a_hole_is_filled_long_before_the_heads_check(server: Server, member: Member) -> None:
    async with following(server.url, member, pace=RARE) as reader:
        await reader.until_live(member)
        await member.say("unheard", silent=True)
        await member.say("heard")
        async with asyncio.timeout(2.0):
            await reader.until_equal(member)


async def test_no_gateway_at_all_leaves_the_heads_checks(probe: Probe, member: Member) -> None:
    nowhere = Server(probe)  # never started
    async with following(nowhere.url, member) as reader:
        await member.say("polled")
        truth = await member.rows()
        await until(lambda: reader.told.get(member.scope) == truth)
        assert reader.status(member) is Status.STALE


async def test_the_gateway_restarts(probe: Probe, member: Member) -> None:
    async with Server(probe) as server, following(server.url, member) as reader:
        for number in range(3):
            await member.say(f"before {number}")
            await reader.until_equal(member)
            await server.stop()
            await until(lambda: reader.status(member) is Status.STALE)
            await member.say(f"meanwhile {number}")
            await server.start()
            await reader.until_equal(member)


async def test_the_database_restarts(probe: Probe, postgres: Postgres, member: Member) -> None:
    async with Server(probe) as server, following(server.url, member) as reader:
        await member.say("before")
        await reader.until_equal(member)
        await postgres.stop()
        await postgres.__aenter__()
        await member.say("after")
        await reader.until_equal(member)
        await heard_live(reader, member)


async def heard_live(reader: Reader, member: Member) -> None:
    """Broadcasts from the database arrive again, not only what heads checks find."""
    before = reader.subscriber.heard
    while reader.subscriber.heard == before:
        await member.say("again")
        await reader.until_equal(member)


async def test_a_restore_replaces_everything(server: Server, member: Member) -> None:
    async with following(server.url, member) as reader:
        for number in range(20):
            await member.say(str(number))
        await reader.until_equal(member)
        await member.restore()
        await member.say("the first after the restore")
        await reader.until_equal(member)
        assert len(reader.told[member.scope]) == 11


async def test_a_long_absence_brings_the_newest_rows_only(probe: Probe, member: Member) -> None:
    async with Server(probe) as server, following(server.url, member) as reader:
        await member.say("old")
        await reader.until_equal(member)
        await server.stop()
        await member.write(*({"body": str(number)} for number in range(600)), silent=True)
        await server.start()
        await until(lambda: reader.subscriber.ledger(member.scope).version == 601)
        assert [*reader.told[member.scope].values()] == [str(n) for n in range(500, 600)]


# Tokens and rights


async def test_tokens_that_live_two_seconds(probe: Probe, member: Member) -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return member.token(seconds=2)

    async with Server(probe) as server, following(server.url, member, token=token) as reader:
        while asked < 4:
            await member.say("on and on")
            await reader.until_equal(member)


async def test_a_token_source_that_answers_expired_tokens_for_a_while(
    server: Server, member: Member
) -> None:
    answers = iter([member.token(seconds=-60)] * 2)

    async def token() -> str:
        return next(answers, "") or member.token()

    async with following(server.url, member, token=token) as reader:
        await member.say("at last")
        await reader.until_equal(member)


async def test_a_token_source_that_fails_for_a_while(server: Server, member: Member) -> None:
    failures = iter(range(3))

    async def token() -> str:
        if next(failures, None) is not None:
            raise ConnectionError("auth is down")
        return member.token()

    async with following(server.url, member, token=token) as reader:
        await member.say("at last")
        await reader.until_equal(member)


async def test_a_token_that_is_never_renewed_until_it_expired(probe: Probe, member: Member) -> None:
    tokens = {"present": member.token(seconds=2)}

    async def token() -> str:
        return tokens["present"]

    async with Server(probe) as server, following(server.url, member, token=token) as reader:
        await reader.until_live(member)
        await until(lambda: reader.status(member) is Status.STALE)
        tokens["present"] = member.token()
        await member.say("joined again")
        await reader.until_equal(member)


async def test_a_forbidden_topic_does_not_disturb_the_others(
    server: Server, probe: Probe, member: Member
) -> None:
    foreign = await probe.member()
    async with following(server.url, member, foreign) as reader:
        await member.say("mine")
        await reader.until_equal(member)
        assert reader.status(foreign) is not Status.LIVE
        assert reader.status(member) is Status.LIVE


async def test_rights_given_later_are_found(server: Server, probe: Probe, member: Member) -> None:
    foreign = await probe.member()
    async with following(server.url, member, foreign) as reader:
        await reader.until_live(member)
        await probe.pool.execute(
            "insert into probe.members values ($1, $2)", foreign.company, member.user
        )
        await foreign.say("now yours too")
        await reader.until_equal(foreign)


# The socket


async def test_a_socket_that_is_dead_without_saying_so(server: Server, member: Member) -> None:
    async with Proxy(server.port) as proxy, following(proxy.url, member) as reader:
        await member.say("before")
        await reader.until_equal(member)
        proxy.freeze()
        while proxy.accepted < 2:
            await member.say("unheard")
            await reader.until_equal(member)
        await reader.until_live(member)
        await heard_live(reader, member)


# Other failures


async def test_an_rpc_that_fails_is_asked_again(server: Server, member: Member) -> None:
    failures = iter(range(4))

    async def rpc(name: str, params: dict[str, Any]) -> Any:
        if next(failures, None) is not None:
            raise ConnectionError("no database")
        return await member.rpc(name, params)

    async with following(server.url, member, rpc=rpc) as reader:
        await member.say("at last")
        await reader.until_equal(member)


async def test_an_event_that_cannot_be_read_is_asked_for(
    server: Server, probe: Probe, member: Member
) -> None:
    async with following(server.url, member, pace=RARE) as reader:
        await reader.until_live(member)
        await member.say("unheard", silent=True)
        await probe.pool.execute("select realtime.send('{\"v\": 7}', 'change', $1)", member.scope)
        await reader.until_equal(member)


async def test_scopes_come_and_go_while_it_runs(server: Server, member: Member) -> None:
    other = await second_scope(member)
    async with following(server.url, member) as reader:
        await reader.until_live(member)
        reader.subscriber.follow(other.scope)
        await other.say("new")
        await reader.until_equal(other)
        reader.subscriber.unfollow(member.scope)
        with pytest.raises(KeyError):
            reader.subscriber.ledger(member.scope)
        await member.say("unheard")
        await other.say("heard")
        await reader.until_equal(other)
        assert reader.told.get(member.scope, {}) == {}
        reader.subscriber.follow(member.scope)
        await reader.until_equal(member)
