"""suppressions list, add, lift, words, set-word: who is not written to, and who says so how."""

from functools import partial
from typing import Any, get_args

from functions.cli.command import Call, Commands, UsageError, add_command, add_group
from functions.cli.contacts import first
from functions.cli.jobs import positive
from functions.cli.times import both
from functions.messaging.consent import Suppressions
from functions.messaging.contacts_models import Scope

Json = dict[str, Any]


def add(groups: Commands) -> None:
    commands = add_group(groups, "suppressions", "who is not written to")
    listing = add_command(commands, "list", list_suppressions, "suppressions, newest first")
    listing.add_argument("--company", metavar="ID", required=True)
    listing.add_argument("--contact", metavar="ID")
    listing.add_argument("--all", action="store_true", help="lifted ones too")
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most (50)")
    new = add_command(commands, "add", add_suppression, "stop writing to a contact or a phone")
    new.add_argument("--company", metavar="ID", required=True)
    new.add_argument("--contact", metavar="ID")
    new.add_argument("--phone", metavar="PHONE", help="with country code")
    new.add_argument("--scope", choices=get_args(Scope), default="marketing")
    new.add_argument("--number", metavar="ID", help="of scope number: the company's number")
    new.add_argument("--campaign", metavar="ID", help="of scope campaign")
    lift = add_command(commands, "lift", lift_suppression, "let a suppression hold no more")
    lift.add_argument("id", metavar="ID")
    lift.add_argument("--company", metavar="ID")
    words = add_command(commands, "words", list_words, "the company's own words")
    word = add_command(commands, "set-word", set_word, "what a message of just this means")
    word.add_argument("word", metavar="WORD")
    word.add_argument("effect", choices=["stop", "start", "none", "forget"])
    for command in (words, word):
        command.add_argument("--company", metavar="ID", required=True)
    for command in (new, lift):
        command.add_argument("--note", metavar="TEXT", help="where it comes from")


def suppressions(call: Call) -> Suppressions:
    return Suppressions(call.db.as_service())


async def list_suppressions(call: Call) -> None:
    asked = call.options
    listed = partial(
        suppressions(call).list_suppressions, asked.company, asked.contact, not asked.all
    )
    found = await first(asked.limit, listed)
    if call.out.as_json:
        return call.out.answer(found)
    header = ["ID", "SCOPE", "REASON", "SINCE (UTC)", "LIFTED (UTC)", "CONTACT"]
    rows = [
        [
            row["id"],
            row["scope"],
            row["reason"],
            both(row["suppressed_at"]),
            both(row["lifted_at"]),
            row["contact_id"],
        ]
        for row in found
    ]
    for line in call.out.table(header, rows):
        call.out.write(line)
    return None


async def add_suppression(call: Call) -> None:
    asked = call.options
    if (asked.contact is None) == (asked.phone is None):
        raise UsageError("Name either --contact or --phone.")
    if (asked.scope == "number") != (asked.number is not None):
        raise UsageError("--number goes with --scope number.")
    if (asked.scope == "campaign") != (asked.campaign is not None):
        raise UsageError("--campaign goes with --scope campaign.")
    added = await suppressions(call).add(
        asked.company,
        asked.contact,
        asked.phone,
        asked.scope,
        asked.number,
        asked.campaign,
        asked.note,
    )
    call.answer(added, f"Suppression {added['id']}: {added['scope']}.")


async def lift_suppression(call: Call) -> None:
    asked = call.options
    lifted = await suppressions(call).lift(asked.id, asked.company, asked.note)
    call.answer(lifted, f"Suppression {lifted['id']} is lifted.")


async def list_words(call: Call) -> None:
    found = (await suppressions(call).list_words(call.options.company))["data"]
    if call.out.as_json:
        return call.out.answer(found)
    for line in call.out.table(["WORD", "EFFECT"], [[row["word"], row["effect"]] for row in found]):
        call.out.write(line)
    return None


async def set_word(call: Call) -> None:
    asked = call.options
    effect = None if asked.effect == "forget" else asked.effect
    kept = await suppressions(call).set_word(asked.company, asked.word, effect)
    call.answer(kept, f"A message of just {kept['word']} means {kept['means'] or 'nothing'} now.")
