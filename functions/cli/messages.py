"""messages send, list, undecided, resolve: what goes out, and what a person says of a message that
nobody knows the fate of."""

from typing import Any
from uuid import UUID, uuid4

import orjson

from functions.cli.command import (
    Call,
    Commands,
    UsageError,
    add_command,
    add_group,
    json_object,
    what_is_wrong,
)
from functions.cli.output import cut, printable
from functions.cli.times import both
from functions.messaging import rpc

Json = dict[str, Any]
OUTCOMES = {
    "accepted": "was sent",
    "failed": "was not sent; to send it again, send another message",
}


def add(groups: Commands) -> None:
    commands = add_group(groups, "messages", "send, list, and say whether one was sent")
    _add_send(commands)
    of_one = add_command(commands, "list", list_messages, "of a conversation, newest first")
    of_one.add_argument("conversation", type=UUID, metavar="CONVERSATION")
    of_one.add_argument("--limit", type=int, default=50, choices=range(1, 201), metavar="N")
    of_one.add_argument("--cursor", metavar="CURSOR")
    listing = add_command(commands, "undecided", list_undecided, "was it sent? newest first")
    listing.add_argument("--company", type=UUID, required=True, metavar="ID")
    listing.add_argument("--limit", type=int, default=50, choices=range(1, 201), metavar="N")
    listing.add_argument("--cursor", metavar="CURSOR")
    resolve = add_command(commands, "resolve", resolve_message, "say what the phone shows")
    resolve.add_argument("id", type=UUID, metavar="ID")
    resolve.add_argument("decision", choices=("sent", "not_sent"))


def _add_send(commands: Commands) -> None:
    send = add_command(commands, "send", send_message, "queue a message; twice with one id is once")
    send.add_argument("body", nargs="?", metavar="TEXT", help="text or caption")
    send.add_argument("--company", type=UUID, required=True, metavar="ID")
    send.add_argument("--number", type=UUID, metavar="ID", help="ours to send from, with --to")
    send.add_argument("--to", metavar="PHONE", help="with country code")
    send.add_argument("--conversation", type=UUID, metavar="ID", help="for --number and --to")
    send.add_argument("--id", type=UUID, metavar="ID", help="of the message; else one is made")
    send.add_argument("--purpose", choices=("service", "marketing"), default="service")
    send.add_argument(
        "--message", type=json_object, default={}, metavar="OBJECT",
        help="the rest, as POST /api/messages takes it: an object, @file, or - for stdin",
    )  # fmt: skip


async def send_message(call: Call) -> None:
    from pydantic import ValidationError

    from functions.messaging.outgoing import NewMessage

    asked = call.options
    given = {
        "id": asked.id or uuid4(), "body": asked.body, "purpose": asked.purpose, "to": asked.to,
        "instance_id": asked.number, "conversation_id": asked.conversation,
    }  # fmt: skip
    try:
        message = NewMessage(**asked.message | {k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise UsageError(f"This is no message: {what_is_wrong(error)}.") from None
    answer = await rpc.send_message(call.db.as_service(), message, str(asked.company))
    row = orjson.loads(answer.body)
    call.answer(row, f"Message {row['id']} is {row['status']}.")


async def list_messages(call: Call) -> None:
    asked, out = call.options, call.out
    params = {"p_conversation_id": asked.conversation, "p_limit": asked.limit}
    answer = await rpc.list_messages(call.db.as_service(), params | {"p_cursor": asked.cursor})
    found = orjson.loads(answer.body)
    if out.as_json:
        return out.answer(found)
    header = ["ID", "WHEN (UTC)", "BY", "STATUS", "SAID"]
    rows = [
        [row["id"], both(row["occurred_at"]), row["origin"], row["status"], _said(row)]
        for row in found["data"]
    ]
    for line in out.table(header, rows):
        out.write(line)
    if found["next_cursor"] is not None:
        out.remark(f"There are more: add --cursor {found['next_cursor']}")
    return None


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
    when = both(row["occurred_at"])
    return [row["id"], when, row["conversation_id"], row["error_code"], _said(row)]


def _said(row: Json) -> str:
    return cut(printable(row["body"] or f"[{row['type']}]"), 60)


async def resolve_message(call: Call) -> None:
    asked = call.options
    answer = await rpc.resolve_message(call.db.as_service(), asked.id, asked.decision, None)
    row = orjson.loads(answer.body)
    outcome = OUTCOMES["failed" if row["status"] == "failed" else "accepted"]
    call.answer(row, f"Message {row['id']} {outcome}.")
