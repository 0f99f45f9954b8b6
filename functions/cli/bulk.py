"""jobs cancel, jobs replay: one job, or all that a filter means."""

import argparse
from collections.abc import Mapping
from typing import Any

from functions.cli.command import Call, Commands, UsageError, add_command, confirm
from functions.cli.jobs import add_filters, positive
from functions.cli.times import moment, moment_or_age, seconds

# Per call of the database, the most it takes.
BATCH = 5000
# What count_jobs counts to.
COUNTED = 10_000


def add(commands: Commands) -> None:
    cancel = add_command(commands, "cancel", cancel_jobs, "cancel a job, or those of a filter")
    _add_which(cancel, ("waiting", "scheduled", "running"))
    cancel.add_argument("--before", type=moment_or_age, metavar="WHEN", help="made before: 1d")
    cancel.add_argument("--running", action="store_true", help="the job of this ID also if it runs")
    replay = add_command(commands, "replay", replay_jobs, "start failed or cancelled jobs anew")
    _add_which(replay, ("failed", "cancelled"))
    replay.add_argument("--error", metavar="TEXT", help="a part of their error")
    replay.add_argument("--after", type=moment_or_age, metavar="WHEN", help="ended after: 2h")
    replay.add_argument("--before", type=moment_or_age, metavar="WHEN", help="ended before")
    replay.add_argument("--at", type=moment, metavar="WHEN", help="not before; default now")
    replay.add_argument(
        "--spread", type=seconds, default=0.0, metavar="TIME", help="start them evenly over 1h"
    )


def _add_which(parser: argparse.ArgumentParser, states: tuple[str, ...]) -> None:
    parser.add_argument("id", type=positive, nargs="?", metavar="ID")
    add_filters(parser, states)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only count them")


async def cancel_jobs(call: Call) -> None:
    asked = call.options
    which = _filter(asked, state=asked.state, before=asked.before)
    if asked.id:
        _only_an_id(asked, which)
        answer = await call.operator.cancel_job(asked.id, asked.running)
        return call.answer(answer, f"Job {asked.id} is cancelled.")
    if asked.running:
        raise UsageError("--running goes with an ID.", hint="For a filter: --state running.")
    if not await _meant(call, "cancel", which):
        return None
    cancelled = 0
    while True:
        answer = await call.operator.cancel_jobs(**which, limit=BATCH)
        cancelled += answer["cancelled"]
        # What changed hands meanwhile is left over; a second call would not find it either.
        if not answer["left"] or not answer["cancelled"]:
            break
        call.out.remark(f"{cancelled} cancelled ...")
    return call.answer(answer | {"cancelled": cancelled}, f"{cancelled} jobs are cancelled.")


async def replay_jobs(call: Call) -> None:
    asked = call.options
    which = _filter(asked, error=asked.error, after=asked.after, before=asked.before)
    if asked.id:
        _only_an_id(asked, which)
        answer = await call.operator.replay_job(asked.id, asked.at)
        return call.answer(answer, f"Job {asked.id} starts anew.")
    status = asked.state or "failed"
    if not await _meant(call, "replay", which, status):
        return None
    replayed = 0
    while True:
        answer = await call.operator.replay_jobs(
            **which, status=status, run_at=asked.at, spread_seconds=asked.spread, limit=BATCH
        )
        replayed += answer["replayed"]
        if not answer["left"] or not answer["replayed"]:
            break
        call.out.remark(f"{replayed} replayed ...")
    return call.answer(answer | {"replayed": replayed}, f"{replayed} jobs start anew.")


def _filter(asked: argparse.Namespace, **more: Any) -> dict[str, Any]:
    given = {"queue": asked.queue, "type": asked.type, "company_id": asked.company} | more
    return {name: value for name, value in given.items() if value is not None}


def _only_an_id(asked: argparse.Namespace, which: Mapping[str, Any]) -> None:
    if which or asked.state or asked.dry_run:
        raise UsageError("Give an ID or a filter, not both.")


async def _meant(
    call: Call, verb: str, which: Mapping[str, Any], status: str | None = None
) -> bool:
    """Counts, and asks before anything is done; False where counting was all that was asked."""
    if not which:
        raise UsageError("Give an ID, or a filter such as --queue or --type.")
    count = await call.lists.count_jobs(which, status)
    number = f"at least {count}" if count == COUNTED else str(count)
    if call.options.dry_run:
        call.answer({"jobs": count}, f"{number} jobs are meant.")
        return False
    if count:
        await confirm(call, f"This means {number} jobs to {verb}.")
    return True
