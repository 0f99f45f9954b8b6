"""What a chaos of sending has to leave behind, by the ledger of the fake WhatsApp."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.faults.sending_feed import Feed, Said
from tests.faults.site import Site
from tests.faults.versions import faults_of_versions

Json = dict[str, Any]
ARRIVED = {"accepted", "sent", "delivered", "read", "played"}
# A call may arrive so much later than its attempt was written.
LATE_SECONDS = 2.0


@dataclass(slots=True)
class Limits:
    """What was set for numbers, by instance id."""

    gaps: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    """A second."""
    people: dict[str, int] = field(default_factory=dict)
    """Whom it may write to first."""
    until: float = float("inf")
    """When they were taken away."""


@dataclass(slots=True)
class Seen:
    """What was seen to be committed, and when."""

    suppressions: list[tuple[datetime, Json]] = field(default_factory=list)
    closed: dict[str, list[datetime]] = field(default_factory=dict)
    """Conversation -> when its window was closed."""


@dataclass(slots=True)
class Report:
    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    messages: int = 0

    def __str__(self) -> str:
        end = self.faults[:20] or ["each message once or not at all, and its status says so"]
        return "\n".join([*self.lines, "checked:", *(f"  {line}" for line in self.checked), *end])


@dataclass(frozen=True, slots=True)
class Outcome:
    sent: dict[str, Said]
    messages: dict[str, Json]
    echoes: list[Json]
    attempts: dict[str, list[Json]]
    heard: list[Json]
    jobs: list[Json]
    phones: list[Json]
    lifted: dict[Any, datetime]
    """Suppressions that were taken back, and when."""

    @classmethod
    async def read(cls, site: Site, feed: Feed) -> "Outcome":
        companies = list({chat.tenant.company_id for chat in feed.chats})
        numbers = {chat.number.external_id for chat in feed.chats}

        async def of(table: str, order: str = "company_id") -> list[Json]:
            query = f"select * from {table} where company_id = any ($1::text[]::uuid[])"
            return await site.look(f"{query} order by {order}", companies)

        contacts = {row["id"]: row["contact_id"] for row in await of("conversations")}
        messages = [
            row | {"contact_id": contacts[row["conversation_id"]]} for row in await of("messages")
        ]
        attempts: dict[str, list[Json]] = defaultdict(list)
        for row in await of("send_attempts", "message_id, attempt"):
            attempts[str(row["message_id"])].append(row)
        ledger = (await site.whatsapp.get("/_fake/ledger")).json()
        return cls(
            feed.sent,
            {str(row["id"]): row for row in messages if str(row["id"]) in feed.sent},
            [row for row in messages if row["origin"] == "api_echo" and not row["deleted_at"]],
            attempts,
            [row for row in messages if row["direction"] == "in"],
            [job for job in await of("queue_jobs") if job["completed_at"] is None],
            [entry for entry in ledger if entry["number"] in numbers],
            {row["id"]: row["lifted_at"] for row in await of("suppressions") if row["lifted_at"]},
        )

    def history(self, id: str) -> str:
        text = self.sent[id].text
        rows = [self.messages.get(id, {}), *self.attempts[id]]
        rows += [entry for entry in self.phones if entry["body"] == text]
        rows += [row for row in self.echoes if row["body"] == text]
        return "\n".join(
            "    " + str({name: str(value) for name, value in row.items() if value is not None})
            for row in rows
        )


async def prove(site: Site, feed: Feed, limits: Limits, seen: Seen, report: Report) -> None:
    """Fills the report with what was checked, and what is wrong."""
    outcome = await Outcome.read(site, feed)
    report.messages = len(outcome.sent)
    report.faults += [
        *_more_than_once(outcome),
        *_false_statuses(outcome),
        *_out_of_order(outcome),
        *_against_a_word(outcome, seen),
        *_outside_the_window(outcome, seen),
        *_too_fast(outcome, limits),
        *_to_too_many(outcome, limits),
        *(f"not ended: {job}" for job in outcome.jobs),
    ]
    for company_id in {chat.tenant.company_id for chat in feed.chats}:
        report.faults += await faults_of_versions(site, company_id)
    statuses = Counter(row["status"] for row in outcome.messages.values())
    tries = Counter(row["outcome"] for rows in outcome.attempts.values() for row in rows)
    reasons = Counter(
        f"{row['status']} {row['error_code']}"
        for row in outcome.messages.values()
        if row["error_code"]
    )
    report.checked += [
        f"{len(outcome.sent)} messages, {len(outcome.phones)} on phones: {dict(statuses)}",
        f"attempts: {dict(tries)}",
        f"reasons: {dict(reasons)}",
        f"{len(seen.suppressions)} suppressions, {len(seen.closed)} closed windows",
    ]


def _more_than_once(outcome: Outcome) -> Iterator[str]:
    ids = {said.text: id for id, said in outcome.sent.items()}
    for text, count in Counter(entry["body"] for entry in outcome.phones).items():
        if text not in ids:
            yield f"on a phone, and nobody sent it: {text}"
        elif count > 1:
            yield f"{count} times on a phone:\n{outcome.history(ids[text])}"


def _false_statuses(outcome: Outcome) -> Iterator[str]:
    arrived = {entry["body"] for entry in outcome.phones}
    for id, said in outcome.sent.items():
        row = outcome.messages.get(id)
        if row is None or row["deleted_at"]:
            yield f"lost: {said}"
        elif not _is_honest(row, outcome.attempts[id], said.text in arrived):
            yield f"{row['status']}, on a phone: {said.text in arrived}\n{outcome.history(id)}"
    for row in outcome.echoes:
        yield f"shown twice, as an echo: {row['type']} {row['body']}"


def _is_honest(row: Json, attempts: list[Json], arrived: bool) -> bool:
    if row["status"] == "failed":
        return not arrived and bool(row["error_code"])
    if row["status"] == "unknown":
        asked = bool(row["needs_decision"] and row["error_code"])
        return asked and attempts[-1]["outcome"] == "unknown"
    # What was taken and got stuck at the provider is accepted, and on no phone.
    return row["status"] in ARRIVED and (arrived or row["status"] == "accepted")


def _out_of_order(outcome: Outcome) -> Iterator[str]:
    """Of those whose answer came; a call that got no answer may arrive at any time."""
    place = {entry["body"]: at for at, entry in enumerate(outcome.phones)}
    chats: dict[str, list[Json]] = defaultdict(list)
    for row in sorted(outcome.messages.values(), key=lambda row: row["seq"]):
        answered = all(one["http_status"] for one in outcome.attempts[str(row["id"])])
        if answered and outcome.sent[str(row["id"])].text in place:
            chats[str(row["conversation_id"])].append(row)
    for rows in chats.values():
        for one, other in itertools.pairwise(rows):
            texts = [outcome.sent[str(row["id"])].text for row in (one, other)]
            if place[texts[0]] > place[texts[1]]:
                yield f"{texts[1]} arrived before {texts[0]}"


def _started(outcome: Outcome) -> Iterator[tuple[Json, Said, Json]]:
    for id, row in outcome.messages.items():
        for attempt in outcome.attempts[id]:
            yield row, outcome.sent[id], attempt


def _against_a_word(outcome: Outcome, seen: Seen) -> Iterator[str]:
    for row, said, attempt in _started(outcome):
        for at, suppression in seen.suppressions:
            lifted = outcome.lifted.get(suppression["id"])
            if (
                suppression["contact_id"] == row["contact_id"]
                and (suppression["scope"] == "all" or said.purpose == "marketing")
                and at < attempt["started_at"]
                and (lifted is None or attempt["started_at"] < lifted - timedelta(seconds=2))
            ):
                yield f"after its suppression at {at}:\n{outcome.history(str(row['id']))}"


def _outside_the_window(outcome: Outcome, seen: Seen) -> Iterator[str]:
    for row, said, attempt in _started(outcome):
        conversation, start = row["conversation_id"], attempt["started_at"]
        closed = [at for at in seen.closed.get(str(conversation), []) if at < start]
        if (
            said.type != "template"
            and closed
            and not any(
                closed[-1] - timedelta(seconds=2) < heard["created_at"] < start
                for heard in outcome.heard
                if heard["conversation_id"] == conversation
            )
        ):
            yield f"free text outside the window:\n{outcome.history(str(row['id']))}"


def _too_fast(outcome: Outcome, limits: Limits) -> Iterator[str]:
    starts: dict[str, list[float]] = defaultdict(list)
    for _, said, attempt in _started(outcome):
        if (at := attempt["started_at"].timestamp()) < limits.until:
            starts[said.chat.number.instance_id].append(at)
    arrivals: dict[str, list[float]] = defaultdict(list)
    numbers = {said.text: said.chat.number.instance_id for said in outcome.sent.values()}
    for entry in outcome.phones:
        if entry["at"] < limits.until:
            arrivals[numbers.get(entry["body"], "")].append(entry["at"])
    for number, gap in limits.gaps.items():
        for one, other in itertools.pairwise(sorted(starts[number])):
            if other - one < gap - 0.001:
                yield f"{other - one:.3f} s between two of a number with a gap of {gap} s"
    pace = limits.rates | {number: 1 / gap for number, gap in limits.gaps.items()}
    for number, rate in pace.items():
        times = sorted(arrivals[number])
        for first, last in itertools.combinations(range(len(times)), 2):
            allowed = rate * (times[last] - times[first] + LATE_SECONDS) + 2
            if last - first + 1 > allowed:
                yield f"{last - first + 1} in {times[last] - times[first]:.1f} s at {rate}/s"
                break


def _to_too_many(outcome: Outcome, limits: Limits) -> Iterator[str]:
    arrived = {entry["body"] for entry in outcome.phones if entry["at"] < limits.until}
    for number, most in limits.people.items():
        strangers = {
            said.chat.contact
            for said in outcome.sent.values()
            if said.chat.number.instance_id == number and said.chat.cold and said.text in arrived
        }
        if len(strangers) > most:
            yield f"{len(strangers)} strangers, {most} allowed"
