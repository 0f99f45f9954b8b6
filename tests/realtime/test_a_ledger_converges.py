"""Whatever is lost, doubled, late or restored: once asked, a ledger equals the server."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from functions.realtime.ledger import BUFFER_LIMIT, Ledger, Status
from functions.realtime.models import Answer, Change, Event, Row, is_tombstone

SCOPE = "conversation:00000000-0000-4000-8000-000000000001"
GAP = 12  # the server's limit between two versions before it resets; small, so that it happens
NEWEST = 6  # rows a reset answers


@dataclass
class Server:
    """One scope as the database keeps it."""

    epoch: int = 0
    version: int = 0
    rows: dict[str, Row] = field(default_factory=dict)

    def write(self, ids: list[str], deleted: bool) -> Event:
        prev, changed = self.version, []
        for id in ids:
            self.version += 1
            row = {"id": id, "rev": self.version, "deleted_at": "now" if deleted else None}
            self.rows[id] = row
            changed.append(row)
        return Event(SCOPE, str(self.epoch), prev, self.version, tuple(changed))

    def restore(self) -> None:
        self.epoch += 1
        self.version //= 2
        self.rows = {id: row for id, row in self.rows.items() if row["rev"] <= self.version}

    def sync(self, after: int, epoch: str | None, limit: int) -> Answer:
        everything = sorted(self.rows.values(), key=lambda row: int(row["rev"]))
        gap = self.version - after
        if epoch != str(self.epoch) or gap < 0 or gap > GAP:
            newest = [row for row in everything if not is_tombstone(row)][-NEWEST:]
            return Answer(str(self.epoch), True, self.version, self.version, tuple(newest), False)
        rows = [row for row in everything if row["rev"] > after]
        page, more = rows[:limit], len(rows) > limit
        ver = page[-1]["rev"] if more else self.version
        return Answer(str(self.epoch), False, ver, self.version, tuple(page), more)


class Convergence(RuleBasedStateMachine):
    """One server, one ledger, and between them a network that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.ledger = Ledger(SCOPE)
        self.mirror: dict[str, Row] = {}  # what a reader of the changes would hold
        self.oldest = 0  # the version from which on the mirror has every row
        self.flying: list[Event] = []
        self.request: tuple[int, str | None] | None = None
        self.answers: list[Answer] = []
        self.now = 0.0

    @rule(ids=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4), deleted=st.booleans())
    def write(self, ids: list[str], deleted: bool) -> None:
        self.flying.append(self.server.write(ids, deleted))

    @rule(ids=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4))
    def write_unheard(self, ids: list[str]) -> None:
        self.server.write(ids, False)

    @rule(ids=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4))
    def write_much(self, ids: list[str]) -> None:
        event = self.server.write(ids, False)
        self.flying.append(Event(SCOPE, event.epoch, event.prev, event.ver, None))

    @rule()
    def restore(self) -> None:
        self.server.restore()

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: Any, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.flying) - 1))
        event = self.flying[place] if again else self.flying.pop(place)
        self.take(self.ledger.event(event, self.now))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def lose(self, data: Any) -> None:
        self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))

    @rule(seconds=st.sampled_from([0.1, 0.3]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def join(self) -> None:
        self.ledger.joined()

    @rule()
    def leave(self) -> None:
        self.ledger.left()

    @rule()
    def compare_heads(self) -> None:
        self.ledger.head(str(self.server.epoch), self.server.version)

    @precondition(lambda self: not self.answers)
    @rule(limit=st.integers(1, 4))
    def ask(self, limit: int) -> None:
        request = self.ledger.next_sync(self.now)
        if request is not None:
            self.answers.append(self.server.sync(*request, limit))

    @precondition(lambda self: self.answers)
    @rule()
    def answer(self) -> None:
        self.take(self.ledger.answer(self.answers.pop(), self.now))

    @precondition(lambda self: self.answers)
    @rule()
    def fail(self) -> None:
        self.answers.pop()
        self.ledger.failed()

    @invariant()
    def changes_tell_everything(self) -> None:
        assert self.mirror == self.ledger.rows

    @invariant()
    def the_version_is_never_ahead_of_the_server(self) -> None:
        if self.ledger.epoch == str(self.server.epoch):
            assert self.ledger.version <= self.server.version

    @invariant()
    def a_complete_version_has_the_rows_of_the_server(self) -> None:
        if (self.ledger.epoch, self.ledger.version) == (
            str(self.server.epoch),
            self.server.version,
        ):
            self.assert_equal()

    def teardown(self) -> None:
        """What is still under way arrives; then one heads check is enough."""
        while self.flying:
            self.take(self.ledger.event(self.flying.pop(), self.now))
        if self.answers:
            self.take(self.ledger.answer(self.answers.pop(), self.now))
        self.ledger.joined()
        self.ledger.head(str(self.server.epoch), self.server.version)
        while (request := self.ledger.next_sync(self.now)) is not None:
            self.take(self.ledger.answer(self.server.sync(*request, 3), self.now))
        assert self.ledger.version == self.server.version
        assert self.ledger.status is Status.LIVE
        self.assert_equal()

    def assert_equal(self) -> None:
        """The rows held are the server's, but for those older than what the last reset brought."""
        assert self.ledger.rows == {
            id: row
            for id, row in self.server.rows.items()
            if row["rev"] >= self.oldest and not is_tombstone(row)
        }

    def take(self, change: Change | None) -> None:
        if change is None:
            return
        if change.reset:
            self.mirror = {}
            self.oldest = change.rows[0]["rev"] if len(change.rows) >= NEWEST else 0
        for row in change.rows:
            if is_tombstone(row):
                self.mirror.pop(row["id"], None)
            else:
                self.mirror[row["id"]] = row


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_flood_behind_a_hole_is_dropped_for_one_sync() -> None:
    ledger = Ledger(SCOPE)
    ledger.joined()
    assert ledger.next_sync(0.0) == (0, None)
    ledger.answer(Answer("e", True, 1, 1, (), False), 0.0)
    for version in range(3, 3 + BUFFER_LIMIT):
        ledger.event(Event(SCOPE, "e", version - 1, version, ()), 0.0)
    assert ledger.next_sync(0.0) is None
    ledger.event(Event(SCOPE, "e", 1_000, 1_001, ()), 0.0)
    assert ledger.next_sync(0.0) == (1, "e")
