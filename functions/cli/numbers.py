"""numbers connect, list, show, qr, restart, logout, remove, reseal: WhatsApp numbers."""

import argparse
import asyncio
import getpass
import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from functions.cli.command import (
    Call,
    Commands,
    UsageError,
    add_command,
    add_group,
    confirm,
    what_is_wrong,
)
from functions.cli.output import printable

if TYPE_CHECKING:
    from functions.messaging.numbers import Numbers

Json = dict[str, Any]

# Between looks at a number while somebody scans.
LOOK_SECONDS = 1.0
SECRETS = {
    "api_key": ("EVOLUTION_API_KEY", "API key of the instance or the server"),
    "access_token": ("META_ACCESS_TOKEN", "access token"),
    "app_secret": ("META_APP_SECRET", "app secret"),
}


def add(groups: Commands) -> None:
    numbers = add_group(groups, "numbers", "connect and link WhatsApp numbers", list_numbers)
    listing = add_command(numbers, "list", list_numbers, "all numbers, of one company or of all")
    listing.add_argument("--company", metavar="ID")
    connect = add_group(numbers, "connect", "connect a number; again: give it new credentials")
    evolution = add_command(connect, "evolution", connect_number, "a number of an Evolution server")
    evolution.add_argument("--server", required=True, metavar="URL")
    evolution.add_argument("--instance", required=True, metavar="NAME", help="made if missing")
    meta = add_command(connect, "meta", connect_number, "a number of Meta's Cloud API")
    meta.add_argument("--phone-id", required=True, metavar="ID", help="phone number id")
    meta.add_argument("--account", required=True, metavar="ID", help="business account id")
    meta.add_argument("--server", metavar="URL", help=argparse.SUPPRESS)
    for provider, parser in (("evolution", evolution), ("meta", meta)):
        parser.set_defaults(provider=provider)
        parser.add_argument("name", metavar="NAME", help="what people call it")
        parser.add_argument("--company", required=True, metavar="ID")
    for name, run, help in (
        ("show", show_number, "how a number stands; asks its provider"),
        ("qr", link_number, "link the phone: a QR to scan, or with --phone a code to type"),
        ("restart", restart_number, "connect anew, under the same login"),
        ("logout", log_out_number, "end the login; a person has to link it again"),
        ("remove", remove_number, "take a number away; its conversations stay"),
    ):
        one = add_command(numbers, name, run, help)
        one.add_argument("id", metavar="ID")
        if name == "qr":
            one.add_argument("--phone", metavar="NUMBER", help="for a code instead of a QR")
            one.add_argument("--pin", metavar="PIN", help="Meta: registers with this PIN")
            one.add_argument("--png", metavar="FILE", help="write the QR there")
            one.add_argument("--once", action="store_true", help="do not wait for the scan")
        if name in ("logout", "remove"):
            one.add_argument("--yes", action="store_true", help="do not ask")
    add_command(numbers, "reseal", reseal, "seal all credentials with the newest key")


@asynccontextmanager
async def _numbers(call: Call) -> AsyncIterator["Numbers"]:
    # Providers, keys and pictures: other commands do without.
    from functions.app import PROVIDERS
    from functions.core.http import HttpClient
    from functions.messaging.credentials import Vault
    from functions.messaging.numbers import Numbers

    outside = HttpClient()
    vault = Vault(call.settings.credentials_key)
    try:
        yield Numbers(call.db, vault, outside, PROVIDERS, private_servers=True)
    finally:
        await outside.close()


async def list_numbers(call: Call) -> None:
    from functions.messaging.numbers_rpc import list_numbers

    found = await list_numbers(call.db.as_service(), getattr(call.options, "company", None))
    if call.out.as_json:
        return call.out.answer(found)
    header = ["ID", "NAME", "NUMBER", "PROVIDER", "STATE", "REASON"]
    rows = [
        [row["id"], row["name"], row["number"] or "-", row["provider"], row["state"], _why(row)]
        for row in found["data"]
    ]
    for line in call.out.table(header, rows):
        call.out.write(line)


async def connect_number(call: Call) -> None:
    from pydantic import ValidationError

    from functions.messaging.numbers_models import NewNumber

    options = call.options
    given: Json = {"provider": options.provider, "name": options.name, "server": options.server}
    if options.provider == "evolution":
        given |= {"external_id": options.instance, "api_key": _secret("api_key")}
    else:
        given |= {"external_id": options.phone_id, "account_id": options.account}
        given |= {name: _secret(name) for name in ("access_token", "app_secret")}
    try:
        wanted = NewNumber(**given)
    except ValidationError as error:
        raise UsageError(f"This is no number: {what_is_wrong(error)}.") from None
    if not call.settings.public_url:
        raise UsageError(
            "PUBLIC_URL is not set: it says where providers reach your deployment.",
            hint="Set it as the deployment has it.",
        )
    async with _numbers(call) as numbers:
        row = await numbers.connect(options.company, wanted, call.settings.public_url)
    if call.out.as_json:
        return call.out.answer(row)
    _show(call, row)
    webhook = row["webhook"]
    if webhook["set"]:
        return call.out.write("\nIts provider posts to us.")
    call.out.write(f"\nThe provider could not be told where to post: {printable(webhook['error'])}")
    call.out.write("Enter this by hand:")
    return call.out.facts({"webhook": webhook["url"], "verify token": webhook["verify_token"]})


def _secret(name: str) -> str:
    """From its variable, or typed. Never an argument: those are seen by all and kept in history."""
    variable, meaning = SECRETS[name]
    if value := os.environ.get(variable):
        return value
    if not sys.stdin.isatty():
        raise UsageError(f"There is no {meaning}.", hint=f"Set {variable}.")
    return getpass.getpass(f"{meaning}: ")


async def show_number(call: Call) -> None:
    async with _numbers(call) as numbers:
        row = await numbers.refresh(call.options.id)
    if call.out.as_json:
        return call.out.answer(row)
    return _show(call, row)


async def link_number(call: Call) -> int | None:
    options = call.options
    waits = not options.once and not call.out.as_json and call.out.is_terminal
    async with _numbers(call) as numbers:
        shown = None
        qr = await numbers.link(options.id, options.phone, options.pin)
        while True:
            if (qr["code"], qr["pairing_code"]) != shown:
                shown = (qr["code"], qr["pairing_code"])
                _draw(call, qr)
            if not waits or qr["state"] not in ("qr", "connecting"):
                break
            await asyncio.sleep(LOOK_SECONDS)
            qr = await numbers.qr(options.id)
        if shown and qr["state"] == "open":
            call.out.write("The number is linked.")
    return None


def _draw(call: Call, qr: Json) -> None:
    if call.out.as_json:
        return call.out.answer(qr)
    if qr["code"] is None and qr["pairing_code"] is None:
        return call.out.write(f"Nothing to scan: the number is {qr['state']}.")
    if qr["pairing_code"]:
        call.out.write(f"Code to type on the phone: {printable(qr['pairing_code'])}")
    if qr["code"]:
        import segno

        drawn = segno.make(qr["code"], error="l", micro=False)
        if call.options.png:
            drawn.save(call.options.png, kind="png", scale=6)
            return call.out.write(f"The QR is in {call.options.png}.")
        picture = io.StringIO()
        drawn.terminal(picture, compact=True)
        call.out.write(picture.getvalue())
        call.out.write("WhatsApp on the phone: Linked devices, Link a device.")
    return None


async def restart_number(call: Call) -> None:
    async with _numbers(call) as numbers:
        row = await numbers.restart(call.options.id)
    call.answer(row, f"The number is {row['state']}.")


async def log_out_number(call: Call) -> None:
    await confirm(call, "The number stops working until somebody links it again.")
    async with _numbers(call) as numbers:
        row = await numbers.log_out(call.options.id)
    call.answer(row, f"The number is {row['state']}.")


async def remove_number(call: Call) -> int | None:
    await confirm(call, "The number is removed, here and at its provider. Conversations stay.")
    async with _numbers(call) as numbers:
        answer = await numbers.remove(call.options.id)
    said = "The number is removed." if answer["removed"] else "There is no such number."
    if answer["error"]:
        said += f" Its provider said: {printable(answer['error'])}"
    call.answer(answer, said)
    return None if answer["removed"] else 1


async def reseal(call: Call) -> None:
    """Until nothing is sealed with another key; a key that is missing is said before any change."""
    from functions.messaging.credentials import Vault

    vault, service, done = Vault(call.settings.credentials_key), call.db.as_service(), 0
    while found := await service.call("list_sealed", {"p_key_id": vault.key_id}):
        opened = [(row, vault.open(row["sealed"], row["place"])) for row in found]
        for row, what in opened:
            new = vault.seal(what, row["place"])
            params = {"p_place": row["place"], "p_old": row["sealed"], "p_new": new}
            done += await service.call("reseal", params)
    call.answer({"resealed": done}, f"{done} sealed with the newest key; older ones may go.")


def _show(call: Call, row: Json) -> None:
    names = ("id", "name", "number", "provider", "external_id", "state", "quality", "throughput")
    facts = {name.replace("_", " "): row[name] for name in names}
    more = {
        "people per day": row["people_per_day"],
        "per minute": row["rate_per_minute"],
        "why": _why(row),
        "last seen": row["last_seen_at"],
    }
    call.out.facts(facts | more)


def _why(row: Json) -> str:
    if row["needs_a_person"]:
        return f"waits for a person: {row['pause_reason'] or 'paused'}"
    return row["pause_reason"] or row["state_reason"] or "-"
