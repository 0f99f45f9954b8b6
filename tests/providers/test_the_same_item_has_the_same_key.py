"""Dedupe keys: equal for what is the same, different for what is not."""

from typing import Any

import orjson
import pytest

from functions.providers.events import Json
from functions.providers.evolution import EVOLUTION
from functions.providers.keys import dedupe_key
from functions.providers.meta import META
from tests.providers.samples import provider_of, read, webhook_names

PN = "553199990001@s.whatsapp.net"


def evolution_keys(event: str, data: Any, route: str = "loja", **envelope: Any) -> list[str]:
    body = {"event": event, "date_time": "2026-01-12T10:00:00.000Z", **envelope, "data": data}
    return [item.dedupe_key for item in EVOLUTION.split(orjson.dumps(body), route)]


def meta_keys(value: Json, field: str = "messages", waba: str = "102", time: int = 1) -> list[str]:
    change = {"field": field, "value": value}
    body = {"entry": [{"id": waba, "time": time, "changes": [change]}]}
    return [item.dedupe_key for item in META.split(orjson.dumps(body), None)]


@pytest.mark.parametrize("name", webhook_names())
def test_a_repeated_request_has_the_keys_of_the_first(name: str) -> None:
    provider, route = provider_of(name)
    reordered = orjson.dumps(orjson.loads(read(name)), option=orjson.OPT_SORT_KEYS)
    first = [item.dedupe_key for item in provider.split(read(name), route)]
    assert [item.dedupe_key for item in provider.split(reordered, route)] == first


def message(identity: Any = "A", **more: Any) -> Json:
    return {"key": {"remoteJid": PN, "id": identity}, "message": {"conversation": "oi"}, **more}


def test_a_message_emitted_again_has_the_same_key() -> None:
    """With another time, another spelling of the event and another address of the same chat."""
    first = evolution_keys("messages.upsert", message())
    lid = {"key": {"remoteJid": "1@lid", "id": "A"}, "message": {"conversation": "oi"}}
    assert first == evolution_keys("messages.upsert", message(), date_time="2026-01-12T10:09:00.1Z")
    assert first == evolution_keys("MESSAGES_UPSERT", message(), instance="outra", sender="x")
    assert first == evolution_keys("messages.upsert", lid)
    assert first == ["loja|messages.upsert|A"]


def test_different_things_have_different_keys() -> None:
    def status(said: Any, identity: str = "A") -> Json:
        return {"keyId": identity, "remoteJid": PN, "status": said}

    edit = {"key": {"id": "A"}, "editedMessage": {"conversation": "b"}, "timestampMs": 1}
    keys = [
        *evolution_keys("messages.upsert", message("A")),
        *evolution_keys("messages.upsert", message("B")),
        *evolution_keys("messages.upsert", message("A"), route="filial"),
        *evolution_keys("send.message", message("A")),
        *evolution_keys("messages.update", status("DELIVERY_ACK")),
        *evolution_keys("messages.update", status("READ")),
        *evolution_keys("messages.update", status("READ", "B")),
        *evolution_keys("messages.edited", edit),
        *evolution_keys("messages.edited", {**edit, "timestampMs": 2}),
        *evolution_keys("messages.delete", {"id": "A"}),
    ]
    assert len(set(keys)) == len(keys)


def test_a_placeholder_does_not_hide_the_message_that_follows() -> None:
    placeholder = {"key": {"remoteJid": PN, "id": "A"}, "messageStubType": 2}
    first, second = (
        evolution_keys("messages.upsert", placeholder),
        evolution_keys("messages.upsert", message("A")),
    )
    assert first != second


def test_an_edit_is_the_same_however_its_time_is_written() -> None:
    edit = {"key": {"id": "A"}, "editedMessage": {"conversation": "b"}}
    whole = {"low": 0x1, "high": 0, "unsigned": True}
    assert evolution_keys("messages.edited", {**edit, "timestampMs": 1}) == evolution_keys(
        "messages.edited", {**edit, "timestampMs": whole}
    )


def test_a_connection_that_opens_again_is_news() -> None:
    opened = {"state": "open", "statusReason": 200}
    first = evolution_keys("connection.update", opened, date_time="2026-01-12T10:00:01.000Z")
    again = evolution_keys("connection.update", opened, date_time="2026-01-12T10:00:40.000Z")
    assert first != again
    assert first == evolution_keys(
        "connection.update", opened, date_time="2026-01-12T10:00:01.900Z"
    )


def test_a_contact_renamed_back_is_news() -> None:
    data = {"remoteJid": PN, "pushName": "Ana"}
    early = evolution_keys("contacts.update", data, date_time="2026-01-12T10:00:00.000Z")
    late = evolution_keys("contacts.update", data, date_time="2026-01-12T12:00:00.000Z")
    assert early != late


def test_meta_is_keyed_per_item_and_not_per_request() -> None:
    metadata = {"phone_number_id": "7"}
    one, two = {"id": "wamid.A", "from": "1650555123"}, {"id": "wamid.B", "from": "1650555123"}
    together = meta_keys({"metadata": metadata, "messages": [one, two]})
    apart = [
        key for each in (two, one) for key in meta_keys({"metadata": metadata, "messages": [each]})
    ]
    assert together == ["7|msg|wamid.A", "7|msg|wamid.B"]
    assert sorted(apart) == together


def test_every_status_of_a_meta_message_has_a_key() -> None:
    def status(said: str, time: str = "1", **more: Any) -> Json:
        return {"id": "wamid.A", "status": said, "timestamp": time, **more}

    entries = [
        status("sent"),
        status("delivered"),
        status("read"),
        status("read", "2"),
        status("read", recipient_participant_id="16505550101"),
        status("read", recipient_participant_id="16505550102"),
    ]
    keys = meta_keys({"metadata": {"phone_number_id": "7"}, "statuses": entries})
    assert len(set(keys)) == len(entries)
    assert keys[0] == "7|st|wamid.A|sent|1"


def test_account_news_are_keyed_by_content_and_time() -> None:
    value = {"event": "VERIFIED_ACCOUNT"}
    assert meta_keys(value, "account_update") == meta_keys(value, "account_update")
    assert meta_keys(value, "account_update") != meta_keys(value, "account_update", time=2)
    assert meta_keys(value, "account_update") != meta_keys(value, "account_update", waba="103")
    assert meta_keys(value, "account_update") != meta_keys({"event": "X"}, "account_update")


@pytest.mark.parametrize("identity", ["x" * 5000, "a|b", "ação", "a b", "a\nb", 12, 1.0])
def test_strange_ids_have_short_printable_keys_of_their_own(identity: Any) -> None:
    keys = {*evolution_keys("messages.upsert", message(identity))}
    keys |= {*evolution_keys("messages.upsert", message("A"))}
    assert len(keys) == 2
    assert all(len(key) <= 300 and key.isprintable() and key.isascii() for key in keys)


@pytest.mark.parametrize("identity", [None, True, [], {}, {"a": 1}, ""])
def test_a_message_without_a_usable_id_is_keyed_by_its_content(identity: Any) -> None:
    [first] = evolution_keys("messages.upsert", message(identity))
    [other] = evolution_keys("messages.upsert", message(identity, pushName="Ana"))
    assert first != other
    assert first.startswith("loja|messages.upsert|hash|")


def test_parts_cannot_be_moved_between_each_other() -> None:
    assert dedupe_key("a|b", "c") != dedupe_key("a", "b|c")
    assert dedupe_key("a", "b") == "a|b"
    assert len(dedupe_key(*["x" * 120] * 9)) <= 300


def test_the_order_key_is_the_chat_of_one_number() -> None:
    def order_keys(data: Any, event: str = "messages.upsert", route: str = "loja") -> list[Any]:
        body = orjson.dumps({"event": event, "data": data})
        return [item.order_key for item in EVOLUTION.split(body, route)]

    by_lid = {"key": {"remoteJid": "1@lid", "remoteJidAlt": f"{PN}", "id": "A"}}
    device = {"key": {"remoteJid": PN.replace("@", ":7@"), "id": "B"}}
    assert order_keys(by_lid) == order_keys(device) == [f"loja|{PN}"]
    assert order_keys(by_lid, route="filial") == [f"filial|{PN}"]
    assert order_keys({"keyId": "A", "remoteJid": PN, "status": "READ"}, "messages.update") == [
        None
    ]
    assert order_keys({"remoteJid": PN}, "contacts.update") == [None]
    assert order_keys({"state": "open"}, "connection.update") == ["loja|connection"]
