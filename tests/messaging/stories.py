"""A number's week, as its provider tells it: every kind of event that we read, of a few people.

What a provider cannot order by itself is told once here: nothing else says which of two untimed
names, or votes, is the later one.
"""

from typing import Any

from tests.messaging import bodies, changes
from tests.tenants import Number

Json = dict[str, Any]

NOON = bodies.NOON
ANA, BIA, CAIO = changes.SENDER, "5521912345678", "553188887777"
OLD, NEW = "5541911112222", "5541933334444"
GROUP = "120363000000000001@g.us"
LID = "99887766554433"


def of(number: Number) -> list[Json]:
    """The bodies, in the order in which things happened."""
    return _common(number) + (_of_evolution if number.provider == "evolution" else _of_meta)(number)


def _common(number: Number) -> list[Json]:
    text, echo, status = bodies.text, bodies.echo, bodies.status
    return [
        text(number, ANA, "bom dia", id="A1", at=NOON, name="Ana"),
        text(number, ANA, "me chamo Ana Maria", id="A2", at=NOON + 10, name="Ana Maria"),
        changes.edit(number, "A1", "bom dia!", NOON + 20, id="A1E1"),
        changes.edit(number, "A1", "boa tarde", NOON + 30, id="A1E2"),
        changes.reaction(number, "E1", "👍", NOON + 65, id="R1"),
        changes.reaction(number, "E1", "🎉", NOON + 66, id="R2"),
        changes.reaction(number, "A1", "❤️", NOON + 40, id="R3", by="us"),
        changes.reaction(number, "A2", "😮", NOON + 41, id="R4", by="us"),
        changes.reaction(number, "A2", "", NOON + 42, id="R5", by="us"),
        echo(number, ANA, "Como posso ajudar?", id="E1", at=NOON + 50),
        *(status(number, ANA, "E1", said, at=NOON + 60 + n) for n, said in enumerate(_ARRIVED)),
        changes.answer(number, "E1", "com o pedido 7", id="A3", at=NOON + 70),
        text(number, ANA, "esquece", id="A4", at=NOON + 80),
        changes.revoke(number, "A4", NOON + 90, id="A4X"),
        echo(number, BIA, "Oferta só hoje", id="E2", at=NOON + 100),
        status(number, BIA, "E2", "sent", at=NOON + 110),
        status(number, BIA, "E2", "failed", at=NOON + 120),
        text(number, BIA, "Parar", id="B1", at=NOON + 130, name="Bia"),
        text(number, CAIO, "oi", id="C1", at=NOON + 140, name="Caio"),
        text(number, "5531988887777", "oi de novo", id="C2", at=NOON + 150, name="Caio"),
        status(number, ANA, "NEVER-TOLD", "read", at=NOON + 160),
    ]


_ARRIVED = ("sent", "delivered", "read")


def _of_evolution(number: Number) -> list[Json]:
    def told(event: str, data: Any, at: int) -> Json:
        body = bodies.evolution(number, event, data)
        return body | {"date_time": f"2025-10-09T12:{at // 60:02d}:{at % 60:02d}.000Z"}

    def upsert(id: str, message: Json, at: int, **key: Any) -> Json:
        body = bodies.text(number, ANA, id=id, at=NOON + at)
        body["data"]["message"] = message
        body["data"]["key"] |= key
        return body

    key = {"remoteJid": f"{ANA}@s.whatsapp.net", "fromMe": False, "id": "POLL"}
    poll = {"pollCreationMessageV3": {"name": "Quando?", "options": [{"optionName": "Hoje"}]}}
    member = {"remoteJid": GROUP, "participant": f"{BIA}@s.whatsapp.net"}

    def vote(id: str, options: list[str] | None, at: int) -> Json:
        chosen = {} if options is None else {"selectedOptions": options}
        said = {"pollCreationMessageKey": key, "vote": {"encPayload": "x"} | chosen}
        return upsert(id, {"pollUpdateMessage": said}, at)

    def state(said: str, reason: int, at: int) -> Json:
        return told("connection.update", {"state": said, "statusReason": reason}, at)

    return [
        upsert("POLL", poll, 200),
        vote("V1", ["Hoje"], 210),
        vote("V2", ["Amanhã"], 220),
        vote("V3", None, 205),
        upsert("LATE", {"placeholderMessage": {"type": "MASK_LINKED_DEVICES"}}, 230),
        upsert("LATE", {"conversation": "o código é 1"}, 230),
        upsert("L1", {"conversation": "pelo LID"}, 240, remoteJid=f"{LID}@lid",
               remoteJidAlt=f"{CAIO}@s.whatsapp.net"),
        upsert("L2", {"conversation": "de novo"}, 250, remoteJid=f"{LID}@lid",
               remoteJidAlt=f"{CAIO}@s.whatsapp.net"),
        bodies.echo(number, ANA, "de outro sistema", id="E3", at=NOON + 255),
        upsert("E3", {"conversation": "de outro sistema"}, 255, fromMe=True),
        upsert("G1", {"conversation": "no grupo"}, 260, **member),
        told("groups.upsert", [{"id": GROUP, "subject": "Obra"}], 270),
        told("group.update", [{"id": GROUP, "subject": "Obra 2"}], 280),
        told("group-participants.update",
             {"id": GROUP, "participants": [f"{BIA}@s.whatsapp.net"], "action": "promote"}, 290),
        told("contacts.update", {"remoteJid": f"{BIA}@s.whatsapp.net", "pushName": "Bia B"}, 300),
        told("contacts.update", {"remoteJid": f"{BIA}@s.whatsapp.net", "pushName": "Bia C"}, 310),
        state("connecting", 200, 320),
        state("open", 200, 330),
        state("close", 401, 340),
        told("call", {"id": "CALL", "from": f"{ANA}@s.whatsapp.net", "status": "offer",
                      "date": "2025-10-09T12:06:00.000Z"}, 360),
        changes.maybe_gone(number, "A2"),
    ]  # fmt: skip


def _of_meta(number: Number) -> list[Json]:
    def told(name: str, value: Json) -> Json:
        return bodies.meta(number, name, {name: [value]})

    def wants(at: int, said: str) -> Json:
        return told("user_preferences", {"wa_id": ANA, "value": said, "timestamp": NOON + at,
                                         "category": "marketing_messages"})  # fmt: skip

    moved = {"type": "user_changed_number", "body": "mudou", "wa_id": NEW}
    said = {"id": "MOVED", "from": OLD, "timestamp": str(NOON + 230), "type": "system"}
    tie = bodies.status(number, BIA, "E2", "delivered", at=NOON + 125)
    (report,) = tie["entry"][0]["changes"][0]["value"]["statuses"]
    report["recipient_user_id"] = "BR.777"
    return [
        tie,
        wants(200, "stop"),
        wants(210, "resume"),
        wants(220, "stop"),
        bodies.text(number, OLD, "meu número antigo", id="O1", at=NOON + 225, name="Olga"),
        bodies.meta(number, "messages", {"messages": [said | {"system": moved}]}),
        bodies.text(number, NEW, "meu número novo", id="O2", at=NOON + 240, name="Olga"),
        told("user_id_update", {"wa_id": BIA, "timestamp": str(NOON + 250),
                                "user_id": {"previous": "BR.777", "current": "BR.778"}}),
        *_of_account(number),
    ]  # fmt: skip


def _of_account(number: Number) -> list[Json]:
    def account(field: str, at: int, **value: Any) -> Json:
        change = {"field": field, "value": value}
        return {"entry": [{"id": number.waba_id, "time": NOON + at, "changes": [change]}]}

    def template(at: int, **value: Any) -> Json:
        named = {"message_template_name": "oferta", "message_template_language": "pt_BR"}
        return account("message_template_status_update", at, **named, **value)

    quality = {"display_phone_number": number.phone}
    return [
        template(260, event="APPROVED"),
        template(270, event="PAUSED", other_info={"title": "FIRST_PAUSE"}),
        account("message_template_quality_update", 280, message_template_name="oferta",
                message_template_language="pt_BR", new_quality_score="RED"),
        account("phone_number_quality_update", 290, event="FLAGGED", current_limit="TIER_10K",
                **quality),
        account("phone_number_quality_update", 300, event="THROUGHPUT_UPGRADE",
                current_limit="HIGH", **quality),
        account("business_capability_update", 310, max_daily_conversation_per_phone=2000),
        account("account_update", 320, event="ACCOUNT_RESTRICTION", restriction_info=[
            {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 4_000_000_000}
        ]),
        account("account_update", 330, event="DISABLED_UPDATE",
                ban_info={"waba_ban_state": "REINSTATE"}),
        account("account_update", 315, event="DISABLED_UPDATE",
                ban_info={"waba_ban_state": "DISABLE"}),
        account("account_update", 335, event="DISABLED_UPDATE",
                ban_info={"waba_ban_state": "SCHEDULE_FOR_DISABLE"}),
        account("phone_number_name_update", 340, decision="APPROVED", **quality),
        account("something_of_tomorrow", 350, value=1),
    ]  # fmt: skip
