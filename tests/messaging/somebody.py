"""Somebody who does all that leaves traces, and the search for what is left of them anywhere."""

import base64
import re
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.fixtures import until
from tests.messaging import bodies
from tests.messaging.conftest import Company
from tests.tenants import Person

Json = dict[str, Any]

OTHER = "5547990000001"

TABLES = """
  select relation.oid::regclass::text as name, array(
    select quote_ident(attname) from pg_attribute
    where attrelid = relation.oid and atttypid = 'bytea'::regtype and not attisdropped
  ) as binary
  from pg_class as relation join pg_namespace as schema on schema.oid = relnamespace
  where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema')
"""
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person whose every trace is nobody else's in the database. `contact` is their id."""

    digits: str
    contact: str = ""

    @property
    def phone(self) -> str:
        return f"55479{self.digits}"

    @property
    def wa_id(self) -> str:
        """As Meta writes the phone: without the ninth digit."""
        return f"5547{self.digits}"

    @property
    def lid(self) -> str:
        return f"{self.digits[::-1]}123456"

    @property
    def jid(self) -> str:
        return f"{self.phone}@s.whatsapp.net"

    @property
    def name(self) -> str:
        return self.word("name")

    @property
    def traces(self) -> tuple[str, ...]:
        """One of these is in whatever tells of the person: in each form of the phone the digits."""
        return (self.digits, self.lid, self.word(""))

    def word(self, place: str) -> str:
        """A word that only what was said at this place contains."""
        return f"xylo{self.digits[::-1]}{place}"

    def wamid(self, end: str) -> str:
        told = b"\x1c\x18\x0c" + self.wa_id.encode() + b"\x15\x02\x00" + end.encode()
        return "wamid." + base64.b64encode(told).decode()


async def call(
    shop: Company, method: str, path: str, person: Person | None = None, **content: Any
) -> httpx.Response:
    token = (person or shop.tenant.people["admin"]).token
    headers = {"authorization": f"Bearer {token}"}
    return await shop.api.http.request(method, path, headers=headers, **content)


def readable(text: str) -> str:
    """The text, and what is base64 in it."""
    found = [text]
    for run in BASE64.findall(text):
        whole = run.translate(str.maketrans("-_", "+/"))[: len(run) // 4 * 4]
        found.append(base64.b64decode(whole).decode("latin-1"))
    return "\n".join(found)


async def everything(database: asyncpg.Connection) -> dict[str, str]:
    """All that each table of the database holds, by the catalog: none is left out."""
    held = {}
    for row in await database.fetch(TABLES):
        binary = "".join(f" || coalesce(encode({name}, 'escape'), '')" for name in row["binary"])
        query = f"select string_agg(t::text{binary}, e'\\n') from {row['name']} as t"
        held[row["name"]] = await database.fetchval(query) or ""
    return held


async def files(shop: Company, database: asyncpg.Connection) -> dict[str, str]:
    """The company's objects in Storage, and what they contain."""
    secret = shop.project.headers()
    held = {}
    query = "select name from storage.objects where bucket_id = 'media' and name like $1"
    for row in await database.fetch(query, f"{shop.id}/%"):
        where = f"{shop.project.url}/storage/v1/object/media/{row['name']}"
        answer = await shop.project.http.get(where, headers=secret)
        held[row["name"]] = answer.text
    return held


async def traces(shop: Company, database: asyncpg.Connection, who: Somebody) -> set[str]:
    """The places where anything tells of the person: tables, and objects of Storage."""
    held = await everything(database) | await files(shop, database)
    return {
        place for place, text in held.items() if any(each in readable(text) for each in who.traces)
    }


async def words(
    shop: Company, database: asyncpg.Connection, who: Somebody, without: tuple[str, ...] = ()
) -> set[str]:
    """The words of the person that stand in any table but these."""
    held = await everything(database)
    text = "\n".join(text for place, text in held.items() if not place.startswith(without))
    return set(re.findall(rf"{who.word('')}\w+", text))


async def live(shop: Company, whatsapp: httpx.AsyncClient) -> Somebody:
    """Somebody new, who has written, been written to, and changed their mind in every way."""
    digits = f"9{uuid4().int % 10**7:07}"
    who = Somebody(digits)
    await _write_on_evolution(shop, who)
    await _write_on_meta(shop, who)
    await _send_a_file(shop, whatsapp, who)
    (contact,) = await shop.rows("contacts", phone=f"eq.+{who.phone}")
    who = replace(who, contact=str(contact["id"]))
    for number in shop.tenant.numbers:
        message = {"id": str(uuid4()), "instance_id": number.instance_id, "to": f"+{who.phone}"}
        message |= {"body": who.word(f"sent{number.provider}")}
        answer = await shop.api.send(shop.tenant.people["agent"], message)
        assert answer.status_code == 202, answer.text
    await shop.settled()
    await _be_told_of(shop, who)
    return who


async def _write_on_evolution(shop: Company, who: Somebody) -> None:
    number = shop.tenant.evolution
    first, edited = bodies.new_id(), who.word("edited")
    by_lid = bodies.text(number, "x", who.word("lid"), name=who.name)
    by_lid["data"]["key"] |= {"remoteJid": f"{who.lid}@lid", "remoteJidAlt": who.jid}
    group = {"remoteJid": "120363000000000001@g.us"}
    in_group = bodies.text(number, "x", who.word("group"), name=who.name)
    in_group["data"]["key"] |= group | {"participant": who.jid}
    other = {"participant": f"{OTHER}@s.whatsapp.net"}
    quoting = bodies.text(number, "x", f"@{who.phone} concordo", name="Outra")
    quoting["data"]["key"] |= group | other
    told: Json = {"stanzaId": bodies.new_id(), "participant": who.jid}
    told["quotedMessage"] = {"conversation": who.word("quoted")}
    quoting["data"]["contextInfo"] = told | {"mentionedJid": [who.jid]}
    # Evolution tells of an edit under our own address.
    key = {"remoteJid": f"{number.phone}@s.whatsapp.net", "fromMe": True, "id": first}
    edit = {"key": key, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": edited}}
    await shop.post(
        number,
        bodies.text(number, who.phone, who.word("direct"), name=who.name, id=first),
        bodies.evolution(number, "messages.edited", edit | {"timestampMs": "1760000100000"}),
        bodies.text(number, OTHER, "outra pessoa", name="Outra"),
        by_lid,
        in_group,
        quoting,
        bodies.evolution(number, "contacts.upsert", [{"remoteJid": who.jid, "pushName": who.name}]),
        bodies.evolution(
            number, "nonsense.event", {"jid": who.phone, "text": who.word("nonsense")}
        ),
    )
    await shop.settled()


async def _write_on_meta(shop: Company, who: Somebody) -> None:
    number = shop.tenant.meta
    contact = {"profile": {"name": who.name}, "wa_id": who.wa_id}
    lost: Json = {
        "id": who.wamid("edit"),
        "from": who.wa_id,
        "timestamp": "1760000100",
        "type": "edit",
    }
    lost |= {"edit": {"original_message_id": who.wamid("never")}}
    lost["edit"]["message"] = {"type": "text", "text": {"body": who.word("parked")}}
    wish: Json = {"wa_id": who.wa_id, "category": "marketing_messages", "value": "stop"}
    wish |= {"detail": who.word("wish"), "timestamp": bodies.NOON}
    orphan = bodies.status(number, who.wa_id, who.wamid("orphan"), "failed")
    (failed,) = orphan["entry"][0]["changes"][0]["value"]["statuses"]
    failed["errors"][0]["error_data"] = {"details": who.word("failure")}
    said = who.wamid("said")
    await shop.post(
        number,
        bodies.text(
            number, who.wa_id, who.word("meta"), name=who.name, id=said, at=int(time.time())
        ),
        bodies.meta(number, "messages", {"contacts": [contact], "messages": [lost]}),
        bodies.meta(
            number, "user_preferences", {"contacts": [contact], "user_preferences": [wish]}
        ),
        orphan,
    )
    await shop.settled()


async def _send_a_file(shop: Company, whatsapp: httpx.AsyncClient, who: Somebody) -> None:
    content = base64.b64encode(who.word("file").encode()).decode()
    order = {"number": shop.tenant.meta.external_id, "from": who.wa_id, "type": "document"}
    order |= {"content": content, "mime_type": "text/plain", "file_name": who.word("filename")}
    order |= {"body": who.word("caption"), "name": who.name}
    answer = await whatsapp.post("/_fake/inbound", json=order)
    assert answer.status_code == 202, answer.text

    async def is_stored() -> bool:
        return bool(await shop.rows("messages", **{"media->>state": "eq.stored"}))

    await until(is_stored, what="the file stored")
    await shop.settled()


async def _be_told_of(shop: Company, who: Somebody) -> None:
    """What others than providers know: a note, a job, a contact who was the same person."""
    what = {"contact_id": who.contact, "scope": "all", "note": who.word("note")}
    assert (await call(shop, "POST", "/api/suppressions", json=what)).status_code == 201
    job: Json = {"type": "crm.sync", "company_id": shop.id, "delay_seconds": 3600}
    job |= {"data": {"phone": who.phone, "text": who.word("job")}}
    await shop.project.rpc("enqueue_jobs", {"p_jobs": [job]})
    # Whoever wrote last gives a merged contact its phone: that shall be the person's.
    number, before = shop.tenant.evolution, "5547" + who.digits[::-1]
    await shop.post(number, bodies.text(number, before, "oi", at=bodies.NOON))
    await shop.settled()
    (other,) = await shop.rows("contact_identities", kind="eq.wa_id", value=f"eq.{before}")
    pair = {"p_kept_id": who.contact, "p_other_id": other["contact_id"], "p_company_id": shop.id}
    await shop.project.rpc("merge_contacts", pair)
