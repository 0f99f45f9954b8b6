"""queues, queues pause, resume, limit; keys limit: what holds jobs back."""

import argparse
from collections.abc import Mapping
from typing import Any

from functions.cli.command import Call, Commands, UsageError, add_command, add_group
from functions.cli.output import Output, printable
from functions.cli.times import both, moment, seconds, span

Json = dict[str, Any]


def add(groups: Commands) -> None:
    queues = add_group(
        groups, "queues", "how the queues do; pause, resume and limit them", list_queues
    )
    add_command(queues, "list", list_queues, "how the queues do")
    pause = add_command(queues, "pause", pause_queue, "start nothing more; what runs goes on")
    pause.add_argument("name", metavar="NAME")
    resume = add_command(queues, "resume", resume_queue, "start again")
    resume.add_argument("name", metavar="NAME")
    limit = add_command(queues, "limit", limit_queue, "change limits; none takes one away")
    limit.add_argument("name", metavar="NAME")
    _add_rate(limit)
    limit.add_argument(
        "--concurrency", type=_or_none(int), metavar="N|none", help="running at once"
    )
    limit.add_argument("--keep-completed", type=seconds, metavar="TIME", help="how long they stay")
    limit.add_argument("--keep-failed", type=seconds, metavar="TIME", help="how long they stay")
    keys = add_group(groups, "keys", "limit keys: a phone number, an API account")
    key = add_command(keys, "limit", limit_key, "change limits of a key; none takes one away")
    key.add_argument("key", metavar="KEY")
    _add_rate(key)
    rest = key.add_mutually_exclusive_group()
    rest.add_argument("--block-until", type=moment, metavar="WHEN", help="start nothing before")
    rest.add_argument("--unblock", action="store_true", help="start again at once")


def _add_rate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=_or_none(float), metavar="N|none", help="jobs per second")
    parser.add_argument("--burst", type=int, metavar="N", help="how many at once, after a pause")


def _or_none(number: type[int] | type[float]) -> Any:
    def parse(text: str) -> Any:
        return NOTHING if text == "none" else number(text)

    parse.__name__ = "number"  # for argparse: "invalid number value"
    return parse


class _Nothing:
    """A limit that was taken away, as against one that was not named."""


NOTHING = _Nothing()


async def list_queues(call: Call) -> None:
    stats = await call.queue.queue_stats()
    if call.out.as_json:
        return call.out.answer(stats)
    for line in queues_table(call.out, stats):
        call.out.write(line)
    return None


def queues_table(out: Output, stats: Mapping[str, Json], room: int | None = None) -> list[str]:
    """One line per queue; rates and waits are of the last five minutes. With less room than
    queues, the busiest."""
    header = ["QUEUE", "HEALTH", "WAITING", "RUNNING", "SCHEDULED", "FAILED", "DONE/S"]
    header += ["OLDEST", "EMPTY IN", "WAIT P95", "LIMITS"]
    shown = list(stats)
    if room is not None and room < len(shown):
        shown = sorted(sorted(stats, key=lambda name: _activity(stats[name]))[: max(room - 1, 1)])
    lines = out.table(header, [_row(name, stats[name]) for name in shown])
    if len(shown) < len(stats):
        lines.append(out.style(f"{len(stats) - len(shown)} more queues", "dim"))
    return lines


def _activity(queue: Json) -> tuple[int, ...]:
    """Sorts what needs a look first."""
    return tuple(-queue[count] for count in ("running", "waiting", "failed", "scheduled"))


def _row(name: str, queue: Json) -> list[Any]:
    ends, rates = queue["seconds_until_empty"], queue["rates"]
    return [
        name,
        "paused" if queue["paused"] else queue["health"],
        *(queue[count] for count in ("waiting", "running", "scheduled", "failed")),
        round(float(rates["completed_per_second"]), 1),
        _waited(queue["oldest_waiting_seconds"]),
        "never" if ends is None else _waited(ends),
        span(rates["wait_seconds_p95"]),
        limits(queue),
    ]


def _waited(total: float) -> str:
    return span(total) if total else "-"


def limits(queue: Json) -> str:
    """rate 20/s burst 40, 5 at once, blocked until ..."""
    said = []
    if queue["rate_per_second"] is not None:
        said.append(f"{queue['rate_per_second']:g}/s burst {queue['burst']}")
    if queue.get("concurrency") is not None:
        said.append(f"{queue['concurrency']} at once")
    if queue["blocked_until"] is not None:
        said.append(f"blocked until {both(queue['blocked_until'])}")
    return ", ".join(said)


async def pause_queue(call: Call) -> None:
    queue = await call.operator.pause_queue(call.options.name)
    call.answer(queue, f"Queue {queue['name']} is paused: nothing more starts, what runs goes on.")


async def resume_queue(call: Call) -> None:
    queue = await call.operator.resume_queue(call.options.name)
    call.answer(queue, f"Queue {queue['name']} is not paused.")


async def limit_queue(call: Call) -> None:
    asked = call.options
    changes = _changes(asked, rate_per_second="rate", burst="burst", concurrency="concurrency")
    for name in ("keep_completed", "keep_failed"):
        if getattr(asked, name) is not None:
            changes[name] = f"{getattr(asked, name):f} seconds"
    if not changes:
        raise UsageError("Name a limit to change, e.g. --rate 20.")
    queue = await call.operator.set_queue_limits(asked.name, changes)
    call.answer(queue, f"Queue {queue['name']}: {limits(queue) or 'no limits'}.")


async def limit_key(call: Call) -> None:
    asked = call.options
    changes = _changes(asked, rate_per_second="rate", burst="burst")
    if asked.block_until or asked.unblock:
        changes["blocked_until"] = asked.block_until
    if not changes:
        raise UsageError("Name a limit to change, e.g. --rate 1.")
    key = await call.operator.set_key_limits(asked.key, changes)
    call.answer(key, f"Key {printable(key['limit_key'])}: {limits(key) or 'no limits'}.")


def _changes(asked: argparse.Namespace, **options: str) -> Json:
    given = {limit: getattr(asked, option) for limit, option in options.items()}
    named = {limit: value for limit, value in given.items() if value is not None}
    return {limit: None if value is NOTHING else value for limit, value in named.items()}
