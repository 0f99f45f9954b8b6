"""jobs enqueue, list, show, why, copy: single jobs."""

import argparse
import math
from typing import Any, get_args

from functions.cli.command import (
    Call,
    Commands,
    UsageError,
    add_command,
    add_group,
    json_object,
)
from functions.cli.output import printable
from functions.cli.times import both, moment, seconds, span
from functions.core.errors import AppError
from functions.jobs.lists import JobState
from functions.jobs.models import IfExists, NewJob

Json = dict[str, Any]
# Jobs per call of the database, well inside its 8 s.
BATCH = 1000
# Of jobs list, where a filter finds little: each page looks at hundreds of jobs.
PAGES = 20
# What a person does about each reason of explain_job.
REMEDIES = {
    "queue_paused": "recado queues resume {queue}",
    "queue_blocked": "recado queues resume {queue}",
    "rate_limited": "recado queues limit {queue} --rate N",
    "no_free_slot": "recado queues limit {queue} --concurrency N",
    "behind_another": "recado jobs why {behind}",
    "key_blocked": "recado keys limit {limit_key} --unblock",
    "key_rate_limited": "recado keys limit {limit_key} --rate N",
    "no_tick": "recado jobs work, or mend the cron that calls /api/queue/process",
    "failed": "recado jobs replay {id}",
}


def add(groups: Commands) -> Commands:
    """The group `jobs`, to which other files add more."""
    commands = add_group(groups, "jobs", "enqueue, watch, list, explain, cancel and replay jobs")
    _add_enqueue(commands)
    listing = add_command(commands, "list", list_jobs, "jobs, without their data")
    add_filters(listing, states=get_args(JobState))
    listing.add_argument("--error", metavar="TEXT", help="a part of their error")
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    listing.add_argument("--cursor", help="go on where a list ended")
    show = add_command(commands, "show", show_job, "all about a job: state, attempts, data")
    show.add_argument("id", type=positive, metavar="ID")
    why = add_command(commands, "why", why_job, "why a job is not running, in one sentence")
    why.add_argument("id", type=positive, metavar="ID")
    copy = add_command(commands, "copy", copy_job, "a new job like an ended one")
    copy.add_argument("id", type=positive, metavar="ID")
    add_data(copy)
    copy.add_argument("--delay", type=seconds, default=0.0, metavar="TIME", help="30s, 15m, 2h")
    copy.add_argument("--priority", type=int, choices=range(10), metavar="0-9")
    return commands


def _add_enqueue(commands: Commands) -> None:
    enqueue = add_command(commands, "enqueue", enqueue_jobs, "add a job, or many")
    enqueue.add_argument("type", metavar="TYPE", help="e.g. messages.send")
    add_data(enqueue)
    enqueue.add_argument("--queue", metavar="NAME", help="default: that of the type")
    when = enqueue.add_mutually_exclusive_group()
    when.add_argument("--delay", type=seconds, metavar="TIME", help="30s, 15m, 2h")
    when.add_argument("--at", type=moment, metavar="WHEN", help="2026-11-20T08:30, UTC by default")
    enqueue.add_argument("--priority", type=int, choices=range(10), metavar="0-9")
    enqueue.add_argument("--max-attempts", type=positive, metavar="N")
    enqueue.add_argument("--unique-key", metavar="KEY", help="one unfinished job of this key")
    enqueue.add_argument("--if-exists", choices=get_args(IfExists), default="keep")
    enqueue.add_argument("--order-key", metavar="KEY", help="one at a time, in order")
    enqueue.add_argument("--limit-key", metavar="KEY", help="shares the rate of this key")
    enqueue.add_argument("--company", metavar="ID", help="whose job it is")
    enqueue.add_argument("--count", type=positive, default=1, metavar="N", help="so many of it")


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=json_object, metavar="JSON|@FILE|-", help="an object; - reads stdin"
    )


def add_filters(parser: argparse.ArgumentParser, states: tuple[str, ...]) -> None:
    """Which jobs: arguments that several commands have."""
    parser.add_argument("--queue", metavar="NAME")
    parser.add_argument("--type", metavar="TYPE")
    parser.add_argument("--company", metavar="ID")
    parser.add_argument("--state", "--status", choices=states, metavar="|".join(states))


def positive(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError
    return number


async def enqueue_jobs(call: Call) -> None:
    asked = call.options
    if asked.count > 1 and asked.unique_key:
        raise UsageError("--count and --unique-key exclude each other: there would be one job.")
    job = NewJob(
        asked.type,
        asked.data or {},
        company_id=asked.company,
        queue=asked.queue,
        priority=asked.priority,
        run_at=asked.at,
        delay_seconds=asked.delay,
        max_attempts=asked.max_attempts,
        unique_key=asked.unique_key,
        if_exists=asked.if_exists,
        order_key=asked.order_key,
        limit_key=asked.limit_key,
    )
    ids: list[int] = []
    try:
        while len(ids) < asked.count:
            ids += await call.queue.enqueue_jobs([job] * min(BATCH, asked.count - len(ids)))
    except AppError:
        if ids:
            call.out.remark(f"{len(ids)} jobs were added, {ids[0]} to {ids[-1]}; then:")
        raise
    named = f"Job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs, {ids[0]} to {ids[-1]}"
    call.answer({"ids": ids}, f"{named}: {printable(asked.type)}.")


async def list_jobs(call: Call) -> None:
    asked, out = call.options, call.out
    found: list[Json] = []
    cursor = asked.cursor
    for _ in range(PAGES + math.ceil(asked.limit / 200)):
        page = await call.lists.list_jobs(
            company_id=asked.company,
            queue=asked.queue,
            type=asked.type,
            state=asked.state,
            error=asked.error,
            limit=min(200, asked.limit - len(found)),
            cursor=cursor,
        )
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None or len(found) >= asked.limit:
            break
    if out.as_json:
        return out.answer({"data": found, "next_cursor": cursor})
    for line in out.table(*jobs_table(found)):
        out.write(line)
    if not found:
        out.remark("No such job." if cursor is None else "None among those looked at.")
    if cursor is not None:
        out.remark(f"There may be more: add --cursor {cursor}")


def jobs_table(jobs: list[Json]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows; the time is when the job got, or will leave, its state."""
    rows = [
        [
            job["id"],
            job["state"],
            job["type"],
            job["queue"],
            f"{job['attempts']}/{job['max_attempts']}",
            both(job["completed_at"] or job[_time_of(job["state"])]),
            job["error"] or "",
        ]
        for job in jobs
    ]
    return ["ID", "STATE", "TYPE", "QUEUE", "ATTEMPTS", "WHEN (UTC)", "ERROR"], rows


def _time_of(state: str) -> str:
    return "started_at" if state == "running" else "run_at"


async def show_job(call: Call) -> None:
    found = await call.operator.explain_job(call.options.id)
    if call.out.as_json:
        return call.out.answer(found)
    _sentence(call, found)
    job, out = found["job"], call.out
    kept = ("type", "queue", "status", "priority", "company_id", "worker")
    keys = ("unique_key", "order_key", "limit_key", "replays")
    times = ("created_at", "run_at", "started_at", "lease_until", "completed_at")
    out.write()
    out.facts(
        {name: job[name] for name in kept}
        | {"attempts": f"{job['attempts']} of {job['max_attempts']}"}
        | {name: job[name] or None for name in keys}
        | {name: both(job[name]) for name in times}
        | {"error": job["error"]}
    )
    if found["attempts"]:
        out.write()
        rows = [_attempt(attempt) for attempt in found["attempts"]]
        for line in out.table(
            ["ATTEMPT", "STARTED (UTC)", "TOOK", "OUTCOME", "WORKER", "ERROR"], rows
        ):
            out.write(line)
    for name in ("progress", "data", "result"):
        if job[name] is not None:
            out.document(name, job[name])
    return None


def _attempt(attempt: Json) -> list[Any]:
    return [
        attempt.get("attempt"),
        both(attempt.get("started_at")),
        span(attempt.get("seconds")),
        attempt.get("outcome"),
        attempt.get("worker") or "-",
        attempt.get("error") or "",
    ]


async def why_job(call: Call) -> None:
    found = await call.operator.explain_job(call.options.id)
    if call.out.as_json:
        call.out.answer({name: found[name] for name in ("id", "reason", "sentence", "behind")})
    else:
        _sentence(call, found)


def _sentence(call: Call, found: Json) -> None:
    job = found["job"]
    call.out.write(call.out.style(printable(found["sentence"]), "bold"))
    reason = job["status"] if found["reason"] == "ended" else found["reason"]
    if remedy := REMEDIES.get(reason):
        call.out.write(f"Try: {printable(remedy.format(**job | {'behind': found['behind']}))}")


async def copy_job(call: Call) -> None:
    asked = call.options
    copy = await call.operator.copy_job(asked.id, asked.data, asked.delay, asked.priority)
    call.answer(copy, f"Job {copy['id']}, a copy of {asked.id}.")
