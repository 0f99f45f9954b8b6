"""Follow scopes and never be wrong about them for long: ledgers kept true by broadcasts, syncs and
heads checks. Works, only slower, when no broadcast ever arrives. The websocket is that of package
`realtime`, supervised: connection.py says why."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from functions.realtime.connection import Backoff, Connection, Token
from functions.realtime.ledger import Ledger, Status
from functions.realtime.models import Answer, Change, Event
from functions.realtime.topics import Scope

SYNC_LIMIT = 200  # rows asked for at once
RPC_SECONDS = 10.0
ACTIVE_SECONDS = 60.0  # how long after a change heads are compared at the faster pace
SILENT_ROUNDS = 2  # heads checks that find losses, with no event between, before a new connection

log = logging.getLogger(__name__)

Rpc = Callable[[str, dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds; periods vary by a fifth so that many clients do not ask in step."""

    heads: float = 10.0
    idle_heads: float = 30.0
    reconnect: Backoff = field(default_factory=Backoff)
    sync: Backoff = field(default_factory=Backoff)


@dataclass(slots=True)
class _Watch:
    """A followed scope. `wake` is set whenever a sync may have become necessary."""

    scope: Scope
    ledger: Ledger
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Subscriber:
    """An async context manager; inside it, `changes()` yields what happens in followed scopes.

    `url` is the project's; `rpc(name, params)` calls an SQL function as the same user for whom
    `token()` answers an access token. Both are retried forever, whatever they raise. `heard` counts
    the events received, for metrics.
    """

    def __init__(
        self, url: str, api_key: str, *, token: Token, rpc: Rpc, pace: Pace | None = None
    ) -> None:
        self._pace = pace or Pace()
        self._rpc = rpc
        self._watches: dict[str, _Watch] = {}
        self._pending: dict[str, Change] = {}
        self._ready = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._changed_at = -ACTIVE_SECONDS
        self.heard = 0
        self._heard_before = 0  # at the last heads check
        self._silent_rounds = 0
        self._connection = Connection(
            f"{url.rstrip('/')}/realtime/v1",
            api_key,
            token=token,
            listener=self,
            backoff=self._pace.reconnect,
        )

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        loops = (self._connection.run(), self._compare_heads())
        self._loops = [self._tasks.create_task(loop) for loop in loops]
        for watch in self._watches.values():
            self._start(watch)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in (*self._loops, *(watch.task for watch in self._watches.values())):
            if task is not None:
                task.cancel()
        self._loops = []
        await self._tasks.__aexit__(kind, error, trace)

    def follow(self, scope: str) -> Ledger:
        """Begin to follow; harmless when followed already. Raises ValueError: no scope."""
        if scope not in self._watches:
            watch = self._watches[scope] = _Watch(Scope.parse(scope), Ledger(scope))
            self._connection.add(scope)
            if self._loops:
                self._start(watch)
        return self._watches[scope].ledger

    def unfollow(self, scope: str) -> None:
        """Forget the scope and its pending changes; harmless when not followed."""
        watch = self._watches.pop(scope, None)
        if watch is not None:
            self._connection.remove(scope)
            self._pending.pop(scope, None)
            if watch.task is not None:
                watch.task.cancel()

    def ledger(self, scope: str) -> Ledger:
        """The rows known of a followed scope, their version and status. Raises KeyError."""
        return self._watches[scope].ledger

    async def changes(self) -> AsyncIterator[Change]:
        """Changes forever. While the reader is busy, those of one scope are joined into one."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._pending:
                yield self._pending.pop(next(iter(self._pending)))

    # Told by the connection

    def joined(self, topic: str) -> None:
        if watch := self._watches.get(topic):
            watch.ledger.joined()
            watch.wake.set()

    def left(self, topic: str) -> None:
        if watch := self._watches.get(topic):
            watch.ledger.left()

    def received(self, topic: str, payload: dict[str, Any]) -> None:
        self.heard += 1
        watch = self._watches.get(topic)
        if watch is None:
            return
        try:
            event = Event.parse(payload)
            if event.scope != topic:
                raise ValueError("an event of another scope")
            self._emit(watch.ledger.event(event, time.monotonic()))
        except ValueError:
            log.warning("event on %s cannot be read; asking instead", topic)
            watch.ledger.distrust()
        watch.wake.set()

    # Syncing

    def _start(self, watch: _Watch) -> None:
        watch.task = self._tasks.create_task(self._keep(watch))

    async def _keep(self, watch: _Watch) -> None:
        """Sync the scope whenever its ledger wants it."""
        failures = 0
        while True:
            request = watch.ledger.next_sync(time.monotonic())
            if request is None:
                await _rest(watch)
                continue
            try:
                answer = await self._sync(watch.scope, *request)
            except Exception as error:  # rpc is foreign; whatever it raises, the way on is to retry
                watch.ledger.failed()
                log.info("sync of %s failed: %s", watch.scope, type(error).__name__)
                await asyncio.sleep(self._pace.sync.seconds(failures))
                failures += 1
            else:
                failures = 0
                self._emit(watch.ledger.answer(answer, time.monotonic()))

    async def _sync(self, scope: Scope, after: int, epoch: str | None) -> Answer:
        params = {"p_id": str(scope.id), "p_after": after, "p_epoch": epoch, "p_limit": SYNC_LIMIT}
        async with asyncio.timeout(RPC_SECONDS):
            return Answer.parse(await self._rpc(scope.sync_function, params))

    def _emit(self, change: Change | None) -> None:
        if change is None or not (change.rows or change.reset):
            return
        self._changed_at = time.monotonic()
        earlier = self._pending.get(change.scope)
        self._pending[change.scope] = earlier.then(change) if earlier else change
        self._ready.set()

    # Heads

    async def _compare_heads(self) -> None:
        """Find what no event betrays: the loss of a scope's last event."""
        while True:
            active = time.monotonic() - self._changed_at < ACTIVE_SECONDS
            period = self._pace.heads if active else self._pace.idle_heads
            await asyncio.sleep(period * random.uniform(0.8, 1.2))
            if self._watches:
                try:
                    await self._compare_heads_once()
                except Exception as error:  # as in _keep
                    log.info("heads check failed: %s", type(error).__name__)

    async def _compare_heads_once(self) -> None:
        known = {
            scope: (watch.ledger.epoch, watch.ledger.version, watch.ledger.status)
            for scope, watch in self._watches.items()
        }
        heads = {scope: {"ver": ver, "epoch": epoch} for scope, (epoch, ver, _) in known.items()}
        silent, self._heard_before = self.heard == self._heard_before, self.heard
        async with asyncio.timeout(RPC_SECONDS):
            behind = await self._rpc("sync_heads", {"p_scopes": heads})
        lost = False
        for scope, head in behind.items():
            watch = self._watches.get(scope)
            if watch is None or (watch.ledger.epoch, watch.ledger.version) != known[scope][:2]:
                continue  # it moved while the answer was on its way
            watch.ledger.head(str(head["epoch"]), int(head["ver"]))
            watch.wake.set()
            lost = lost or known[scope][2] is Status.LIVE
        self._judge_silence(lost and silent)

    def _judge_silence(self, silent: bool) -> None:
        """A socket that looks healthy and brings nothing, while things happen, is replaced."""
        self._silent_rounds = self._silent_rounds + 1 if silent else 0
        if self._silent_rounds >= SILENT_ROUNDS:
            self._silent_rounds = 0
            self._connection.replace("no events although versions advance")


async def _rest(watch: _Watch) -> None:
    """Until the scope is woken, or a hole in it has lasted too long."""
    wakes_at = watch.ledger.wakes_at()
    try:
        async with asyncio.timeout(None if wakes_at is None else wakes_at - time.monotonic()):
            await watch.wake.wait()
    except TimeoutError:
        return
    watch.wake.clear()
