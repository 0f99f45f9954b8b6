"""One websocket that keeps a changing set of private topics joined, forever.

Package `realtime` speaks the protocol; this module supervises it, because alone it does not last
(2.34.1): it gives up for good after `max_retries` connections, its backoff has no jitter, a rejoin
repeats the token of the first join, and serializer 1.0.0 cannot tell a late `phx_close` of an
earlier join from one of the present join. Hence one client per connection, never reconnecting by
itself: whatever ends a joined topic ends the connection, and the next one starts clean, with a
fresh token. Its reading task may die without a word, so that task is watched. Only a refused join
is left to the package, which asks again after 1, 2, 5, 10 s, so that one forbidden topic does not
disturb the others.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jwt
from realtime import AsyncRealtimeClient, RealtimeSubscribeStates

from functions.realtime.topics import EVENT

JOINS_AT_ONCE = 8  # hosted allows 100 joins a second on the smallest plan
CLOSE_SECONDS = 2.0
TOKEN_SECONDS = 10.0
TOKEN_MARGIN = 0.2  # of a token's remaining life, but at most 60 s, is left when it is renewed

log = logging.getLogger(__name__)
# It logs frames it cannot read with their content, which may be a customer's message.
logging.getLogger("realtime").setLevel(logging.CRITICAL)

Token = Callable[[], Awaitable[str]]


class Listener(Protocol):
    """Told what happens, in order. Must not raise: the package's reading would end silently."""

    def joined(self, topic: str) -> None: ...
    def left(self, topic: str) -> None: ...
    def received(self, topic: str, payload: dict[str, Any]) -> None: ...


class ConnectionEnded(Exception):
    """Why a connection must be replaced."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: a delay between 0 and the ceiling, which doubles with each failure in a row."""

    first_seconds: float = 0.5
    most_seconds: float = 15.0

    def seconds(self, failures: int) -> float:
        ceiling = min(self.most_seconds, self.first_seconds * 2.0 ** min(failures, 16))
        return random.uniform(0.0, ceiling)


@dataclass(slots=True)
class _Session:
    """One connection's life; late callbacks of an earlier client reach its own session only."""

    joined: set[str] = field(default_factory=set)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""

    def finish(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.end.set()

    def reading_ended(self, reading: asyncio.Task[None]) -> None:
        error = None if reading.cancelled() else reading.exception()
        self.finish(f"reading ended: {type(error).__name__}" if error else "socket closed")


class Connection:
    """`run` until cancelled. Topics may be added and removed at any time.

    `token` is asked before every join and before the last one expires. A topic that may not be
    joined is asked for again until it is removed.
    """

    def __init__(
        self, url: str, api_key: str, *, token: Token, listener: Listener, backoff: Backoff
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._token = token
        self._listener = listener
        self._backoff = backoff
        self._wanted: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._session = _Session()

    def add(self, topic: str) -> None:
        self._wanted[topic] = None
        if topic in self._session.joined:  # removed and added again before it was left
            self._listener.joined(topic)
        self._wake.set()

    def remove(self, topic: str) -> None:
        self._wanted.pop(topic, None)
        self._wake.set()

    def replace(self, reason: str) -> None:
        """End the present connection; a new one follows."""
        self._session.finish(reason)

    async def run(self) -> None:
        failures = 0
        while True:
            session = self._session = _Session()
            try:
                await self._serve(session)
            except Exception as error:  # the package raises what it likes; all of it means again
                failures = 0 if session.joined else failures + 1
                log.info("realtime connection ended: %s", _describe(error))
            finally:
                for topic in session.joined:
                    self._listener.left(topic)
            await asyncio.sleep(self._backoff.seconds(failures))

    async def _serve(self, session: _Session) -> None:
        """Connect and stay. Always raises: ConnectionEnded, or whatever made staying impossible."""
        client = AsyncRealtimeClient(self._url, self._api_key, auto_reconnect=False)
        tasks: list[asyncio.Task[Any]] = []
        try:
            await client.connect()
            tasks = [
                asyncio.create_task(self._maintain(client, session)),
                asyncio.create_task(session.end.wait()),
            ]
            if client._listen_task is not None:
                client._listen_task.add_done_callback(session.reading_ended)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
            raise ConnectionEnded(session.reason)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _dispose(client)

    async def _maintain(self, client: AsyncRealtimeClient, session: _Session) -> None:
        """Keep the token fresh and the joined topics those that are wanted."""
        token = ""
        while True:
            self._wake.clear()
            latest = await self._latest_token(token)
            if latest != token:
                token = latest
                await client.set_auth(token)
            await self._leave_removed(client, session)
            await self._join_missing(client, session)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_seconds_to_renewal(token)):
                    await self._wake.wait()

    async def _latest_token(self, present: str) -> str:
        """A source that fails for a while does not cost a connection that still has a token."""
        try:
            async with asyncio.timeout(TOKEN_SECONDS):
                return await self._token()
        except Exception as error:
            if not present:
                raise
            log.warning("no new access token: %s", type(error).__name__)
            return present

    async def _join_missing(self, client: AsyncRealtimeClient, session: _Session) -> None:
        present = {channel.topic.removeprefix("realtime:") for channel in client.get_channels()}
        missing = [topic for topic in self._wanted if topic not in present]
        places = asyncio.Semaphore(JOINS_AT_ONCE)

        async def join(topic: str) -> None:
            async with places:
                await self._join(client, session, topic)

        await asyncio.gather(*(join(topic) for topic in missing))

    async def _join(self, client: AsyncRealtimeClient, session: _Session, topic: str) -> None:
        def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state is RealtimeSubscribeStates.SUBSCRIBED:
                session.joined.add(topic)
                self._listener.joined(topic)
            elif topic in session.joined or state is not RealtimeSubscribeStates.CHANNEL_ERROR:
                if topic in self._wanted:
                    session.finish(f"{topic}: {state.value}")
            else:
                log.warning("join of %s refused: %s", topic, error)
                self._wake.set()

        channel = client.channel(
            topic,
            {
                "config": {
                    "private": True,
                    "broadcast": {"self": False, "ack": False, "replication_ready": True},
                    "presence": {"key": "", "enabled": False},
                }
            },
        )
        channel.on_broadcast(
            EVENT, lambda message: self._listener.received(topic, message["payload"])
        )
        # "Replication connection established": what was committed before it is not delivered.
        channel.on_system(lambda _: self._listener.joined(topic))
        await channel.subscribe(on_state)

    async def _leave_removed(self, client: AsyncRealtimeClient, session: _Session) -> None:
        for channel in client.get_channels():
            topic = channel.topic.removeprefix("realtime:")
            if topic not in self._wanted and not channel.is_leaving:
                session.joined.discard(topic)
                await channel.unsubscribe()


async def _dispose(client: AsyncRealtimeClient) -> None:
    """Close, and stop the package's timers, which a closed client leaves running."""
    for channel in client.get_channels():
        channel.rejoin_timer.reset()
        channel.join_push.destroy()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.close()


def _seconds_to_renewal(token: str) -> float | None:
    """None for a token that does not say when it expires."""
    try:
        expires = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except jwt.PyJWTError:
        return None
    if not isinstance(expires, int | float):
        return None
    left = expires - time.time()
    return max(1.0, left - min(60.0, left * TOKEN_MARGIN))


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, ConnectionEnded) else type(error).__name__
