"""pace set, resume; rules show, set: how fast and when numbers send."""

import argparse
from datetime import date, time
from typing import Any
from uuid import UUID

import orjson

from functions.cli.command import Call, Commands, UsageError, add_command, add_group
from functions.messaging import rpc

Json = dict[str, Any]


def add(groups: Commands) -> None:
    pace = add_group(groups, "pace", "how fast a number sends")
    change = add_command(pace, "set", set_pace, "change it; none takes a limit away")
    for name, kind, meaning in (
        ("rate-per-minute", float, "messages"),
        ("gap-seconds", float, "between any two messages"),
        ("jitter-seconds", float, "up to so much more, by chance"),
        ("daily-cap", int, "people it writes to first in a day"),
        ("warmup-started-on", date.fromisoformat, "the cap grows for two weeks from this day"),
        ("portfolio-id", str, "Meta: numbers of one portfolio share its limit"),
        ("portfolio-limit", int, "people in 24 hours"),
    ):
        change.add_argument(f"--{name}", type=_or_none(kind), metavar="VALUE", help=meaning)
    resume = add_command(pace, "resume", resume_sending, "its cause is mended: end its pauses")
    for command in (change, resume):
        command.add_argument("id", type=UUID, metavar="NUMBER")
        command.add_argument("--company", type=UUID, required=True, metavar="ID")
    rules = add_group(groups, "rules", "when a company writes to nobody who did not write first")
    show = add_command(rules, "show", show_rules, "quiet hours and days, by the company's clock")
    setting = add_command(rules, "set", set_rules, "change them, also for what waits already")
    for command in (show, setting):
        command.add_argument("--company", type=UUID, required=True, metavar="ID")
    setting.add_argument("--quiet-from", type=time.fromisoformat, metavar="HH:MM")
    setting.add_argument("--quiet-until", type=time.fromisoformat, metavar="HH:MM")
    setting.add_argument("--quiet-days", type=_days, metavar="DAYS", help="6,7: weekends; or none")


def _or_none(kind: Any) -> Any:
    def read(text: str) -> Any:
        if text == "none":
            return text
        try:
            return kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text} is neither a value nor none") from None

    return read


def _days(text: str) -> list[int]:
    try:
        return [] if text == "none" else [int(day) for day in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError("days are numbers, 1 is Monday: 6,7") from None


def _given(call: Call, *names: str) -> Json:
    found = {name: getattr(call.options, name) for name in names}
    if all(value is None for value in found.values()):
        raise UsageError("There is nothing to change.", hint="Name what it shall be: see --help.")
    return {
        name: None if value == "none" else str(value) if isinstance(value, date | time) else value
        for name, value in found.items()
        if value is not None
    }


def _show(call: Call, row: Json) -> None:
    if call.out.as_json:
        return call.out.answer(row)
    return call.out.facts({name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else value


async def set_pace(call: Call) -> None:
    wanted = _given(
        call, "rate_per_minute", "gap_seconds", "jitter_seconds", "daily_cap", "warmup_started_on",
        "portfolio_id", "portfolio_limit",
    )  # fmt: skip
    company = str(call.options.company)
    answer = await rpc.set_number_pace(call.db.as_service(), call.options.id, wanted, company)
    _show(call, orjson.loads(answer.body))


async def resume_sending(call: Call) -> None:
    row = await rpc.resume_sending(call.db.as_service(), call.options.id, str(call.options.company))
    call.answer(row, "Its pauses have ended.")


async def show_rules(call: Call) -> None:
    answer = await rpc.get_sending_rules(call.db.as_service(), str(call.options.company))
    _show(call, orjson.loads(answer.body))


async def set_rules(call: Call) -> None:
    wanted = _given(call, "quiet_from", "quiet_until", "quiet_days")
    company = str(call.options.company)
    answer = await rpc.set_sending_rules(call.db.as_service(), wanted, company)
    _show(call, orjson.loads(answer.body))
