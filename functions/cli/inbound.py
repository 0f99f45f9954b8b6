"""inbound list, show, waiting, reprocess, retention, replay: what providers posted, read again."""

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any, get_args

from functions.cli.command import Call, Commands, UsageError, add_command, add_group
from functions.cli.contacts import first
from functions.cli.jobs import positive
from functions.cli.output import Output, printable
from functions.cli.times import both, moment_or_age
from functions.core.errors import AppError, InvalidRequest
from functions.messaging import changes
from functions.messaging.inbound_events import ItemFilter, Items, ItemState
from functions.messaging.replay import captured, replay

Json = dict[str, Any]
# Of a list where a filter finds little: each page looks at thousands of items.
PAGES = 20


def add(groups: Commands) -> None:
    commands = add_group(groups, "inbound", "what providers posted, and reading it again")
    listing = add_command(commands, "list", list_items, "items, newest first, without bodies")
    _add_filters(listing)
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    listing.add_argument("--cursor", help="go on where a list ended")
    show = add_command(commands, "show", show_item, "all about an item, with its body")
    show.add_argument("id", type=positive, metavar="ID")
    waiting = add_command(
        commands, "waiting", list_waiting, "reactions, edits, revokes whose message is not known"
    )
    waiting.add_argument("number", metavar="NUMBER-ID")
    waiting.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    again = add_command(
        commands, "reprocess", reprocess, "read again; by default what failed or is unknown"
    )
    _add_filters(again)
    again.add_argument("--limit", type=positive, metavar="N", help="at most; default: all")
    keep = add_command(commands, "retention", set_retention, "for how many days bodies are kept")
    keep.add_argument("days", type=positive, nargs="?", metavar="DAYS")
    keep.add_argument("--company", metavar="ID", help="of it alone; without DAYS as all others")
    offline = add_command(
        commands, "replay", replay_files, "what captured bodies become; needs no project"
    )
    offline.add_argument(
        "files", metavar="FILE", nargs="+", help="JSON or JSON lines, or a folder; - reads stdin"
    )
    offline.add_argument("--provider", metavar="NAME", required=True, help="e.g. evolution, meta")
    offline.add_argument("--instance", metavar="NAME", help="whose address took it (Evolution)")
    offline.set_defaults(offline=True)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--company", metavar="ID")
    parser.add_argument("--provider", metavar="NAME", help="e.g. evolution, meta")
    parser.add_argument("--endpoint", metavar="ID")
    parser.add_argument("--kind", metavar="KIND", help="e.g. messages.upsert, statuses")
    parser.add_argument(
        "--state", choices=get_args(ItemState), metavar="|".join(get_args(ItemState))
    )
    parser.add_argument("--outcome", metavar="WORD", help="e.g. message, unknown, unsupported")
    parser.add_argument("--after", type=moment_or_age, metavar="WHEN", help="received; or 1d")
    parser.add_argument("--before", type=moment_or_age, metavar="WHEN", help="received; or 1d")


def _filter(asked: argparse.Namespace) -> ItemFilter:
    return ItemFilter(
        asked.company, asked.provider, asked.endpoint, asked.kind, asked.state, asked.outcome,
        asked.after, asked.before,
    )  # fmt: skip


def _items(call: Call) -> Items:
    return Items(call.db.as_service())


async def list_waiting(call: Call) -> None:
    asked, service = call.options, call.db.as_service()
    fetch = partial(changes.list_waiting, service, asked.number, None)
    found = await first(asked.limit, fetch)
    if call.out.as_json:
        return call.out.answer(found)
    rows = [[row["target"], row["type"], both(row["received_at"]), row["body"]] for row in found]
    for line in call.out.table(["MESSAGE", "TYPE", "RECEIVED (UTC)", "TEXT"], rows):
        call.out.write(line)
    return None


async def list_items(call: Call) -> None:
    asked, out = call.options, call.out
    found: list[Json] = []
    cursor = asked.cursor
    for _ in range(PAGES + math.ceil(asked.limit / 200)):
        page = await _items(call).list(_filter(asked), min(200, asked.limit - len(found)), cursor)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None or len(found) >= asked.limit:
            break
    if out.as_json:
        return out.answer({"data": found, "next_cursor": cursor})
    header = ["ID", "STATE", "PROVIDER", "KIND", "OUTCOME", "RECEIVED (UTC)", "REASON"]
    names = ("id", "state", "provider", "kind", "outcome")
    rows = [
        [*(item[name] or "-" for name in names), both(item["received_at"]), item["reason"] or ""]
        for item in found
    ]
    for line in out.table(header, rows):
        out.write(line)
    if not found:
        out.remark("No such item." if cursor is None else "None among those looked at.")
    if cursor is not None:
        out.remark(f"There may be more: add --cursor {cursor}")
    return None


async def show_item(call: Call) -> None:
    found, out = await _items(call).find(call.options.id), call.out
    if out.as_json:
        return out.answer(found)
    times = ("received_at", "processed_at", "body_dropped_at")
    shown = {name: found[name] for name in found if name not in (*times, "raw", "has_body")}
    out.facts(shown | {name: both(found[name]) for name in times})
    if found["raw"] is not None:
        out.document("body", found["raw"])
    return None


async def reprocess(call: Call) -> None:
    asked = call.options
    started, cursor = 0, None
    while True:
        left = 1000 if asked.limit is None else min(1000, asked.limit - started)
        answer = await _items(call).reprocess(_filter(asked), left, cursor)
        started += answer["reprocessed"]
        cursor = answer["next_cursor"]
        if cursor is None or (asked.limit is not None and started >= asked.limit):
            break
    call.answer({"reprocessed": started}, f"{started} items are read again.")


async def set_retention(call: Call) -> None:
    asked = call.options
    if asked.days is None and asked.company is None:
        raise UsageError("For how many days? Without DAYS, --company says whose setting ends.")
    answer = await _items(call).set_retention(asked.days, asked.company)
    whose = f"of {printable(asked.company)}" if asked.company else "of all without a setting"
    call.answer(answer, f"Bodies {whose} are kept for {answer['days']} days.")


async def replay_files(call: Call) -> None:
    from functions.app import PROVIDERS  # the whole API, which no other command here needs

    asked, out = call.options, call.out
    provider = PROVIDERS.get(asked.provider)
    if provider is None:
        raise UsageError(f"There is no such provider: choose {' or '.join(PROVIDERS)}.")
    sources = _sources(asked.files)
    read: list[Json] = []
    failed = 0
    for source in sources:
        try:
            items = [
                item
                for body in captured(_read(source))
                for item in replay(provider, body, asked.instance)
            ]
        except AppError as error:
            if len(sources) == 1:
                raise
            failed += 1
            out.remark(f"{printable(source)}: {error.detail.removeprefix(source).strip()}")
            continue
        if not out.as_json:
            _show(out, source if len(sources) > 1 else None, items)
        read += [{"file": source, **item} for item in items]
    if out.as_json:
        out.answer(read)
    events = [event["event"] for item in read for event in item["events"]]
    out.remark(f"{len(read)} items, {len(events)} events, {events.count('unknown')} unknown.")
    if failed:
        raise InvalidRequest(
            f"{failed} of {len(sources)} files could not be read.", code="invalid_capture"
        )


def _show(out: Output, source: str | None, items: list[Json]) -> None:
    if source is not None:
        out.write(out.style(printable(source), "dim"))
    for item in items:
        out.write(out.style(f"{item['kind']}  {item['route'] or ''}".rstrip(), "bold"))
        for event in item["events"]:
            told = {name: value for name, value in event.items() if value not in (None, [], {})}
            out.document(told.pop("event"), told)
        out.write()


def _sources(named: list[str]) -> list[str]:
    """The files, and in place of a folder those in it."""
    found: list[str] = []
    for name in named:
        inside = (path for path in Path(name).rglob("*") if path.suffix in (".json", ".jsonl"))
        found += sorted(map(str, inside)) if name != "-" and Path(name).is_dir() else [name]
    if not found:
        raise UsageError("There is no .json or .jsonl file in it.")
    return found


def _read(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from None
