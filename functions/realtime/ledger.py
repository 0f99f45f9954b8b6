"""Protocol ledger/1 for one scope: which rows are known, up to which version, and whether that is
all there is. Pure: time comes in as an argument (seconds of any monotonic clock), nothing goes out.

Why it converges. Versions have no gaps, so an event joins on exactly when its `prev` is known; what
does not join on is a hole, and a hole that stays open asks for a sync. A sync answers from one
snapshot everything up to its `ver`. Whatever is lost, doubled or late can therefore only delay a
version, never skip or repeat one; and the last version, whose loss no later event betrays, is
found by comparing heads.
"""

from enum import StrEnum

from functions.realtime.models import Answer, Change, Event, Row, is_tombstone

HOLE_GRACE_SECONDS = 0.25  # an event overtaken by its successor usually follows within this
BUFFER_LIMIT = 256  # events; more means a sync is cheaper


class Status(StrEnum):
    COLD = "cold"  # nothing known
    SYNCING = "syncing"  # nothing known yet, asked for
    LIVE = "live"  # all that is known to exist is here
    CATCHING_UP = "catching_up"  # something newer exists and is asked for
    STALE = "stale"  # the topic is not joined; the rows are as of an earlier moment


class Ledger:
    """`rows` by id, complete up to `version` of `epoch`. Methods may be called in any order."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.epoch: str | None = None
        self.version = 0
        self.rows: dict[str, Row] = {}
        self._joined = False
        self._wanted = False  # a sync must start
        self._asked = False  # a sync is under way
        self._hole_since: float | None = None
        self._buffer: dict[tuple[str, int], Event] = {}

    @property
    def status(self) -> Status:
        if self.epoch is None:
            return Status.SYNCING if self._asked else Status.COLD
        if not self._joined:
            return Status.STALE
        behind = self._wanted or self._asked or self._buffer
        return Status.CATCHING_UP if behind else Status.LIVE

    def joined(self) -> None:
        """The topic is subscribed from now on; what happened before is to be asked for."""
        self._joined = self._wanted = True

    def left(self) -> None:
        """The topic is no longer subscribed; the next events cannot be expected to join on."""
        self._joined = False

    def head(self, epoch: str, version: int) -> None:
        """The server's present version, as a heads check answers it."""
        if (epoch, version) != (self.epoch, self.version):
            self._wanted = True

    def distrust(self) -> None:
        """Something arrived that could not be read: ask."""
        self._wanted = True

    def event(self, event: Event, now: float) -> Change | None:
        """Take an event; the change it completed, if any."""
        if event.epoch == self.epoch and event.ver <= self.version:
            return None
        self._buffer[event.epoch, event.ver] = event
        if len(self._buffer) > BUFFER_LIMIT:
            self._buffer.clear()
            self._wanted = True
        if self._asked or self.epoch is None:
            return None  # the answer decides
        if event.epoch != self.epoch:
            self._wanted = True
        return self._drain(now)

    def next_sync(self, now: float) -> tuple[int, str | None] | None:
        """The version and epoch to sync from, when a sync must start now; it then counts as begun.

        Exactly one of `answer` and `failed` must follow.
        """
        if self._hole_since is not None and now >= self._hole_since + HOLE_GRACE_SECONDS:
            self._wanted = True
        if self._asked or not self._wanted:
            return None
        self._wanted, self._asked, self._hole_since = False, True, None
        # The answer will be younger than these events, so whatever epoch it has supersedes theirs.
        self._buffer = {key: event for key, event in self._buffer.items() if key[0] == self.epoch}
        return self.version, self.epoch

    def wakes_at(self) -> float | None:
        """When `next_sync` is worth asking again although nothing happens; None for never."""
        return None if self._hole_since is None else self._hole_since + HOLE_GRACE_SECONDS

    def failed(self) -> None:
        """The sync brought no answer; it is still wanted."""
        self._asked, self._wanted = False, True

    def answer(self, answer: Answer, now: float) -> Change:
        """Take the answer of the sync that `next_sync` began."""
        self._asked = False
        self._wanted = self._wanted or answer.more
        reset = answer.reset or answer.epoch != self.epoch
        if reset:
            self.rows, self.version, self.epoch = {}, 0, answer.epoch
        change = Change(self.scope, answer.epoch, answer.ver, self._take(answer.rows), reset)
        self.version = max(self.version, answer.ver)
        # An event of another epoch came while the answer was on its way: it may be the younger one.
        self._wanted = self._wanted or any(epoch != self.epoch for epoch, _ in self._buffer)
        drained = self._drain(now)
        return change if drained is None else change.then(drained)

    def _drain(self, now: float) -> Change | None:
        """Apply every buffered event that joins on, and note whether a hole remains."""
        rows: list[Row] = []
        before = self.version
        for key in sorted(key for key in self._buffer if key[0] == self.epoch):
            event = self._buffer[key]
            if event.prev > self.version:
                break
            del self._buffer[key]
            if event.ver <= self.version:
                continue
            if event.rows is None:
                self._wanted = True
            else:
                rows += self._take(event.rows)
                self.version = event.ver
        advanced = self.version != before
        if not self._buffer:
            self._hole_since = None
        elif self._hole_since is None or advanced:
            self._hole_since = now
        if not advanced or self.epoch is None:
            return None
        return Change(self.scope, self.epoch, self.version, tuple(rows))

    def _take(self, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        """Keep the rows that are newer than what is complete; older ones come from repetition."""
        taken = tuple(row for row in rows if int(row["rev"]) > self.version)
        for row in taken:
            if is_tombstone(row):
                self.rows.pop(row["id"], None)
            else:
                self.rows[row["id"]] = row
        return taken
