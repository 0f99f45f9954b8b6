"""A subscriber under test, and what its reader holds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from functions.realtime.connection import Backoff
from functions.realtime.ledger import Status
from functions.realtime.models import is_tombstone
from functions.realtime.subscriber import Pace, Subscriber
from tests.realtime.probe import Member

# Everything faster than in production, so that a test sees many rounds.
FAST = Pace(heads=0.3, idle_heads=0.3, reconnect=Backoff(0.05, 0.3), sync=Backoff(0.05, 0.3))


class Reader:
    """Reads every change and keeps what it was told, as a program that uses the subscriber does."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.told: dict[str, dict[str, str]] = {}

    async def read(self) -> None:
        async for change in self.subscriber.changes():
            rows = self.told.setdefault(change.scope, {})
            if change.reset:
                rows.clear()
            for row in change.rows:
                rows.pop(row["id"], None)
                if not is_tombstone(row):
                    rows[row["id"]] = row["body"]

    def status(self, member: Member) -> Status:
        return self.subscriber.ledger(member.scope).status

    async def until_live(self, *members: Member) -> None:
        await until(lambda: all(self.status(each) is Status.LIVE for each in members))

    async def until_equal(self, *members: Member) -> None:
        """The reader, the ledger and the database agree, and the ledger knows it is live."""
        for member in members:
            truth = await member.rows()
            await until(
                lambda member=member, truth=truth: (  # type: ignore[misc]
                    self.told.get(member.scope, {}) == truth and self.status(member) is Status.LIVE
                )
            )
            held = self.subscriber.ledger(member.scope).rows
            assert {id: row["body"] for id, row in held.items()} == truth


@asynccontextmanager
async def following(
    url: str, *members: Member, pace: Pace = FAST, **options: Any
) -> AsyncIterator[Reader]:
    """A running subscriber that follows the members' scopes, and its reader.

    It speaks as the first member's user unless `token` and `rpc` are given.
    """
    first = members[0]
    options = {"token": first.bearer, "rpc": first.rpc, **options}
    key = first.probe.keys.publishable_key
    async with Subscriber(url, key, pace=pace, **options) as subscriber:
        reader = Reader(subscriber)
        reading = asyncio.create_task(reader.read())
        for member in members:
            subscriber.follow(member.scope)
        try:
            yield reader
        finally:
            reading.cancel()


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
