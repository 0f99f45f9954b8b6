"""Webhooks of Meta whose first look misleads: payments, partners, numbers that are none."""

import orjson
import pytest

from functions.providers.events import InstanceChanged, Json, MessageReceived, Notice, Unknown
from functions.providers.meta import META
from tests.providers.cloud import METADATA, PHONE, posted, received

OWNER = "35602282435505"  # the business whose account it is: `entry.id` of partner events
PAYMENT: Json = {
    "id": "wamid.A",
    "recipient_id": "16505551234",
    "timestamp": "1763326182",
    "type": "payment",
    "payment": {"reference_id": "pedido-1", "amount": {"value": 100, "offset": 100}},
}


@pytest.mark.parametrize("said", ["pending", "captured", "failed"])
def test_a_payment_that_fails_fails_no_message(said: str) -> None:
    value = {"metadata": METADATA, "statuses": [{**PAYMENT, "status": said}]}
    [found] = posted("messages", value)
    assert isinstance(found, Notice)
    assert (found.name, found.value["status"]) == ("payments", said)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ("PARTNER_REMOVED", "closed"),
        ("PARTNER_APP_UNINSTALLED", "closed"),
        ("PARTNER_ADDED", None),
        ("MM_LITE_TERMS_SIGNED", None),
    ],
)
def test_a_partner_event_is_for_the_account_that_it_names(event: str, state: str | None) -> None:
    value = {"event": event, "waba_info": {"waba_id": "102", "owner_business_id": OWNER}}
    change = {"field": "account_update", "value": value}
    body = {"entry": [{"id": OWNER, "time": 1763326182, "changes": [change]}]}
    [item] = META.split(orjson.dumps(body), None)
    assert (item.route_kind, item.route_value) == ("waba", "102")
    found = posted("account_update", value)
    changed = [one.state for one in found if isinstance(one, InstanceChanged)]
    assert changed == ([state] if state else [])


def test_an_account_event_without_its_own_account_is_for_that_of_the_entry() -> None:
    change = {"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}
    [item] = META.split(orjson.dumps({"entry": [{"id": "102", "changes": [change]}]}), None)
    assert item.route_value == "102"


def test_several_fields_of_several_accounts_in_one_body_are_items_of_their_own() -> None:
    text = {"id": "wamid.A", "from": "16505551234", "type": "text", "text": {"body": "oi"}}
    seen = {"id": "wamid.B", "status": "read", "timestamp": "1763326182"}
    partner = {"event": "PARTNER_REMOVED", "waba_info": {"waba_id": "103"}}
    first = [
        {"field": "messages", "value": {"metadata": METADATA, "messages": [text]}},
        {"field": "messages", "value": {"metadata": METADATA, "statuses": [seen] * 2}},
        {"field": "account_review_update", "value": {"decision": "APPROVED"}},
    ]
    second = [{"field": "account_update", "value": partner}, {"field": "dreams", "value": 7}]
    entries = [{"id": "102", "changes": first}, {"id": OWNER, "changes": second}]
    items = META.split(orjson.dumps({"entry": entries}), None)
    assert [(item.kind, item.route_value) for item in items] == [
        ("messages", METADATA["phone_number_id"]),
        ("statuses", METADATA["phone_number_id"]),
        ("statuses", METADATA["phone_number_id"]),
        ("account_review_update", "102"),
        ("account_update", "103"),
        ("dreams", OWNER),
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1763326182, "2025-11-16T20:49:42+00:00"),
        ("1763326182500", "2025-11-16T20:49:42.500000+00:00"),
        ("99999999999", None),  # the year 5138
        (None, None),
        ({}, None),
    ],
)
def test_a_time_is_read_however_it_is_written(written: object, read: str | None) -> None:
    found = received({"timestamp": written, "type": "text", "text": {"body": "oi"}})
    assert found.sent_at == read


def test_a_sender_that_is_no_phone_is_an_address_all_the_same() -> None:
    value = {
        "metadata": METADATA,
        "messages": [{"id": "wamid.A", "from": "000000", "type": "text"}],
    }
    [found] = posted("messages", value)
    assert isinstance(found, MessageReceived)
    assert (found.chat_address, found.identities) == ("000000", [])


def test_what_is_too_long_for_an_address_is_none() -> None:
    value = {"metadata": METADATA, "messages": [{"id": "wamid.A", "from": "1" * 300}]}
    assert posted("messages", value) == [Unknown("message names no chat")]
    contact = {"profile": {"username": "x" * 300}, "wa_id": "16505551234", "user_id": "U" * 300}
    found = received({"type": "text", "text": {"body": "oi"}}, [contact])
    assert (found.chat_address, found.identities) == ("16505551234", PHONE)
