"""What a chaos has to leave behind: every job ended, each effect once, each key in order."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.faults.chaos_provider import Provider
from tests.faults.site import Json, Site

# Nothing tells when a lease ends: a lane with leased jobs is looked at every five seconds, where
# claims were slow after fifteen at most. Half of what a cron leaves between two ticks is enough.
TICK_SECONDS = 30.0


@dataclass(slots=True)
class Report:
    """`lines` is the history, `faults` what is wrong, `checked` what was looked at."""

    jobs: int = 0
    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        end = self.faults[:20] or ["nothing lost, nothing doubled, every key in order"]
        return "\n".join([*self.lines, "checked:", *(f"  {line}" for line in self.checked), *end])


@dataclass(frozen=True, slots=True)
class Lost:
    """A job whose worker was killed, and when."""

    id: int
    claim: int
    killed_at: datetime
    lease_until: datetime


async def prove(
    site: Site,
    provider: Provider,
    report: Report,
    *,
    queues: list[str],
    asked: int,
    lost: list[Lost],
    outages: list[tuple[datetime, datetime]],
) -> None:
    """Fills the report with what was checked, and what is wrong."""
    rows = await site.look("select * from queue_jobs where queue = any ($1)", queues)
    jobs = {row["id"]: row for row in rows}
    effects = await site.look("select * from private.chaos_effects")
    outcomes = {row["job_id"]: row["outcome"] for row in effects}
    counts = await site.look("select job_id, place from private.chaos_counts")
    counted = {row["job_id"]: row["place"] for row in counts}
    report.jobs = len(jobs)
    report.faults += [
        *_lost(jobs, asked),
        *_doubled(jobs, provider, outcomes, counted),
        *_out_of_order(jobs, provider, outcomes, counted),
    ]
    sends = [id for id, job in jobs.items() if job["type"] == "chaos.send"]
    results = Counter(outcomes.get(id) or "unknown" for id in sends)
    done = Counter(provider.effects)
    report.checked += [
        f"{len(jobs)} jobs of {asked} asked for: {dict(Counter(j['status'] for j in rows))}",
        f"{sum(job['claims'] for job in rows)} leases, {len(lost)} of them lost by a kill",
        f"effects at the provider: {done.total()} of {len(sends)} jobs, at most "
        f"{max(done.values(), default=0)} each; their outcomes {dict(results)}",
        f"order of {len(_keys(jobs))} keys, by lease and by effect",
    ]
    _recovery(jobs, lost, outages, report)


def _lost(jobs: dict[int, Json], asked: int) -> Iterator[str]:
    numbers = Counter(_number(job) for job in jobs.values())
    if set(numbers) != set(range(asked)):
        yield f"not in the queue: {sorted(set(range(asked)) - set(numbers))[:20]}"
    for job in jobs.values():
        if job["status"] != "completed":
            yield f"not completed: {_brief(job)}"


def _doubled(
    jobs: dict[int, Json], provider: Provider, outcomes: dict[int, str], counted: dict[int, int]
) -> Iterator[str]:
    effects = Counter(provider.effects)
    for id, times in effects.items():
        if times > 1:
            yield f"{times} effects: {_brief(jobs[id])}"
    for id, job in jobs.items():
        if job["type"] == "chaos.count" and id not in counted:
            yield f"completed without its effect: {_brief(job)}"
        if outcomes.get(id) == "done" and not effects[id]:
            yield f"recorded and not done: {_brief(job)}"
        if outcomes.get(id) == "not_done":
            yield f"completed and not done: {_brief(job)}"


def _out_of_order(
    jobs: dict[int, Json], provider: Provider, outcomes: dict[int, str], counted: dict[int, int]
) -> Iterator[str]:
    """The calls of killed workers may still be under way when the next job starts; whether those
    arrived, and when, is what `unknown` says."""
    place = {id: at for at, id in enumerate(provider.effects) if outcomes.get(id) == "done"}
    for key, ids in _keys(jobs).items():
        for first, second in _swapped(place.get, ids) + _swapped(counted.get, ids):
            yield f"{key}: the effect of {second} came before that of {first}"
        for one, next in itertools.pairwise(sorted(ids)):
            if jobs[next]["started_at"] < jobs[one]["completed_at"]:
                yield f"{key}: {next} started before the end of {one}"


def _swapped(place: Callable[[int], int | None], ids: list[int]) -> list[tuple[int, int]]:
    """Pairs of neighbours that came in another order than that of their ids."""
    placed = [(id, at) for id in sorted(ids) if (at := place(id)) is not None]
    return [
        (first[0], second[0])
        for first, second in itertools.pairwise(placed)
        if first[1] > second[1]
    ]


def _recovery(
    jobs: dict[int, Json],
    lost: list[Lost],
    outages: list[tuple[datetime, datetime]],
    report: Report,
) -> None:
    """From the end of a lease to the next start, without the time that Postgres was away."""
    waits = []
    for one in lost:
        job = jobs[one.id]
        if job["claims"] == one.claim:
            continue  # settled after all: the call was under way when the worker died
        again = _next_start(job, one)
        if again is None:
            continue
        away = sum(
            (min(end, again) - max(begin, one.lease_until)).total_seconds()
            for begin, end in outages
            if begin < again and end > one.lease_until
        )
        waits.append((again - one.lease_until).total_seconds() - away)
        if waits[-1] > TICK_SECONDS:
            report.faults.append(f"{waits[-1]:.1f} s after its lease: {_brief(job)}")
    waits.sort()
    if waits:
        report.checked.append(
            f"recovery of {len(waits)} jobs after the end of their leases: median "
            f"{waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s, allowed {TICK_SECONDS:g} s"
        )


def _next_start(job: Json, lost: Lost) -> datetime | None:
    """The start of the first lease after the lost one; None where the history, which keeps ten,
    does not reach back so far."""
    entries = json.loads(job["history"] or "[]")
    starts: list[datetime] = [datetime.fromisoformat(entry["started_at"]) for entry in entries]
    if all(start > lost.killed_at for start in starts):
        return None
    starts.append(job["started_at"])
    return min(start for start in starts if start > lost.killed_at)


def _keys(jobs: dict[int, Json]) -> dict[tuple[str, str], list[int]]:
    keys: dict[tuple[str, str], list[int]] = defaultdict(list)
    for id, job in jobs.items():
        if job["order_key"] is not None:
            keys[job["queue"], job["order_key"]].append(id)
    return keys


def _number(job: Json) -> int:
    number: int = json.loads(job["data"])["n"]
    return number


def _brief(job: Json) -> str:
    kept: dict[str, Any] = {
        name: str(job[name])
        for name in ("id", "type", "status", "order_key", "claims", "worker", "error", "history")
        if job[name] is not None
    }
    return str(kept)
