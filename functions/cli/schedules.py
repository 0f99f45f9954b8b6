"""schedules list, show, set, pause, resume, delete: recurring work."""

import argparse
from typing import Any, get_args

from functions.cli.command import Call, Commands, add_command, add_group, confirm
from functions.cli.jobs import add_data
from functions.cli.output import printable
from functions.cli.times import both, clock, relative
from functions.core.errors import NotFound
from functions.jobs.models import CatchUp, NewSchedule
from functions.jobs.schedules import Schedules

Json = dict[str, Any]


def add(groups: Commands) -> None:
    commands = add_group(groups, "schedules", "recurring work", list_schedules)
    listing = add_command(commands, "list", list_schedules, "schedules by name")
    listing.add_argument("--company", metavar="ID")
    _add_set(commands)
    for name, run, help in (
        ("show", show_schedule, "all about a schedule, with the data of its jobs"),
        ("pause", pause_schedule, "add no more jobs until it is resumed"),
        ("resume", resume_schedule, "go on with the next slot"),
        ("delete", delete_schedule, "remove it; its jobs stay"),
    ):
        command = add_command(commands, name, run, help)
        command.add_argument("name", metavar="NAME")
        if name == "delete":
            command.add_argument("--yes", action="store_true", help="do not ask")


def _add_set(commands: Commands) -> None:
    define = add_command(commands, "set", set_schedule, "add a schedule, or replace it")
    define.add_argument("name", metavar="NAME")
    define.add_argument("type", metavar="TYPE", help="of its jobs, e.g. reports.send")
    define.add_argument("cron", metavar="CRON", help="e.g. '30 8 * * MON-FRI'")
    define.add_argument("--time-zone", default="UTC", metavar="ZONE", help="America/Sao_Paulo")
    add_data(define)
    define.add_argument("--queue", metavar="NAME", help="default: that of the type")
    define.add_argument("--priority", type=int, choices=range(10), metavar="0-9")
    define.add_argument("--max-attempts", type=int, metavar="N")
    define.add_argument("--catch-up", choices=get_args(CatchUp), default="one")
    define.add_argument("--company", metavar="ID", help="whose jobs these are")
    define.add_argument("--paused", action=argparse.BooleanOptionalAction)


async def list_schedules(call: Call) -> None:
    found: list[Json] = []
    cursor = None
    while True:
        company_id = getattr(call.options, "company", None)
        page = await call.lists.list_schedules(company_id, 200, cursor)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    if call.out.as_json:
        return call.out.answer(found)
    header = ["NAME", "STATE", "TYPE", "CRON", "TIME ZONE", "NEXT (UTC)", "LAST (UTC)", "ERROR"]
    rows = [
        [
            schedule["name"],
            _state(schedule),
            schedule["type"],
            schedule["cron"],
            schedule["time_zone"],
            "-" if schedule["paused"] else both(schedule["next_run_at"]),
            both(schedule["last_run_at"]),
            schedule["error"] or "",
        ]
        for schedule in found
    ]
    for line in call.out.table(header, rows):
        call.out.write(line)
    return None


def _state(schedule: Json) -> str:
    return "paused" if schedule["paused"] else "ok"


async def show_schedule(call: Call) -> None:
    schedule = await call.queue.find_schedule(call.options.name, None)
    if call.out.as_json:
        return call.out.answer(schedule)
    times = ("next_run_at", "last_run_at", "created_at")
    call.out.facts(
        {name: value for name, value in schedule.items() if name not in ("data", "paused", *times)}
        | {"state": _state(schedule)}
        | {name: both(schedule[name]) for name in times}
    )
    call.out.document("data", schedule["data"])
    return None


async def set_schedule(call: Call) -> None:
    asked = call.options
    schedule = await Schedules(call.queue).set(
        NewSchedule(
            asked.name,
            asked.type,
            asked.cron,
            asked.time_zone,
            asked.data or {},
            company_id=asked.company,
            queue=asked.queue,
            priority=asked.priority,
            max_attempts=asked.max_attempts,
            catch_up=asked.catch_up,
            paused=asked.paused,
        )
    )
    call.answer(schedule, _next(schedule))


async def pause_schedule(call: Call) -> None:
    schedule = await Schedules(call.queue).pause(call.options.name)
    call.answer(schedule, _next(schedule))


async def resume_schedule(call: Call) -> None:
    schedule = await Schedules(call.queue).resume(call.options.name)
    call.answer(schedule, _next(schedule))


def _next(schedule: Json) -> str:
    name = printable(schedule["name"])
    if schedule["paused"]:
        return f"Schedule {name} is paused."
    at = schedule["next_run_at"]
    return f"Schedule {name} runs next at {clock(at)} UTC, {relative(at)}."


async def delete_schedule(call: Call) -> None:
    name = call.options.name
    await call.queue.find_schedule(name, None)
    await confirm(call, f"This removes the schedule {printable(name)}.")
    if not await Schedules(call.queue).delete(name):
        raise NotFound("There is no schedule of this name.", code="schedule_not_found")
    call.answer({"name": name, "deleted": True}, f"Schedule {printable(name)} is removed.")
