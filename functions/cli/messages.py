"""messages undecided, resolve: what a person says of a message that nobody knows the fate of."""

from typing import Any
from uuid import UUID

import orjson

from functions.cli.command import Call, Commands, add_command, add_group
from functions.cli.output import cut, printable
from functions.cli.times import both
from functions.messaging import rpc

Json = dict[str, Any]
OUTCOMES = {
    "accepted": "was sent",
    "failed": "was not sent; to send it again, send another message",
}


def add(groups: Commands) -> None:
    commands = add_group(groups, "messages", "messages that need a person's word")
    listing = add_command(commands, "undecided", list_undecided, "was it sent? newest first")
    listing.add_argument("--company", type=UUID, required=True, metavar="ID")
    listing.add_argument("--limit", type=int, default=50, choices=range(1, 201), metavar="N")
    listing.add_argument("--cursor", metavar="CURSOR")
    resolve = add_command(commands, "resolve", resolve_message, "say what the phone shows")
    resolve.add_argument("id", type=UUID, metavar="ID")
    resolve.add_argument("decision", choices=("sent", "not_sent"))


async def list_undecided(call: Call) -> None:
    asked, out = call.options, call.out
    service, company = call.db.as_service(), str(asked.company)
    answer = await rpc.list_undecided(service, company, asked.limit, asked.cursor)
    found = orjson.loads(answer.body)
    if out.as_json:
        return out.answer(found)
    header = ["ID", "WHEN (UTC)", "CONVERSATION", "WHY", "SAID"]
    for line in out.table(header, [_line(row) for row in found["data"]]):
        out.write(line)
    if not found["data"]:
        out.remark("No message needs a decision.")
    if found["next_cursor"] is not None:
        out.remark(f"There are more: add --cursor {found['next_cursor']}")
    return None


def _line(row: Json) -> list[Any]:
    said = cut(printable(row["body"] or f"[{row['type']}]"), 60)
    return [row["id"], both(row["occurred_at"]), row["conversation_id"], row["error_code"], said]


async def resolve_message(call: Call) -> None:
    asked = call.options
    answer = await rpc.resolve_message(call.db.as_service(), asked.id, asked.decision, None)
    row = orjson.loads(answer.body)
    outcome = OUTCOMES["failed" if row["status"] == "failed" else "accepted"]
    call.answer(row, f"Message {row['id']} {outcome}.")
