"""contacts list, conflicts, explain, merge, export, erase: who a contact is, and their rights."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from functions.cli.command import Call, Commands, add_command, add_group, confirm
from functions.cli.jobs import positive
from functions.cli.output import printable
from functions.cli.times import both
from functions.messaging.contacts import Contacts

Json = dict[str, Any]


def add(groups: Commands) -> None:
    commands = add_group(groups, "contacts", "explain, merge, export and erase contacts")
    listing = add_command(commands, "list", list_contacts, "contacts of a company, newest first")
    listing.add_argument("--company", metavar="ID", required=True)
    listing.add_argument("--phone", metavar="PHONE", help="the one who has it, in any form")
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    pairs = add_command(commands, "conflicts", list_conflicts, "pairs that may be one person")
    pairs.add_argument("--company", metavar="ID", required=True)
    pairs.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    explain = add_command(commands, "explain", explain_contact, "all ids, and what told of them")
    explain.add_argument("id", metavar="ID")
    merge = add_command(commands, "merge", merge_contacts, "make two contacts one; not undone")
    merge.add_argument("kept", metavar="KEPT-ID")
    merge.add_argument("other", metavar="OTHER-ID")
    export = add_command(commands, "export", export_contact, "all that is kept, as JSON")
    export.add_argument("id", metavar="ID")
    erase = add_command(commands, "erase", erase_contact, "remove a person's data; not undone")
    erase.add_argument("id", metavar="ID")
    for command in (merge, erase):
        command.add_argument("--yes", action="store_true", help="do not ask")


def contacts(call: Call) -> Contacts:
    return Contacts(call.db.as_service())


async def first(limit: int, fetch: Callable[..., Awaitable[Json]]) -> list[Json]:
    """Up to `limit` rows of a list, of which fetch(limit, cursor) gets a page."""
    found: list[Json] = []
    cursor = None
    while len(found) < limit:
        page = await fetch(min(limit - len(found), 200), cursor)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found


async def list_contacts(call: Call) -> None:
    asked = call.options
    listed = partial(contacts(call).list_contacts, asked.company, asked.phone)
    found = await first(asked.limit, listed)
    if call.out.as_json:
        return call.out.answer(found)
    rows = [[row["id"], row["phone"], both(row["created_at"]), row["name"]] for row in found]
    for line in call.out.table(["ID", "PHONE", "SINCE (UTC)", "NAME"], rows):
        call.out.write(line)
    return None


async def list_conflicts(call: Call) -> None:
    asked = call.options
    found = await first(asked.limit, partial(contacts(call).list_conflicts, asked.company))
    if call.out.as_json:
        return call.out.answer(found)
    rows = [
        [row["contact_id"], row["other_id"], both(row["created_at"]), row["kind"], row["value"]]
        for row in found
    ]
    for line in call.out.table(["CONTACT", "OTHER", "SINCE (UTC)", "KIND", "ID"], rows):
        call.out.write(line)
    return None


async def explain_contact(call: Call) -> None:
    found = await contacts(call).explain(call.options.id)
    if call.out.as_json:
        return call.out.answer(found)
    names = ("id", "company_id", "name", "phone", "merged_into")
    call.out.facts(
        {name: found[name] for name in names}
        | {"erased_at": both(found["erased_at"]), "created_at": both(found["created_at"])}
        | {"merged": ", ".join(found["merged"])}
    )
    for name in ("identities", "conflicts", "conversations", "suppressions"):
        if found[name]:
            call.out.document(name, found[name])
    return None


async def merge_contacts(call: Call) -> None:
    kept, other = call.options.kept, call.options.other
    await confirm(call, f"This makes {printable(other)} a part of {printable(kept)} for good.")
    merged = await contacts(call).merge(kept, other, await _company(call, kept))
    call.answer(merged, f"Contact {merged['id']} has {len(merged['identities'])} ids now.")


async def export_contact(call: Call) -> None:
    id = call.options.id
    company_id = await _company(call, id)
    page = await contacts(call).export(id, company_id)
    whole = {"contact": page["contact"], "messages": page["messages"], "records": page["records"]}
    while page["next_cursor"]:
        page = await contacts(call).export(id, company_id, cursor=page["next_cursor"])
        for part in ("messages", "records"):
            whole[part] += page[part]
    call.out.answer(whole)


async def erase_contact(call: Call) -> None:
    id = call.options.id
    company_id = await _company(call, id)
    await confirm(call, f"This removes all that is kept about {printable(id)}, for good.")
    erased = await contacts(call).erase(id, company_id)
    call.answer(erased, f"Contact {id} is erased; a job removes what was said.")


async def _company(call: Call, id: str) -> str:
    company_id: str = (await contacts(call).explain(id))["company_id"]
    return company_id
