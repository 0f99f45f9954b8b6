"""Evolution's events in the shapes of its releases, and in those that were never documented."""

from typing import Any

import orjson
import pytest

from functions.providers.attempt import failure_of
from functions.providers.events import (
    ContactSeen,
    Event,
    Identity,
    InstanceChanged,
    MessageReceived,
    Notice,
    StatusChanged,
    Unknown,
)
from functions.providers.evolution import EVOLUTION

OWN = "5511988880000@s.whatsapp.net"
PN = "553199990001@s.whatsapp.net"
PHONE = [Identity("phone", "+5531999990001"), Identity("wa_id", "553199990001")]


def posted(event: str, data: Any, **envelope: Any) -> list[Event]:
    """What follows from a whole request."""
    whole = {"event": event, "instance": "loja", "sender": OWN, "data": data, **envelope}
    items = EVOLUTION.split(orjson.dumps(whole), "loja")
    return [event for item in items for event in EVOLUTION.parse(item.kind, item.raw)]


@pytest.mark.parametrize(
    "event",
    [
        "messages.upsert", "MESSAGES_UPSERT", "messages-upsert", "Messages.Upsert",
        "messages_upsert", " messages.upsert ",
    ],
)  # fmt: skip
def test_an_event_is_known_however_it_is_spelled(event: str) -> None:
    data = {"key": {"remoteJid": PN, "id": "A"}, "message": {"conversation": "oi"}}
    [found] = posted(event, data)
    assert isinstance(found, MessageReceived)


def test_several_messages_in_one_request_are_all_read() -> None:
    messages = [
        {"key": {"remoteJid": PN, "id": str(n)}, "message": {"conversation": "oi"}}
        for n in range(3)
    ]
    for data in (messages, {"messages": messages, "type": "notify"}):
        found = posted("messages.upsert", data)
        assert [event.provider_message_id for event in found] == ["0", "1", "2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        {"keyId": "A", "remoteJid": PN, "fromMe": True, "status": "READ", "messageId": "cm1"},
        {"keyId": "A", "remoteJid": "553199990001:90@s.whatsapp.net", "status": "read"},
        {"key": {"id": "A", "remoteJid": PN, "fromMe": True}, "update": {"status": 4}},
        {"key": {"id": "A", "remoteJid": PN}, "update": {"status": "READ"}},
        {"id": "A", "remoteJid": PN, "status": 4},
        {"id": "A", "remoteJid": PN, "status": "4"},
        [{"key": {"id": "A", "remoteJid": PN}, "update": {"status": 4.0}}],
    ],
)
def test_a_status_is_found_in_every_shape(data: Any) -> None:
    assert posted("messages.update", data) == [StatusChanged("A", "read")]


@pytest.mark.parametrize(
    ("written", "status"),
    [
        (0, "failed"), ("ERROR", "failed"), (1, "accepted"), ("PENDING", "accepted"),
        (2, "sent"), ("SERVER_ACK", "sent"), (3, "delivered"), ("DELIVERY_ACK", "delivered"),
        (4, "read"), (5, "played"), ("PLAYED", "played"),
    ],
)  # fmt: skip
def test_every_status_has_its_place(written: Any, status: str) -> None:
    [found] = posted("messages.update", {"keyId": "A", "remoteJid": PN, "status": written})
    assert isinstance(found, StatusChanged)
    assert found.status == status


def test_a_status_in_a_group_names_no_contact() -> None:
    data = {"keyId": "A", "remoteJid": "1203630@g.us", "participant": PN, "status": "READ"}
    assert posted("messages.update", data) == [StatusChanged("A", "read")]


def test_a_refusal_keeps_its_code() -> None:
    data = {"keyId": "A", "remoteJid": PN, "status": "ERROR", "messageStubParameters": ["463"]}
    [found] = posted("messages.update", data)
    assert isinstance(found, StatusChanged)
    assert found.error == {
        "code": "463",
        "title": "WhatsApp refused the message",
        "details": None,
        **failure_of("cold_lock"),
    }


def test_a_deletion_reported_as_a_status_may_be_one() -> None:
    """Servers from 2.3.0 to 2.3.6 call an edit and a star DELETED, too."""
    data = {"keyId": "A", "remoteJid": PN, "fromMe": False, "status": "DELETED"}
    [found] = posted("messages.update", data)
    assert isinstance(found, MessageReceived)
    assert (found.type, found.target, found.identities) == ("revoke", "A", PHONE)
    assert found.payload == {"ambiguous": True}
    [certain] = posted("messages.delete", {"remoteJid": PN, "fromMe": False, "id": "A"})
    assert isinstance(certain, MessageReceived)
    assert certain.payload == {}
    assert certain.provider_message_id != found.provider_message_id


@pytest.mark.parametrize("status", ["SERVER_ACK", "DELETED", None])
def test_new_content_in_an_update_is_an_edit_whatever_its_status(status: str | None) -> None:
    """Servers from 2.3.7 on put it there, under the status that they give what has none."""
    inner = {"editedMessage": {"message": {"conversation": "novo"}}}
    data = {"keyId": "A", "remoteJid": PN, "fromMe": False, "status": status, "message": inner}
    [found] = posted("messages.update", data)
    assert isinstance(found, MessageReceived)
    assert (found.type, found.target, found.body, found.sent_at) == ("edit", "A", "novo", None)
    assert (found.actor, found.identities) == ("contact", PHONE)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("messages.update", {"key": {"remoteJid": PN, "id": "A"}, "update": {"message": None}}),
        ("messages.delete", {"keys": [{"remoteJid": PN, "id": "A"}]}),
        ("messages.delete", '{"remoteJid": "553199990001@s.whatsapp.net", "id": "A"}'),
    ],
)
def test_a_deletion_is_known_in_every_shape(event: str, data: Any) -> None:
    [found] = posted(event, data)
    assert isinstance(found, MessageReceived)
    assert (found.type, found.target, found.payload) == ("revoke", "A", {})


def test_votes_in_an_update_are_no_status() -> None:
    data = {"keyId": "A", "remoteJid": PN, "status": "SERVER_ACK", "pollUpdates": [{"name": "a"}]}
    [found] = posted("messages.update", data)
    assert isinstance(found, Notice)


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        (
            "connection.update",
            {"instance": "loja", "state": "open", "statusReason": 200, "wuid": PN},
            InstanceChanged("open", number="+5531999990001"),
        ),
        (
            "connection.update",
            {"state": "connecting", "statusReason": 200},
            InstanceChanged("connecting"),
        ),
        (
            "connection.update",
            {"state": "close", "statusReason": 401},
            InstanceChanged("closed", "401 logged_out"),
        ),
        (
            "connection.update",
            {"state": "close", "statusReason": "403"},
            InstanceChanged("banned", "403 locked"),
        ),
        (
            "connection.update",
            {"state": "close", "statusReason": 406},
            InstanceChanged("banned", "406 banned"),
        ),
        (
            "connection.update",
            {"state": "close", "statusReason": 777},
            InstanceChanged("closed", "777"),
        ),
        (
            "connection.update",
            {"state": "refused", "statusReason": 428},
            InstanceChanged("closed", "428 qr_limit_reached"),
        ),
        (
            "status.instance",
            {"instance": "loja", "status": "closed", "disconnectionReasonCode": 401},
            InstanceChanged("closed", "401 logged_out"),
        ),
        (
            "qrcode.updated",
            {"qrcode": {"code": "2@A", "base64": "data:image/png;base64,AA"}},
            InstanceChanged("qr", qr="2@A"),
        ),
        ("qrcode.updated", {"qrcode": "2@A"}, InstanceChanged("qr", qr="2@A")),
        (
            "qrcode.updated",
            {"message": "QR code limit reached, please login again", "statusCode": 500},
            InstanceChanged("closed", "QR code limit reached, please login again"),
        ),
        ("logout.instance", None, InstanceChanged("closed", "logout.instance")),
        ("remove.instance", {}, InstanceChanged("closed", "remove.instance")),
    ],
)
def test_a_connection_is_in_one_of_our_states(event: str, data: Any, expected: Event) -> None:
    assert posted(event, data) == [expected]


def test_contacts_come_alone_or_in_lists() -> None:
    alone = {"remoteJid": PN, "pushName": "Ana", "instanceId": "i"}
    assert posted("contacts.update", alone) == [ContactSeen(PHONE, "Ana", "contacts.update")]
    others = [{"id": f"5531999990{n:03d}@s.whatsapp.net", "name": str(n)} for n in range(250)]
    found = posted("contacts.upsert", others)
    assert [contact.name for contact in found] == [str(n) for n in range(250)]  # type: ignore[union-attr]


def test_a_contact_may_carry_both_addresses() -> None:
    data = {"remoteJid": "10000000000001@lid", "remoteJidAlt": PN, "pushName": ""}
    assert posted("contacts.update", data) == [
        ContactSeen([*PHONE, Identity("lid", "10000000000001")], None, "contacts.update")
    ]


def test_groups_and_ourselves_are_no_contacts() -> None:
    assert posted("contacts.update", {"remoteJid": "1203630@g.us", "pushName": "Obra"}) == [
        Notice("chat_seen", {"id": "1203630@g.us", "name": "Obra"})
    ]
    assert posted("contacts.update", {"remoteJid": OWN, "pushName": "Eu"}) == [
        Notice("own_profile_seen", {"name": "Eu"})
    ]


@pytest.mark.parametrize(
    "event",
    [
        "application.startup", "call", "chats.delete", "chats.set", "chats.update", "chats.upsert",
        "creds.update", "error", "group-participants.update", "groups.update", "groups.upsert",
        "instance.create", "labels.association", "labels.edit", "messaging-history.set",
        "presence.update", "typebot.change-status", "typebot.start",
    ],
)  # fmt: skip
def test_the_rest_is_noticed(event: str) -> None:
    name = event.replace("-", ".")
    assert posted(event, {"id": PN}) == [Notice(name, {"id": PN})]


@pytest.mark.parametrize(
    ("event", "data", "reason"),
    [
        ("teleport.update", {"id": 1}, "event teleport.update"),
        (None, {"id": 1}, "event unknown"),
        ("messages.upsert", None, "messages.upsert carries no object"),
        ("messages.upsert", [], "messages.upsert carries no object"),
        ("messages.upsert", ["x"], "messages.upsert carries no object"),
        ("messages.upsert", {"message": {"conversation": "a"}}, "message names no id"),
        ("messages.upsert", {"key": {"id": "A"}}, "message names no chat"),
        ("messages.update", {"status": "READ"}, "status without the id of a message"),
        ("connection.update", {"state": "dreaming"}, "connection state dreaming"),
        ("qrcode.updated", {}, "qrcode.updated without a code"),
    ],
)
def test_what_is_not_understood_is_kept_as_unknown(event: Any, data: Any, reason: str) -> None:
    assert posted(event, data) == [Unknown(reason)]


def test_secrets_of_the_envelope_are_not_stored() -> None:
    whole = {
        "event": "connection.update",
        "instance": "loja",
        "data": {"state": "open"},
        "apikey": "SECRET-KEY",
        "destination": "https://api.example/in/evolution/SECRET-TOKEN",
        "server_url": "http://10.0.0.5:8080",
    }
    [item] = EVOLUTION.split(orjson.dumps(whole), "loja")
    assert "SECRET" not in repr(item)


def test_a_body_that_names_another_instance_is_not_for_the_one_of_the_address() -> None:
    whole = orjson.dumps({"event": "call", "instance": "outra", "data": {"id": "1"}})
    nameless = orjson.dumps({"event": "call", "data": {"id": "1"}})
    [other], [same] = EVOLUTION.split(whole, "loja"), EVOLUTION.split(nameless, "loja")
    assert (other.route_value, same.route_value) == ("outra", "loja")
    assert other.dedupe_key == same.dedupe_key
    assert EVOLUTION.split(whole, None)[0].route_value == "outra"
