"""What stops following a scope and follows it again is joined, however little time is between."""

import asyncio

import pytest

from functions.realtime.subscriber import Pace
from tests.realtime.following import following
from tests.realtime.probe import Member
from tests.realtime.server import Server


@pytest.mark.parametrize("pause", [None, 0.0, 0.005, 0.05], ids=str)
async def test_it_hears_again(server: Server, member: Member, pause: float | None) -> None:
    async with following(server.url, member, pace=Pace(heads=3600)) as reader:
        await reader.until_live(member)
        reader.subscriber.unfollow(member.scope)
        if pause is not None:
            await asyncio.sleep(pause)
        reader.subscriber.follow(member.scope)
        await reader.until_live(member)
        await member.say("heard")
        await reader.until_equal(member)
