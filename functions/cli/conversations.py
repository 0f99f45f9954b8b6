"""conversations list, show, assign, close, search: the inbox of a company."""

from typing import Any, get_args
from uuid import UUID

import orjson

from functions.cli.command import Call, Commands, add_command, add_group
from functions.cli.output import cut, printable
from functions.cli.times import both
from functions.messaging.conversations import Conversations
from functions.messaging.search import Search, Sort

Json = dict[str, Any]
STATUSES = ("open", "pending", "closed")
KINDS = ("direct", "group", "broadcast", "newsletter")


def add(groups: Commands) -> None:
    commands = add_group(groups, "conversations", "the inbox of a company")
    _add_list(commands)
    show = add_command(commands, "show", show_conversation, "one of them, and who did what")
    assign = add_command(commands, "assign", assign_conversation, "give it to a member, or nobody")
    close = add_command(commands, "close", close_conversation, "done; a new message opens it again")
    for command in (show, assign, close):
        command.add_argument("id", type=UUID, metavar="ID")
    assign.add_argument("member", metavar="MEMBER|none", help="the id of a user")
    search = add_command(commands, "search", search_company, "messages, or contacts, by words")
    search.add_argument("query", metavar="WORDS")
    search.add_argument("--company", type=UUID, required=True, metavar="ID")
    search.add_argument("--contacts", action="store_true", help="by name or phone")
    search.add_argument("--sort", choices=get_args(Sort), default="relevance")
    search.add_argument("--limit", type=int, default=20, choices=range(1, 101), metavar="N")
    search.add_argument("--cursor", metavar="CURSOR")


def _add_list(commands: Commands) -> None:
    listing = add_command(commands, "list", list_conversations, "newest first")
    listing.add_argument("--company", type=UUID, required=True, metavar="ID")
    listing.add_argument("--status", choices=STATUSES)
    listing.add_argument("--assignee", metavar="MEMBER|none")
    listing.add_argument("--unread", action="store_true", default=None)
    listing.add_argument("--instance", type=UUID, metavar="ID", help="of this number")
    listing.add_argument("--kind", choices=KINDS)
    listing.add_argument("--sort", choices=("newest", "waiting"), default="newest")
    listing.add_argument("--limit", type=int, default=50, choices=range(1, 201), metavar="N")
    listing.add_argument("--cursor", metavar="CURSOR")


def _conversations(call: Call) -> Conversations:
    return Conversations(call.db.as_service())


async def list_conversations(call: Call) -> None:
    asked = call.options
    answer = await _conversations(call).list_conversations(
        str(asked.company),
        status=asked.status,
        assignee=asked.assignee,
        unread=asked.unread,
        instance_id=asked.instance,
        kind=asked.kind,
        sort=asked.sort,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    header = ["ID", "STATUS", "ASSIGNEE", "UNREAD", "LAST (UTC)", "WAITING SINCE (UTC)", "CHAT"]
    _show_page(call, orjson.loads(answer.body), header, _line_of_inbox, "No such conversation.")


def _line_of_inbox(row: Json) -> list[Any]:
    return [
        row["id"],
        row["status"],
        row["assignee_id"] or "-",
        row["unread"],
        both(row["last_message_at"]),
        both(row["waiting_since"]),
        row["title"] or row["address"],
    ]


def _show_page(call: Call, page: Json, header: list[str], line: Any, nothing: str) -> None:
    out = call.out
    if out.as_json:
        return out.answer(page)
    for text in out.table(header, [line(row) for row in page["data"]]):
        out.write(text)
    if not page["data"]:
        out.remark(nothing)
    if page["next_cursor"] is not None:
        out.remark(f"There may be more: add --cursor {page['next_cursor']}")
    return None


async def show_conversation(call: Call) -> None:
    found = orjson.loads((await _conversations(call).get_conversation(str(call.options.id))).body)
    out = call.out
    if out.as_json:
        return out.answer(found)
    contact = found["contact"] or {}
    kept = ("status", "assignee_id", "unread", "kind", "company_id", "instance_id", "rev")
    times = ("last_message_at", "waiting_since", "window_closes_at", "bot_paused_until")
    out.facts(
        {"contact": contact.get("name") or found["title"], "phone": contact.get("phone")}
        | {name: found[name] for name in kept}
        | {name: both(found[name]) for name in times}
    )
    if found["events"]:
        out.write()
        rows = [_event(event) for event in found["events"]]
        for line in out.table(["WHEN (UTC)", "WHAT", "FROM", "TO", "BY"], rows):
            out.write(line)
    return None


def _event(event: Json) -> list[Any]:
    by = event["actor_id"] or event["cause"]
    values = [event["old_value"] or "-", event["new_value"] or "-"]
    return [both(event["created_at"]), event["action"], *values, by]


async def assign_conversation(call: Call) -> None:
    member = call.options.member
    row = await _change(call, {"assignee_id": None if member == "none" else member})
    call.answer(row, f"Conversation {row['id']} is {'nobody' if member == 'none' else member}'s.")


async def close_conversation(call: Call) -> None:
    row = await _change(call, {"status": "closed"})
    call.answer(row, f"Conversation {row['id']} is closed.")


async def _change(call: Call, changes: Json) -> Json:
    answer = await _conversations(call).update_conversation(str(call.options.id), changes)
    row: Json = orjson.loads(answer.body)
    return row


async def search_company(call: Call) -> None:
    asked, search = call.options, Search(call.db.as_service())
    where = (str(asked.company), asked.limit, asked.cursor)
    if asked.contacts:
        answer = await search.contacts(asked.query, *where)
        header = ["ID", "NAME", "PHONE", "CONVERSATIONS"]
    else:
        answer = await search.messages(asked.query, where[0], asked.sort, *where[1:])
        header = ["CONVERSATION", "WHEN (UTC)", "CHAT", "SAID"]
    line = _line_of_contact if asked.contacts else _line_of_message
    _show_page(call, orjson.loads(answer.body), header, line, "Nothing found.")


def _line_of_contact(row: Json) -> list[Any]:
    return [row["id"], row["name"] or "-", row["phone"] or "-", len(row["conversation_ids"])]


def _line_of_message(row: Json) -> list[Any]:
    said = cut(printable(row["body"]), 80)
    return [row["conversation_id"], both(row["occurred_at"]), row["title"], said]
