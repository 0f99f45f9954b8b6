"""What must be true after any fault: nothing lost, nothing doubled, the order kept."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.traffic import Traffic
from tests.faults.versions import faults_of_versions

Json = dict[str, Any]

REACHED_THE_PROVIDER = {"accepted", "sent", "delivered", "read", "played"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the database and the customers' phones know when the dust has settled."""

    traffic: Traffic
    messages: list[Json]
    attempts: list[Json]
    jobs: list[Json]
    events: list[Json]
    phones: list[Json]

    @classmethod
    async def read(cls, traffic: Traffic) -> "Outcome":
        async def of(table: str, order: str) -> list[Json]:
            query = f"select * from {table} where company_id = $1::text::uuid order by {order}"
            return await traffic.site.look(query, traffic.tenant.company_id)

        phones: list[Json] = []
        for number in traffic.tenant.numbers:
            answer = await traffic.site.whatsapp.get(
                "/_fake/ledger", params={"number": number.external_id}
            )
            phones += answer.json()
        return cls(
            traffic,
            messages=await of("messages", "conversation_id, seq"),
            attempts=await of("send_attempts", "started_at"),
            jobs=await of("queue_jobs", "id"),
            events=await of("inbound_events", "id"),
            phones=phones,
        )

    def sent(self, id: str) -> Json:
        (message,) = [row for row in self.messages if str(row["id"]) == id]
        return message

    def outcomes(self, id: str) -> list[str | None]:
        """Of the attempts of a message, in order."""
        return [row["outcome"] for row in self.attempts if str(row["message_id"]) == id]

    def statuses(self) -> Counter[str]:
        """How many of our messages ended in which status."""
        return Counter(self.sent(id)["status"] for id in self.traffic.sent)


async def prove(traffic: Traffic) -> Outcome:
    """Fails with everything that is wrong, and the rows that belong to it."""
    outcome = await Outcome.read(traffic)
    faults = [
        *_phones_got_each_once(outcome),
        *_messages_know_what_became_of_them(outcome),
        *_items_became_one_message(outcome),
        *_order_was_kept(outcome),
        *_jobs_have_ended(outcome),
        *await faults_of_versions(traffic.site, traffic.tenant.company_id),
    ]
    assert not faults, "\n".join(faults)
    return outcome


def _phones_got_each_once(outcome: Outcome) -> Iterator[str]:
    for name in ("body", "provider_id"):
        for value, count in Counter(entry[name] for entry in outcome.phones).items():
            if count > 1:
                yield f"{count} times on a phone: {value}\n{_history(outcome, value)}"
    strangers = {entry["body"] for entry in outcome.phones} - set(outcome.traffic.sent.values())
    if strangers:
        yield f"on a phone, but nobody sent it: {strangers}"


def _messages_know_what_became_of_them(outcome: Outcome) -> Iterator[str]:
    by_id = {entry["provider_id"]: entry["body"] for entry in outcome.phones}
    arrived = {entry["body"] for entry in outcome.phones}
    rows = {str(row["id"]): row for row in outcome.messages if row["direction"] == "out"}
    for id, body in outcome.traffic.sent.items():
        row = rows.pop(id, None)
        if row is None or row["deleted_at"] is not None:
            yield f"lost: {body}\n{_history(outcome, body)}"
            continue
        status, on_phone = row["status"], by_id.get(row["provider_message_id"]) == body
        right = {
            "failed": body not in arrived,
            "unknown": "unknown" in outcome.outcomes(id) and row["needs_decision"],
        }.get(status, status in REACHED_THE_PROVIDER and on_phone)
        if not right:
            yield f"{body} is {status}, on a phone: {on_phone}\n{_history(outcome, body)}"
    for row in rows.values():
        if row["deleted_at"] is None:
            yield f"a message of ours that nobody sent: {row['body']} from {row['origin']}"


def _items_became_one_message(outcome: Outcome) -> Iterator[str]:
    for event in outcome.events:
        if event["state"] != "processed":
            yield f"inbound event {event['id']} is {event['state']}: {event['error']}"
    rows = Counter(
        (row["provider_message_id"], row["body"])
        for row in outcome.messages
        if row["direction"] == "in"
    )
    for heard in outcome.traffic.heard.items():
        if rows[heard] != 1:
            yield f"heard once, {rows[heard]} messages: {heard}"
    if extra := set(rows) - set(outcome.traffic.heard.items()):
        yield f"messages that nobody wrote: {extra}"


def _order_was_kept(outcome: Outcome) -> Iterator[str]:
    """Phones show our messages in the order of birth, we show the customers' as they came in."""
    place = {entry["body"]: index for index, entry in enumerate(outcome.phones)}
    came = {
        str(event["dedupe_key"]): job["id"]
        for event in outcome.events
        for job in outcome.jobs
        if job["type"] == "messages.ingest" and f'"event_id": {event["id"]}}}' in job["data"]
    }
    for conversation in {row["conversation_id"] for row in outcome.messages}:
        rows = [row for row in outcome.messages if row["conversation_id"] == conversation]
        said = [row["body"] for row in rows if row["direction"] == "out" and row["body"] in place]
        if said != sorted(said, key=lambda body: place[body]):
            yield f"sent in another order than written: {said}"
        heard = [row["provider_message_id"] for row in rows if row["direction"] == "in"]
        jobs = [next(job for key, job in came.items() if id in key) for id in heard]
        if jobs != sorted(jobs):
            yield f"stored in another order than received: {list(zip(heard, jobs, strict=True))}"


def _jobs_have_ended(outcome: Outcome) -> Iterator[str]:
    for job in outcome.jobs:
        if job["status"] == "pending" or job["lease_until"] is not None:
            yield f"not ended: {_brief(job)}"
    for attempt in outcome.attempts:
        if attempt["outcome"] is None:
            yield f"an attempt that nobody ended: {_brief(attempt)}"
    sends = Counter(job["unique_key"] for job in outcome.jobs if job["type"] == "messages.send")
    if sends != Counter(f"send:{id}" for id in outcome.traffic.sent):
        yield f"not one job for each message: {sends}"


def _history(outcome: Outcome, body: str) -> str:
    """All rows about a text of ours."""
    ids = {id for id, text in outcome.traffic.sent.items() if text == body}
    rows = [
        *(row for row in outcome.messages if row["body"] == body),
        *(row for row in outcome.attempts if str(row["message_id"]) in ids),
        *(job for job in outcome.jobs if any(id in job["data"] for id in ids)),
        *(entry for entry in outcome.phones if entry["body"] == body),
    ]
    return "\n".join(f"    {_brief(row)}" for row in rows)


def _brief(row: Json) -> str:
    return str({name: value for name, value in row.items() if value is not None})
